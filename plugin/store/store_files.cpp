#include "plugin/store/store_files.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>

#include "plugin/private_file.h"
#include "plugin/store/store_format.h"
#include "plugin/store/token_rows.h"

namespace saetap {
namespace {

std::string utc_text(std::time_t time) {
  std::tm utc{};
  gmtime_r(&time, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

// "2026-11-22T19:01:49Z" -> "20261122T190149Z"; whatever else a damaged file may say is left out.
std::string name_from(const std::string& time) {
  std::string name;
  for (const char c : time) {
    if ((c >= '0' && c <= '9') || c == 'T' || c == 'Z') name += c;
  }
  return name;
}

// Two processes may move the same file aside at once: the name that one has just taken must not be taken again.
void rename_to_free(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return;
  if (errno == EINVAL || errno == ENOSYS) {  // a file system that cannot tell
    std::filesystem::rename(from, to);
    return;
  }
  throw std::filesystem::filesystem_error("", from, std::error_code(errno, std::generic_category()));
}

// rename(2) would silently replace a file of the same name, so a free one is looked for.
std::filesystem::path free_name(const std::filesystem::path& path, const std::string& time) {
  const std::string stem = path.stem().string() + "-" + time;
  std::filesystem::path free = path.parent_path() / (stem + path.extension().string());
  for (int number = 2; std::filesystem::exists(free); ++number) {
    free = path.parent_path() / (stem + "-" + std::to_string(number) + path.extension().string());
  }
  return free;
}

StoreStamp stamp_in(const Database& database) {
  StoreStamp stamp;
  Statement meta =
      database.prepare("SELECT key, value FROM meta WHERE key IN ('run_id', 'saved', 'checkpoint') LIMIT 3");
  while (meta.step()) {
    const std::string key = meta.text(0);
    const std::string value = meta.text(1);
    if (key == "run_id") stamp.run_id = value;
    if (key == "saved") stamp.saved = value;
    if (key == "checkpoint") std::from_chars(value.data(), value.data() + value.size(), stamp.checkpoint);
  }
  return stamp;
}

}  // namespace

std::string utc_now() {
  return utc_text(std::time(nullptr));
}

std::optional<StoreStamp> read_stamp(const std::string& path) {
  try {
    if (!std::filesystem::is_regular_file(path)) return std::nullopt;
    Database database(path, Database::Mode::read_write);  // to write, so that SQLite can roll back what a kill left
    Statement application = database.prepare("PRAGMA application_id");
    if (!application.step() || application.integer(0) != kApplicationId) return std::nullopt;
    const Transaction nobody_writes(database);  // waits for another process's checkpoint to end
    return stamp_in(database);
  } catch (const SqliteError& error) {
    // No store, or a damaged one. Anything else (it is busy, out of memory, a disk that does not answer) may pass, and
    // is no reason to take the file for a stranger's.
    const int code = error.code() & 0xFF;
    if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT || code == SQLITE_ERROR) return std::nullopt;
    throw;
  } catch (const std::filesystem::filesystem_error& error) {
    // A disk that does not answer now is no reason either.
    throw StoreError(path + ": cannot be looked at (" + error.code().message() + ")");
  }
}

std::string move_aside(const std::string& path, const std::optional<StoreStamp>& stamp) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || (S_ISREG(status.st_mode) && status.st_size == 0)) return "";
  std::string time = stamp ? name_from(stamp->saved) : "";
  if (time.empty()) time = name_from(utc_text(status.st_mtime));
  const std::string journal = path + "-journal";
  try {
    const std::filesystem::path aside = free_name(path, time);
    rename_to_free(path, aside);
    // A journal belongs to its file by name: left behind, it would be played into the new store. Where the stamp was
    // read, what is left of one is empty; otherwise whoever can make something of the file may need it.
    if (stamp) {
      std::filesystem::remove(journal);
    } else if (std::filesystem::exists(journal)) {
      std::filesystem::rename(journal, aside.string() + "-journal");
    }
    const auto json = std::filesystem::path(path).replace_extension(".json");
    if (std::filesystem::exists(json)) {
      std::filesystem::rename(json, std::filesystem::path(aside).replace_extension(".json"));
    }
    return aside.string();
  } catch (const std::filesystem::filesystem_error& error) {
    throw StoreError(path + ": holds another run and cannot be moved aside (" + error.code().message() + ")");
  }
}

std::optional<std::string> find_aside(const std::string& path, const std::string& run_id, std::uint64_t checkpoint) {
  const std::filesystem::path name(path);
  const std::string begin = name.stem().string() + "-";
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(
           name.parent_path().empty() ? std::filesystem::path(".") : name.parent_path(), failed)) {
    const std::string other = entry.path().filename().string();
    if (!other.starts_with(begin) || entry.path().extension() != name.extension()) continue;
    // As free_name() gives it: what people renamed themselves is theirs.
    const std::string rest = entry.path().stem().string().substr(begin.size());
    if (rest.find_first_not_of("0123456789TZ-") != std::string::npos) continue;
    try {
      const StoreStamp stamp = stamp_in(Database(entry.path().string(), Database::Mode::read_only));
      if (stamp.run_id == run_id && stamp.checkpoint >= checkpoint) return entry.path().string();
    } catch (const StoreError&) {
      // Whatever it is, it is not ours.
    }
  }
  return std::nullopt;
}

void take_name(const std::string& temporary, const std::string& path) {
  std::error_code ignored;
  // What a kill left of another file of this name would be played into this one.
  std::filesystem::remove(path + "-journal", ignored);
  if (std::rename(temporary.c_str(), path.c_str()) != 0) {
    throw StoreError(path + ": cannot be written (" + std::strerror(errno) + ")");
  }
}

void create_empty(const std::string& path) {
  try {
    make_private_folder(std::filesystem::path(path).parent_path());
  } catch (const std::filesystem::filesystem_error& error) {
    throw StoreError(path + ": cannot make its folder (" + error.code().message() + ")");
  }
  const int descriptor = open_private(path, 0);
  if (descriptor < 0) throw StoreError(path + ": cannot be written (" + std::strerror(errno) + ")");
  ::close(descriptor);
}

void prepare_for_writing(Database& database, bool fresh) {
  if (fresh) database.execute("PRAGMA page_size = 16384");
  // Not WAL: it needs shared memory, which network file systems do not give. The cache holds a checkpoint's changed
  // pages so that the journal is synced once.
  database.execute("PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536");
}

void create_tables(Database& database) {
  database.execute(kCreateStore);
  create_token_counts(database);
  database.execute(("PRAGMA application_id = " + std::to_string(kApplicationId)).c_str());
  database.execute(("PRAGMA user_version = " + std::to_string(kFormatVersion)).c_str());
}

}  // namespace saetap
