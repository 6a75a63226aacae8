#include "integrations/cli/new_store.h"

#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "integrations/cli/failure.h"
#include "plugin/store/opened_file.h"
#include "plugin/store/store_format.h"

namespace saetap::cli {
namespace {

// A store of any version, or the empty file of one whose first save never came to its end.
bool is_store(const std::string& path) {
  constexpr std::string_view kMagic("SQLite format 3\0", 16);
  constexpr std::size_t kApplicationIdAt = 68;  // of SQLite's header, four bytes, the highest first
  std::error_code failed;
  if (!std::filesystem::is_regular_file(path, failed)) return false;
  if (std::filesystem::file_size(path, failed) == 0) return true;
  std::array<char, kApplicationIdAt + 4> head{};
  std::ifstream file(path, std::ios::binary);
  if (!file.read(head.data(), head.size()) || std::string_view(head.data(), kMagic.size()) != kMagic) return false;
  std::int64_t id = 0;
  for (std::size_t i = kApplicationIdAt; i < head.size(); ++i) id = id << 8 | static_cast<std::uint8_t>(head[i]);
  return id == kApplicationId;
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
