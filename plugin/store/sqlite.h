// As much of SQLite as the store needs, with RAII. Every failure is a StoreError that names the file.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "plugin/store/store_error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace saetap {

// A StoreError that also tells SQLite's extended result code.
class SqliteError : public StoreError {
 public:
  SqliteError(const std::string& path, int code, const std::string& detail);
  [[nodiscard]] int code() const { return code_; }
  // Another process holds the file: it may be had a little later.
  [[nodiscard]] bool is_busy() const;

 private:
  int code_;
};

// Before and after a fork, for pthread_atfork: SQLite has locks of the whole process (of its memory, of its files), and
// a child that uses it would wait for ever for one that a thread of ours held. A call that takes longer than a moment
// is not waited for: it waits for a disk, and holds none of these.
void let_sqlite_end_before_fork() noexcept;
void let_sqlite_go_on_after_fork() noexcept;

class Statement;

class Database {
 public:
  enum class Mode : std::uint8_t { read_only, read_write, create };

  // Waits up to five seconds for another process's lock, here and later.
  Database(std::string path, Mode mode);

  // Runs statements that return nothing.
  void execute(const char* sql);
  [[nodiscard]] Statement prepare(const char* sql) const&;
  Statement prepare(const char* sql) const&& = delete;  // it would outlive its database
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] bool in_transaction() const;
  // Throws the latest failure of this database.
  [[noreturn]] void fail(int code) const;

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  std::string path_;
  std::unique_ptr<sqlite3, Close> database_;
};

// A prepared statement; parameters and columns count from 0. Must not outlive its database, nor be used after the
// database was moved.
class Statement {
 public:
  Statement& bind(int parameter, std::int64_t value);
  Statement& bind(int parameter, double value);
  Statement& bind(int parameter, std::string_view text);
  // The bytes must stay until the statement is reset.
  Statement& bind_blob(int parameter, std::span<const std::byte> bytes);

  // True if there is a row to read; after the last one the statement is ready for other parameters.
  bool step();
  // Runs a statement that returns no rows.
  void run();
  void reset();

  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] double real(int column) const;
  [[nodiscard]] std::string text(int column) const;
  // Valid until the next step.
  [[nodiscard]] std::span<const std::byte> blob(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  Statement(const Database& database, sqlite3_stmt* statement) : database_(&database), statement_(statement) {}
  void check(int code) const;

  const Database* database_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// Rolls back unless committed.
class Transaction {
 public:
  explicit Transaction(Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Database& database_;
  bool open_ = true;
};

// What is read while it lives is of one state of the file, which is locked once. One within another does nothing.
class ReadTransaction {
 public:
  explicit ReadTransaction(Database& database);
  ~ReadTransaction();
  ReadTransaction(const ReadTransaction&) = delete;
  ReadTransaction& operator=(const ReadTransaction&) = delete;

 private:
  Database& database_;
  bool open_ = false;
};

}  // namespace saetap
