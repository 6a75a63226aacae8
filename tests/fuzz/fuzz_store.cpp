// Any bytes as a store.
#include <cstdint>
#include <cstdlib>

#include "tests/core/read_everything.h"
#include "tests/fuzz/fuzzed_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string path = saetap::testing::fuzzed_file("fuzzed.saetap", bytes, size);
  for (const std::string& refusal : saetap::testing::read_everything(path)) {
    if (!refusal.starts_with(path + ": ")) std::abort();
  }
  return 0;
}
