// Where the two libraries are that `record` puts into a program.
#pragma once

#include <filesystem>
#include <string>

namespace saetap::cli {

struct PluginLocation {
  std::filesystem::path plugin;   // libsaetap.so
  std::filesystem::path preload;  // libsaetap_preload.so
};

// In the folder that SAETAP_LIBRARY_DIR names, or else beside this executable: ../lib, its own folder, ../lib/saetap.
// Throws Failure: not found, or a path that LD_PRELOAD cannot carry.
[[nodiscard]] PluginLocation find_plugin();

}  // namespace saetap::cli
