#include "integrations/collect/loaded_module.h"

#include <optional>

#include "integrations/cli/failure.h"
#include "integrations/inspect/model_file.h"
#include "integrations/libtorch/first_line.h"

namespace saetap::collect {

using cli::Failure;
using cli::Status;

at::Device device_of(const std::string& name) {
  const auto refuse = [&](const std::string& reason) { throw Failure(Status::bad_input, "--device " + name + reason); };
  std::optional<at::Device> device;
  try {
    device = at::Device(name);
  } catch (const std::exception&) {
    // Said below.
  }
  if (!device || !(device->is_cpu() || device->is_cuda())) refuse("; cpu, cuda and cuda:N are allowed");
  if (device->is_cuda() && !at::hasCUDA()) refuse(": there is none here, or this LibTorch is built without CUDA");
  return *device;
}

torch::jit::Module load_module(const std::string& path, const std::string& device) {
  try {
    auto module = inspect::load_model(path);
    module.to(at::Device(device));
    module.eval();
    return module;
  } catch (const Failure& failure) {
    throw Failure(failure.status(), path + ": " + failure.what());
  } catch (const std::exception& error) {
    throw Failure(Status::bad_input, path + ": it cannot be brought to " + device + ": " + first_line(error));
  }
}

at::ScalarType number_type(const torch::jit::Module& module) {
  for (const auto& parameter : module.parameters()) {
    if (at::isFloatingType(parameter.scalar_type())) return parameter.scalar_type();
  }
  for (const auto& buffer : module.buffers()) {
    if (at::isFloatingType(buffer.scalar_type())) return buffer.scalar_type();
  }
  return at::kFloat;
}

}  // namespace saetap::collect
