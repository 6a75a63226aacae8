// Any text as a samples.json.
#include <cstdint>

#include "plugin/store/samples_json.h"
#include "tests/fuzz/fuzzed_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string path = saetap::testing::fuzzed_file("samples.json", bytes, size);
  try {
    (void)saetap::read_samples_json(path);
  } catch (const saetap::StoreError&) {
  }
  return 0;
}
