#include "plugin/store/unfinished_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "plugin/store/store_files.h"

namespace saetap {

UnfinishedStore::UnfinishedStore(std::string path) : path_(std::move(path)), temporary_(path_ + "-unfinished-XXXXXX") {
  // A name of its own: two may write one file.
  const int file = ::mkstemp(temporary_.data());
  if (file < 0) throw StoreError(path_ + ": cannot be written (" + std::strerror(errno) + ")");
  ::close(file);
}

UnfinishedStore::~UnfinishedStore() {
  std::error_code ignored;
  std::filesystem::remove(temporary_, ignored);
  std::filesystem::remove(temporary_ + "-journal", ignored);
}

Database UnfinishedStore::open() const {
  Database database(temporary_, Database::Mode::read_write);
  prepare_for_writing(database, true);
  // The file has its name only when it is whole: its journal need not be on a disk, and it is synced once.
  database.execute("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF");
  return database;
}

void UnfinishedStore::finish() {
  const int file = ::open(temporary_.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = file >= 0 && ::fsync(file) == 0;
  if (file >= 0) ::close(file);
  if (!synced) throw StoreError(path_ + ": cannot be written (" + std::strerror(errno) + ")");
  take_name(temporary_, path_);
}

}  // namespace saetap
