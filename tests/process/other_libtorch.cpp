// A libtorch_cpu.so of another version and another std::string: what the launch shim meets where a program has one.
#include <cstdint>

#pragma GCC visibility push(default)
extern "C" {
std::uint64_t aoti_torch_abi_version() {
  return std::uint64_t{1} << 56 | std::uint64_t{13} << 48;
}
void _ZN3c105ErrorC1ENS_14SourceLocationESs() {}
}
