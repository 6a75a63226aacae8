// A TorchScript file, ready to be called.
#pragma once

#include <string>

#include "hooks/libtorch.h"

namespace saetap::collect {

// "cpu", "cuda", "cuda:1". Throws cli::Failure: no such device, or none of its kind here.
[[nodiscard]] at::Device device_of(const std::string& name);

// In eval mode, on the device. Throws cli::Failure that begins with the path.
[[nodiscard]] torch::jit::Module load_module(const std::string& path, const std::string& device);

// Of its first floating-point parameter or buffer; float32 if it has none.
[[nodiscard]] at::ScalarType number_type(const torch::jit::Module& module);

}  // namespace saetap::collect
