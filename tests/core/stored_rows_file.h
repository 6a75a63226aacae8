// Rows of activations with their text, written into an index file: what tests of such files share.
#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "plugin/trace/row_file.h"
#include "plugin/trace/row_file_reader.h"
#include "plugin/trace/row_file_writer.h"
#include "plugin/trace/row_hash.h"

namespace saetap::testing {

inline constexpr std::size_t kWide = 96;
inline constexpr std::size_t kNarrow = 4;
inline constexpr SequenceId kRun = 12345;
inline constexpr std::int32_t kPad = 0;

class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("saetap-index-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }
  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(path_), std::filesystem::directory_iterator()));
  }

 private:
  std::filesystem::path path_;
};

// Text [sequences, length] in which some tokens have no row, with the rows of the others.
struct Stored {
  std::size_t width = 0;
  std::size_t length = 0;
  std::vector<std::int32_t> ids;
  std::vector<std::uint8_t> attended;
  std::vector<std::uint8_t> has_row;
  std::vector<float> rows;
  std::vector<std::uint64_t> fingerprints;

  [[nodiscard]] std::size_t count() const { return fingerprints.size(); }
  [[nodiscard]] RowMatrix matrix() const { return {rows.data(), width, fingerprints}; }
};

inline Stored random_stored(std::size_t sequences, std::size_t length, std::size_t width, unsigned seed,
                            int without_row = 5) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Stored stored{width, length, {}, {}, {}, {}, {}};
  for (std::size_t i = 0; i < sequences * length; ++i) {
    const bool pad = i % length >= length - 2;
    stored.ids.push_back(pad ? kPad : 1 + static_cast<std::int32_t>(random() % 30000));
    stored.attended.push_back(pad ? 0 : 1);
    stored.has_row.push_back(without_row > 0 && random() % static_cast<unsigned>(without_row) == 0 ? 0 : 1);
    if (stored.has_row.back() == 0) continue;
    for (std::size_t d = 0; d < width; ++d) stored.rows.push_back(normal(random) + 0.1F * static_cast<float>(d % 7));
    const auto* row = stored.rows.data() + stored.rows.size() - width;
    stored.fingerprints.push_back(row_hash(row, width * sizeof(float)));
  }
  return stored;
}

// Written in calls of some sequences each.
inline RowFileHead write(const std::string& path, const std::string& name, const Stored& stored,
                         std::size_t at_once = 7) {
  RowFileWriter writer(path, name, stored.width,
                       DimensionPairs::choose(stored.rows.data(), stored.count(), stored.width));
  std::size_t row = 0;
  const auto tokens = at_once * stored.length;
  for (std::size_t at = 0; at < stored.ids.size(); at += tokens) {
    const auto count = std::min(tokens, stored.ids.size() - at);
    const auto has_row = std::span(stored.has_row).subspan(at, count);
    const auto rows = static_cast<std::size_t>(std::ranges::count(has_row, std::uint8_t{1}));
    writer.add(
        {std::span(stored.ids).subspan(at, count), stored.length, std::span(stored.attended).subspan(at, count)},
        has_row,
        {stored.rows.data() + row * stored.width, stored.width, std::span(stored.fingerprints).subspan(row, rows)});
    row += rows;
  }
  return writer.finish();
}

// Why the file is refused; "" if it is not. Nothing of a refused file is remembered.
inline std::string refusal(const std::string& path) {
  Provenance provenance({});
  const auto before = provenance.bytes();
  try {
    load_row_file(path, provenance);
    return "";
  } catch (const RowFileError& error) {
    CHECK(provenance.bytes() == before);
    return error.what();
  }
}

inline bool says(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

}  // namespace saetap::testing
