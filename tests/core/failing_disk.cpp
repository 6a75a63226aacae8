#include "tests/core/failing_disk.h"

#include <stdexcept>

namespace saetap::testing {
namespace {

// What the methods below need, because SQLite calls them without anything of ours.
FailingDisk* disk = nullptr;
sqlite3_vfs* real_system = nullptr;

// The file of the real system lies behind it in memory.
struct File : sqlite3_file {
  [[nodiscard]] sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

sqlite3_file* real_of(sqlite3_file* file) {
  return static_cast<File*>(file)->real();
}

// Runs one operation of the real system, or not.
template <typename Operation>
int attempt(int error, Operation operation) {
  if (disk == nullptr || !disk->fails()) return operation();
  if (disk->fault() == DiskFault::answered) (void)operation();
  return error;
}

int write(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset) {
  const auto whole = [&](int length) { return real_of(file)->pMethods->xWrite(real_of(file), bytes, length, offset); };
  if (disk == nullptr || !disk->fails()) return whole(count);
  if (disk->fault() == DiskFault::half) (void)whole(count / 2);
  if (disk->fault() == DiskFault::answered) (void)whole(count);
  return disk->fault() == DiskFault::answered ? SQLITE_IOERR_WRITE : SQLITE_FULL;
}

const sqlite3_io_methods kMethods{
    1,
    [](sqlite3_file* file) { return real_of(file)->pMethods->xClose(real_of(file)); },
    [](sqlite3_file* file, void* bytes, int count, sqlite3_int64 offset) {
      return attempt(SQLITE_IOERR_READ,
                     [&] { return real_of(file)->pMethods->xRead(real_of(file), bytes, count, offset); });
    },
    write,
    [](sqlite3_file* file, sqlite3_int64 size) {
      return attempt(SQLITE_IOERR_TRUNCATE, [&] { return real_of(file)->pMethods->xTruncate(real_of(file), size); });
    },
    [](sqlite3_file* file, int flags) {
      return attempt(SQLITE_IOERR_FSYNC, [&] { return real_of(file)->pMethods->xSync(real_of(file), flags); });
    },
    [](sqlite3_file* file, sqlite3_int64* size) {
      return attempt(SQLITE_IOERR_FSTAT, [&] { return real_of(file)->pMethods->xFileSize(real_of(file), size); });
    },
    [](sqlite3_file* file, int level) { return real_of(file)->pMethods->xLock(real_of(file), level); },
    [](sqlite3_file* file, int level) { return real_of(file)->pMethods->xUnlock(real_of(file), level); },
    [](sqlite3_file* file, int* held) { return real_of(file)->pMethods->xCheckReservedLock(real_of(file), held); },
    [](sqlite3_file* file, int what, void* argument) {
      return real_of(file)->pMethods->xFileControl(real_of(file), what, argument);
    },
    [](sqlite3_file* file) { return real_of(file)->pMethods->xSectorSize(real_of(file)); },
    [](sqlite3_file* file) { return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file)); },
    nullptr,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
    nullptr};

int open(sqlite3_vfs*, const char* path, sqlite3_file* file, int flags, int* opened) {
  file->pMethods = nullptr;  // SQLite closes only what has methods
  if (disk != nullptr && disk->fails()) return SQLITE_CANTOPEN;
  const int code = real_system->xOpen(real_system, path, real_of(file), flags, opened);
  if (code == SQLITE_OK) file->pMethods = &kMethods;
  return code;
}

int remove(sqlite3_vfs*, const char* path, int sync) {
  return attempt(SQLITE_IOERR_DELETE, [&] { return real_system->xDelete(real_system, path, sync); });
}

int access(sqlite3_vfs*, const char* path, int flags, int* allowed) {
  return attempt(SQLITE_IOERR_ACCESS, [&] { return real_system->xAccess(real_system, path, flags, allowed); });
}

sqlite3_vfs& failing_system() {
  static sqlite3_vfs system = [] {
    sqlite3_vfs made = *real_system;
    made.zName = "failing";
    made.iVersion = 1;
    made.szOsFile = static_cast<int>(sizeof(File)) + real_system->szOsFile;
    made.pNext = nullptr;
    made.xOpen = open;
    made.xDelete = remove;
    made.xAccess = access;
    made.xFullPathname = [](sqlite3_vfs*, const char* path, int size, char* full) {
      return real_system->xFullPathname(real_system, path, size, full);
    };
    return made;
  }();
  return system;
}

}  // namespace

FailingDisk::FailingDisk() {
  if (real_system == nullptr) real_system = sqlite3_vfs_find(nullptr);
  disk = this;
  if (sqlite3_vfs_register(&failing_system(), 1) != SQLITE_OK) throw std::runtime_error("no failing disk");
}

FailingDisk::~FailingDisk() {
  disk = nullptr;
  sqlite3_vfs_unregister(&failing_system());
  sqlite3_vfs_register(real_system, 1);
}

void FailingDisk::fail_at(std::size_t n, DiskFault fault, bool and_all_later) {
  count_ = 0;
  at_ = n;
  fault_ = fault;
  and_all_later_ = and_all_later;
  failed_ = false;
}

void FailingDisk::mend() {
  at_ = 0;
}

bool FailingDisk::fails() {
  ++count_;
  const bool now = at_ != 0 && (count_ == at_ || (and_all_later_ && count_ > at_));
  failed_ |= now;
  return now;
}

}  // namespace saetap::testing
