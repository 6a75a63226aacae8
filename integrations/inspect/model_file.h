// Loads a TorchScript file, or says in plain words why it is none.
#pragma once

#include <string>

#include "hooks/libtorch.h"

namespace saetap::inspect {

// On the CPU, wherever it was saved. Throws cli::Failure: one line, without the path.
[[nodiscard]] torch::jit::Module load_model(const std::string& path);

}  // namespace saetap::inspect
