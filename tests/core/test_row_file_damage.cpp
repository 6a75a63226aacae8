// Index files that are damaged, or none: refused, in words.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "tests/core/file_bytes.h"
#include "tests/core/stored_rows_file.h"

using namespace saetap;
using namespace saetap::testing;

namespace fs = std::filesystem;

TEST_CASE("an index file cut short anywhere is refused, and so is one with something behind its end") {
  const Folder folder;
  const auto stored = random_stored(60, 12, kWide, 11);
  write(folder.file("rows"), "a", stored);
  const auto whole = bytes_of(folder.file("rows"));
  const auto cut = folder.file("cut");
  for (std::size_t size = 0; size < whole.size(); size += size < 5000 || whole.size() - size < 600 ? 1 : 97) {
    write_bytes(cut, std::string_view(whole).substr(0, size));
    const auto reason = refusal(cut);
    REQUIRE(!reason.empty());
    REQUIRE(says(reason, size < 16 ? "it is no file of saetap index" : "it is cut short"));
  }
  auto longer = whole;
  longer.push_back(0);
  write_bytes(cut, longer);
  CHECK(says(refusal(cut), "something was added to it: " + std::to_string(longer.size()) + " bytes are there"));
}

TEST_CASE("an index file with any bit flipped is refused") {
  const Folder folder;
  const auto stored = random_stored(25, 12, kWide, 12, 3);
  write(folder.file("rows"), "a", stored);
  const auto whole = bytes_of(folder.file("rows"));
  const auto path = folder.file("flipped");
  std::mt19937 random(13);
  const auto flip = [&](std::size_t byte, int bit) {
    auto flipped = whole;
    flipped[byte] = static_cast<char>(flipped[byte] ^ (1 << bit));
    write_bytes(path, flipped);
    REQUIRE(!refusal(path).empty());
  };
  for (std::size_t byte = 0; byte < 80; ++byte) {
    for (int bit = 0; bit < 8; ++bit) flip(byte, bit);
  }
  for (int i = 0; i < 2000; ++i) flip(random() % whole.size(), static_cast<int>(random() % 8));

  auto other = whole;
  other[0] = 'S';
  write_bytes(path, other);
  CHECK(refusal(path) == "it is no file of saetap index");
  other = whole;
  other[8] = 2;
  write_bytes(path, other);
  CHECK(says(refusal(path), "version 2 of the format, this program reads version 1"));
}

TEST_CASE("batches in another order, left out or twice are refused, and lies with a right checksum") {
  const Folder folder;
  const auto stored = random_stored(14, 12, kNarrow, 14, 0);
  write(folder.file("rows"), "a", stored, 7);  // two batches of one size
  const auto whole = bytes_of(folder.file("rows"));
  const auto batch = static_cast<std::ptrdiff_t>(24 + 84 * 5 + 84 * 8 + 8);
  const auto head = static_cast<std::ptrdiff_t>(whole.size()) - 2 * batch;
  const auto path = folder.file("other");
  auto swapped = whole;
  std::swap_ranges(swapped.begin() + head, swapped.begin() + head + batch, swapped.begin() + head + batch);
  write_bytes(path, swapped);
  CHECK(says(refusal(path), "sequence 0 should follow, not 7"));
  auto twice = whole;
  std::copy_n(twice.begin() + head, batch, twice.begin() + head + batch);
  write_bytes(path, twice);
  CHECK(says(refusal(path), "sequence 7 should follow, not 0"));

  // What stands at `offset` of the first batch is made `value`, and the checksum right again.
  const auto with = [&](std::ptrdiff_t offset, std::uint32_t value) {
    auto changed = whole;
    std::memcpy(changed.data() + head + offset, &value, sizeof value);
    const auto sum = row_hash(changed.data() + head, static_cast<std::size_t>(batch) - 8);
    std::memcpy(changed.data() + head + batch - 8, &sum, sizeof sum);
    write_bytes(path, changed);
    return refusal(path);
  };
  CHECK(with(8, 7) == "");                          // as it was
  CHECK(says(with(8, 0xFFFFFFFF), "do not fit"));   // sequences
  CHECK(says(with(12, 0xFFFFFFFF), "do not fit"));  // their length
  CHECK(says(with(12, 0), "do not fit"));
  CHECK(says(with(16, 0xFFFFFFFF), "do not fit"));  // rows
  CHECK(says(with(24, 0x80000000), "a token id is negative"));
  CHECK(says(with(24 + 84 * 4, 0), "80 tokens have a row, and there are 84 rows"));  // flags
}

TEST_CASE("what is no index file is refused in words") {
  const Folder folder;
  CHECK(refusal(folder.file("missing")) == "No such file or directory");
  CHECK(refusal(fs::temp_directory_path().string()) == "it is no regular file");
  write_bytes(folder.file("empty"), "");
  CHECK(refusal(folder.file("empty")) == "it is no file of saetap index");
  write_bytes(folder.file("text"), std::string(1000, 'a'));
  CHECK(refusal(folder.file("text")) == "it is no file of saetap index");
}
