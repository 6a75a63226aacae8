// Any text as a config.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "plugin/config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  try {
    (void)saetap::parse_config({reinterpret_cast<const char*>(bytes), size});
  } catch (const saetap::ConfigError& error) {
    if (std::string(error.what()).find('\n') != std::string::npos) std::abort();  // it is one line of a log
  }
  return 0;
}
