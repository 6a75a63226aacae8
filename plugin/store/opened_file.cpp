#include "plugin/store/opened_file.h"

#include <sqlite3.h>

#include <filesystem>

#include "plugin/store/ranks.h"
#include "plugin/store/store_format.h"

namespace saetap {
namespace {

// True if a kill left a journal that a reader may not play back.
bool needs_rollback(const Database& database) {
  try {
    database.prepare("PRAGMA schema_version").step();
    return false;
  } catch (const SqliteError& error) {
    if (error.code() == SQLITE_READONLY_ROLLBACK) return true;
    throw;
  }
}

// What is said where ranks have stores and nobody merged them.
std::string stores_of_ranks(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const std::vector<std::string> stores = rank_stores(folder.empty() ? "." : folder);
  if (stores.empty()) return "";
  if (stores.size() == 1) return "; the store of one rank is there: " + stores.front();
  return "; stores of " + std::to_string(stores.size()) + " ranks are there: saetap merge " + path + " " +
         (std::filesystem::path(folder) / "rank*").string();
}

Database open_rolled_back(const std::string& path) {
  std::error_code failed;
  if (!std::filesystem::exists(path, failed)) throw StoreError(path + ": no such file" + stores_of_ranks(path));
  if (std::filesystem::is_regular_file(path, failed) && std::filesystem::file_size(path, failed) == 0)
    throw StoreError(path + ": empty, no checkpoint was saved yet");
  Database database(path, Database::Mode::read_only);
  if (!needs_rollback(database)) return database;
  try {
    Database writable(path, Database::Mode::read_write);
    writable.execute("PRAGMA schema_version");
  } catch (const SqliteError&) {
    throw StoreError(path +
                     ": its program was killed while saving; to go back to the checkpoint before, its folder has " +
                     "to be writable");
  }
  return {path, Database::Mode::read_only};
}

void check_format(const Database& database) {
  const auto pragma = [&](const char* sql) {
    Statement statement = database.prepare(sql);
    return statement.step() ? statement.integer(0) : 0;
  };
  if (pragma("PRAGMA application_id") != kApplicationId) throw StoreError(database.path() + ": not a saetap store");
  // SQLite reads what is missing of the last page as zeros.
  const auto whole = static_cast<std::uintmax_t>(pragma("PRAGMA page_count") * pragma("PRAGMA page_size"));
  std::error_code failed;
  if (std::filesystem::file_size(database.path(), failed) < whole) {
    throw StoreError(database.path() + ": the store is damaged (the file ends early)");
  }
  const std::int64_t version = pragma("PRAGMA user_version");
  if (version != kFormatVersion) {  // no release wrote an earlier one
    throw StoreError(database.path() + ": format version " + std::to_string(version) + "; this saetap reads version " +
                     std::to_string(kFormatVersion));
  }
}

}  // namespace

std::string store_path(const std::string& path) {
  std::error_code failed;
  if (std::filesystem::is_directory(path, failed)) return (std::filesystem::path(path) / kStoreFileName).string();
  return path;
}

Database open_to_read(const std::string& path) {
  Database database = open_rolled_back(path);
  check_format(database);
  return database;
}

}  // namespace saetap
