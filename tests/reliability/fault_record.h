// What a test of a fault says for docs/reliability.md, and whether it is to take its time.
#pragma once

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

namespace saetap::testing {

// `make test-long`: more tries, a longer soak.
[[nodiscard]] inline bool long_form() {
  return std::getenv("SAETAP_LONG") != nullptr;
}

// Called when a fault was tried and what had to hold was checked. `area` and `fault`: for people; `lost`: what is gone
// in the worst of the tries ("nothing", "what came after the last checkpoint"). One line of JSON is added to the file
// that SAETAP_FAULTS names; without it nothing is written.
inline void record_fault(const std::string& area, const std::string& fault, std::size_t tries,
                         const std::string& lost) {
  const char* path = std::getenv("SAETAP_FAULTS");
  if (path == nullptr) return;
  const nlohmann::ordered_json line{
      {"area", area}, {"fault", fault}, {"tries", tries}, {"lost", lost}, {"long", long_form()}};
  std::ofstream(path, std::ios::app) << line.dump() + "\n";
}

}  // namespace saetap::testing
