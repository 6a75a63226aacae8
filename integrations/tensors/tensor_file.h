// Files that hold a tensor, as trainers keep their activations and tokens.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "integrations/tensors/mapped_tensor.h"

namespace saetap::tensors {

// The one tensor of a file: .npy, .pt (torch.save or C++ torch::save; a tensor, or a dict of them), .safetensors. Of
// several, the one named behind a colon: "shard.safetensors:layer3". On the CPU, mapped from the file wherever its
// format allows. Throws cli::Failure that begins with the path.
[[nodiscard]] at::Tensor open_tensor(const std::string& path);

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

// What torch.save wrote. Throws cli::Failure, without the path.
[[nodiscard]] NamedTensors pt_tensors(const Mapping& file);

}  // namespace saetap::tensors
