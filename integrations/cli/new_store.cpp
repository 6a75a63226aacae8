#include "integrations/cli/new_store.h"

#include <filesystem>

#include "integrations/cli/failure.h"
#include "integrations/cli/written_file.h"
#include "plugin/store/opened_file.h"

namespace saetap::cli {

std::string new_store_path(const std::string& output, bool force) {
  const std::string path = store_path(output);
  std::error_code failed;
  if (std::filesystem::exists(path, failed) && !force) {
    throw Failure(Status::bad_input, path + " exists; --force replaces it");
  }
  if (std::filesystem::exists(path, failed) && !is_database(path)) {
    throw Failure(Status::bad_input, path + " is there and is no store: --force replaces stores only");
  }
  const auto folder = std::filesystem::absolute(path).parent_path();
  if (!std::filesystem::is_directory(folder, failed)) {
    throw Failure(Status::bad_input, path + " cannot be written: there is no folder " + folder.string());
  }
  return path;
}

}  // namespace saetap::cli
