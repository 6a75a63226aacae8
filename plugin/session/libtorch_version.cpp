#include "plugin/session/libtorch_version.h"

#include <torch/headeronly/version.h>

#include <cstdint>

// Exported by libtorch_cpu since 2.9 (torch/csrc/inductor/aoti_torch/c/shim.h): the version in the layout of
// TORCH_ABI_VERSION, major in the highest byte and minor in the next.
extern "C" std::uint64_t aoti_torch_abi_version();

namespace saetap {

namespace {
std::string dotted(std::uint64_t version) {
  return std::to_string((version >> 56) & 0xFF) + "." + std::to_string((version >> 48) & 0xFF);
}
}  // namespace

std::string running_libtorch_version() {
  return dotted(aoti_torch_abi_version());
}

std::string libtorch_mismatch() {
  const auto built = std::to_string(TORCH_VERSION_MAJOR) + "." + std::to_string(TORCH_VERSION_MINOR);
  const auto running = running_libtorch_version();
  if (built == running) return "";
  return "built for LibTorch " + built + " but this program runs LibTorch " + running +
         ": nothing is recorded; build saetap against " + running;
}

}  // namespace saetap
