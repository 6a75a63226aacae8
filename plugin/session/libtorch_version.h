// The LibTorch we were built for and the one we meet.
#pragma once

#include <string>

namespace saetap {

// "2.13", of the library in this process.
[[nodiscard]] std::string running_libtorch_version();
// Empty if this build fits the LibTorch in this process, else one line that names both versions.
[[nodiscard]] std::string libtorch_mismatch();

}  // namespace saetap
