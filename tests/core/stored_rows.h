// All that a store holds of samples, statistics and text, as lines that can be compared.
#pragma once

#include <sqlite3.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace saetap::testing {

// Read with SQLite alone. The site's counts and what names the run are left out, for collectors do not know them; so
// are the texts of tokens, of which those stay that were once needed.
inline std::vector<std::string> stored_rows(const std::string& path) {
  sqlite3* database = nullptr;
  if (sqlite3_open_v2(path.c_str(), &database, SQLITE_OPEN_READONLY, nullptr) != SQLITE_OK) {
    sqlite3_close(database);
    throw std::runtime_error("no store " + path);
  }
  const std::pair<const char*, const char*> tables[] = {
      {"site", "SELECT id, name, features, d_in, d_out FROM site ORDER BY id"},
      {"decoder", "SELECT * FROM decoder ORDER BY site, block"},
      {"part", "SELECT * FROM part ORDER BY site, part"},
      {"feature", "SELECT * FROM feature ORDER BY site, part, feature"},
      {"sample", "SELECT * FROM sample ORDER BY site, part, feature"},
      {"random_sample", "SELECT * FROM random_sample ORDER BY site, part, feature"},
      {"token_count", "SELECT * FROM token_count ORDER BY site, part, block"},
      {"past_window", "SELECT * FROM past_window ORDER BY site, window"},
      {"history", "SELECT * FROM history ORDER BY site, window, feature"},
      {"sequence", "SELECT * FROM sequence ORDER BY id, segment"},
  };
  std::vector<std::string> lines;
  for (const auto& [name, sql] : tables) {
    sqlite3_stmt* select = nullptr;
    if (sqlite3_prepare_v2(database, sql, -1, &select, nullptr) != SQLITE_OK) throw std::runtime_error(sql);
    while (sqlite3_step(select) == SQLITE_ROW) {
      std::string line = name;
      for (int column = 0; column < sqlite3_column_count(select); ++column) {
        line += std::string(" ") + sqlite3_column_name(select, column) + "=";
        const auto* bytes = static_cast<const unsigned char*>(sqlite3_column_blob(select, column));
        const int size = sqlite3_column_bytes(select, column);
        if (sqlite3_column_type(select, column) != SQLITE_BLOB) {
          line.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
          continue;
        }
        static constexpr char kDigits[] = "0123456789abcdef";
        for (int i = 0; i < size; ++i) line += {kDigits[bytes[i] >> 4], kDigits[bytes[i] & 15]};
      }
      lines.push_back(line);
    }
    sqlite3_finalize(select);
  }
  sqlite3_close(database);
  return lines;
}

// The first line in which two stores differ; "" if they are the same.
inline std::string first_difference(const std::string& path, const std::string& other) {
  const auto a = stored_rows(path), b = stored_rows(other);
  for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    const std::string of_a = i < a.size() ? a[i] : "(nothing)", of_b = i < b.size() ? b[i] : "(nothing)";
    if (of_a != of_b) return of_a + "\n" + of_b;
  }
  return "";
}

}  // namespace saetap::testing
