// Any text as a samples.json, read and made a store of.
#include <cstdint>

#include "plugin/store/samples_json.h"
#include "plugin/store/samples_json_import.h"
#include "tests/fuzz/fuzzed_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string path = saetap::testing::fuzzed_file("samples.json", bytes, size);
  try {
    (void)saetap::read_samples_json(path);
  } catch (const saetap::StoreError&) {
  }
  try {
    saetap::import_samples_json(path, path + ".saetap", {});
  } catch (const saetap::StoreError&) {
    return 0;
  }
  (void)saetap::StoreReader(path + ".saetap");  // what was taken is a sound store
  return 0;
}
