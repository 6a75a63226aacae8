// A store of which some values are any.
#include <cstdint>
#include <cstdlib>

#include "tests/core/read_everything.h"
#include "tests/fuzz/changed_store.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  FuzzedDataProvider given(bytes, size);
  const std::string path = saetap::testing::changed_store(given);
  for (const std::string& refusal : saetap::testing::read_everything(path)) {
    if (!refusal.starts_with(path + ": ")) std::abort();
  }
  return 0;
}
