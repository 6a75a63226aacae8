#include "integrations/cli/plugin_location.h"

#include <cstdlib>
#include <vector>

#include "integrations/cli/failure.h"

namespace saetap::cli {
namespace fs = std::filesystem;

namespace {

std::vector<fs::path> folders_to_search() {
  if (const char* named = std::getenv("SAETAP_LIBRARY_DIR"); named && *named) return {fs::absolute(named)};
  std::error_code error;
  const fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
  return {(folder / "../lib").lexically_normal(), folder, (folder / "../lib/saetap").lexically_normal()};
}

}  // namespace

PluginLocation find_plugin() {
  const std::vector<fs::path> folders = folders_to_search();
  std::string searched;
  for (const fs::path& folder : folders) {
    const PluginLocation found{folder / "libsaetap.so", folder / "libsaetap_preload.so"};
    std::error_code error;
    if (fs::exists(found.plugin, error) && fs::exists(found.preload, error)) {
      // The dynamic loader splits LD_PRELOAD at both and knows no escape (ld.so(8)).
      if (found.preload.native().find_first_of(" :") != std::string::npos) {
        throw Failure(Status::bad_input,
                      "LD_PRELOAD cannot carry a path with a space or a colon: " + found.preload.native() +
                          "; move saetap, or name a link's folder in SAETAP_LIBRARY_DIR");
      }
      return found;
    }
    searched += (searched.empty() ? "" : ", ") + folder.native();
  }
  throw Failure(Status::bad_input, "libsaetap.so and libsaetap_preload.so are not in " + searched +
                                       "; name their folder in SAETAP_LIBRARY_DIR");
}

}  // namespace saetap::cli
