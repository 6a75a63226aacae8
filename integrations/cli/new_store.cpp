#include "integrations/cli/new_store.h"

#include <filesystem>

#include "integrations/cli/failure.h"
#include "integrations/cli/written_file.h"
#include "plugin/store/opened_file.h"
#include "plugin/store/store_format.h"

namespace saetap::cli {
namespace {

// A store of any version, or the empty file of one whose first save never came to its end.
bool is_store(const std::string& path) {
  std::error_code failed;
  const bool empty = std::filesystem::is_regular_file(path, failed) && std::filesystem::file_size(path, failed) == 0;
  return empty || database_application(path) == kApplicationId;
}

}  // namespace

std::string new_store_path(const std::string& output, bool force) {
  const std::string path = store_path(output);
  std::error_code failed;
  if (std::filesystem::exists(path, failed) && !force) {
    throw Failure(Status::bad_input, path + " exists; --force replaces it");
  }
  if (std::filesystem::exists(path, failed) && !is_store(path)) {
    throw Failure(Status::bad_input, path + " is there and is no store: --force replaces stores only");
  }
  const auto folder = std::filesystem::absolute(path).parent_path();
  if (!std::filesystem::is_directory(folder, failed)) {
    throw Failure(Status::bad_input, path + " cannot be written: there is no folder " + folder.string());
  }
  return path;
}

}  // namespace saetap::cli
