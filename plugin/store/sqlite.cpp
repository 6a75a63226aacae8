#include "plugin/store/sqlite.h"

#include <sqlite3.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <mutex>
#include <thread>

namespace saetap {
namespace {

constexpr int kBusyMilliseconds = 5000;

// Held by every call of SQLite's, some of which are made within others.
std::recursive_timed_mutex calls;
std::atomic<std::thread::id> forking{};  // holds `calls` while it forks
using Call = std::lock_guard<std::recursive_timed_mutex>;

int open_flags(Database::Mode mode) {
  switch (mode) {
    case Database::Mode::read_only:
      return SQLITE_OPEN_READONLY;
    case Database::Mode::read_write:
      return SQLITE_OPEN_READWRITE;
    case Database::Mode::create:
      return SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  }
  return SQLITE_OPEN_READONLY;
}

std::string explain(int code, const std::string& detail) {
  switch (code & 0xFF) {
    case SQLITE_NOTADB:
      return "not a saetap store (not an SQLite file)";
    case SQLITE_CORRUPT:
      return "the store is damaged (" + detail + ")";
    case SQLITE_BUSY:
      return "in use by another process; try again";
    case SQLITE_FULL:
      return "no space left to write it";
    default:
      return detail;
  }
}

// A relative name could be read as a URI ("file:a?mode=memory") or as no file at all (":memory:").
std::string plain_name(const std::string& path) {
  return path.starts_with('/') ? path : "./" + path;
}

// A store is tables alone: a table of somebody else's file could be a query that never ends.
void read_tables_alone(sqlite3* database) {
  sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(database, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
  sqlite3_db_config(database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
}

}  // namespace

void let_sqlite_end_before_fork() noexcept {
  constexpr std::chrono::milliseconds kMoment{200};
  if (calls.try_lock_for(kMoment)) forking = std::this_thread::get_id();
}

void let_sqlite_go_on_after_fork() noexcept {
  if (forking.load() != std::this_thread::get_id()) return;  // it was not had in time
  forking = std::thread::id();
  calls.unlock();
}

SqliteError::SqliteError(const std::string& path, int code, const std::string& detail)
    : StoreError(path + ": " + explain(code, detail)), code_(code) {}

bool SqliteError::is_busy() const {
  return (code_ & 0xFF) == SQLITE_BUSY;
}

void Database::Close::operator()(sqlite3* database) const {
  const Call call(calls);
  sqlite3_close_v2(database);
}

Database::Database(std::string path, Mode mode) : path_(std::move(path)) {
  std::error_code unknown;
  const auto status = std::filesystem::status(path_, unknown);
  // Opening a pipe would wait for ever.
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    throw SqliteError(path_, SQLITE_CANTOPEN, "not a file");
  }
  const Call call(calls);
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(plain_name(path_).c_str(), &opened, open_flags(mode), nullptr);
  database_.reset(opened);
  if (opened == nullptr) throw SqliteError(path_, code, sqlite3_errstr(code));
  if (code != SQLITE_OK) fail(code);
  sqlite3_extended_result_codes(opened, 1);
  read_tables_alone(opened);
  sqlite3_busy_timeout(opened, kBusyMilliseconds);
}

void Database::execute(const char* sql) {
  const Call call(calls);
  const int code = sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(code);
}

bool Database::in_transaction() const {
  return sqlite3_get_autocommit(database_.get()) == 0;
}

Statement Database::prepare(const char* sql) const& {
  const Call call(calls);
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(database_.get(), sql, -1, &statement, nullptr);
  if (code != SQLITE_OK) fail(code);
  return {*this, statement};
}

void Database::fail(int code) const {
  throw SqliteError(path_, code, sqlite3_errmsg(database_.get()));
}

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
  const Call call(calls);
  sqlite3_finalize(statement);
}

void Statement::check(int code) const {
  if (code != SQLITE_OK) database_->fail(code);
}

Statement& Statement::bind(int parameter, std::int64_t value) {
  const Call call(calls);
  check(sqlite3_bind_int64(statement_.get(), parameter + 1, value));
  return *this;
}

Statement& Statement::bind(int parameter, double value) {
  const Call call(calls);
  check(sqlite3_bind_double(statement_.get(), parameter + 1, value));
  return *this;
}

Statement& Statement::bind(int parameter, std::string_view text) {
  const Call call(calls);
  const char* start = text.empty() ? "" : text.data();  // a null pointer would bind NULL
  check(sqlite3_bind_text64(statement_.get(), parameter + 1, start, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}

Statement& Statement::bind_blob(int parameter, std::span<const std::byte> bytes) {
  const Call call(calls);
  const void* start = bytes.empty() ? static_cast<const void*>("") : bytes.data();  // as above
  check(sqlite3_bind_blob64(statement_.get(), parameter + 1, start, bytes.size(), SQLITE_STATIC));
  return *this;
}

bool Statement::step() {
  const Call call(calls);
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) {
    // The message is read before the reset, which would replace it.
    const SqliteError error(database_->path(), code, sqlite3_errmsg(sqlite3_db_handle(statement_.get())));
    reset();
    throw error;
  }
  reset();
  return false;
}

void Statement::run() {
  while (step()) {
  }
}

void Statement::reset() {
  const Call call(calls);
  sqlite3_reset(statement_.get());
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

double Statement::real(int column) const {
  return sqlite3_column_double(statement_.get(), column);
}

std::string Statement::text(int column) const {
  const Call call(calls);
  const auto* start = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  if (start == nullptr) return {};
  return {start, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

std::span<const std::byte> Statement::blob(int column) const {
  const void* start = sqlite3_column_blob(statement_.get(), column);
  if (start == nullptr) return {};
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
  return {static_cast<const std::byte*>(start), size};
}

Transaction::Transaction(Database& database) : database_(database) {
  database_.execute("BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  if (!open_) return;
  try {
    database_.execute("ROLLBACK");
  } catch (const StoreError&) {
    // SQLite has already rolled back by itself, or does so when the file is next opened.
  }
}

void Transaction::commit() {
  database_.execute("COMMIT");
  open_ = false;
}

ReadTransaction::ReadTransaction(Database& database) : database_(database) {
  if (database_.in_transaction()) return;
  database_.execute("BEGIN");
  open_ = true;
}

ReadTransaction::~ReadTransaction() {
  if (!open_) return;
  try {
    database_.execute("ROLLBACK");
  } catch (const StoreError&) {
    // A failed read has ended it.
  }
}

}  // namespace saetap
