#include "integrations/collect/loaded_module.h"

#include "integrations/cli/failure.h"
#include "integrations/inspect/model_file.h"
#include "integrations/libtorch/first_line.h"

namespace saetap::collect {

using cli::Failure;
using cli::Status;

at::Device device_of(const std::string& name) {
  try {
    const at::Device device(name);
    (void)at::empty({1}, device);
    return device;
  } catch (const std::exception& error) {
    throw Failure(Status::bad_input, "--device " + name + ": " + first_line(error));
  }
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
