// The row index against a plain list that is searched from the front.
#include <doctest/doctest.h>

#include <cstring>
#include <deque>
#include <map>
#include <random>
#include <set>

#include "plugin/trace/row_hash.h"
#include "plugin/trace/row_index.h"

using namespace saetap;

namespace {

// The slow way: all rows in the order of recording; of equal ones the first that was recorded after the one handed out
// last, else the first.
class PlainIndex {
 public:
  explicit PlainIndex(std::size_t capacity) : capacity_(capacity) {}
  void record(std::uint64_t fingerprint, RowOrigin origin) {
    if (rows_.size() == capacity_) {
      forgotten.push_back(rows_.front().origin);
      rows_.pop_front();
    }
    rows_.push_back({fingerprint, origin, next_number_++});
  }
  std::optional<RowOrigin> take(int reader, std::uint64_t fingerprint) {
    const Row* first = nullptr;
    const Row* next = nullptr;
    auto& handed_out = handed_out_[{reader, fingerprint}];
    for (const auto& row : rows_) {
      if (row.fingerprint != fingerprint) continue;
      if (first == nullptr) first = &row;
      if (next == nullptr && row.number > handed_out) next = &row;
    }
    if (first == nullptr) return std::nullopt;
    const auto* taken = next != nullptr ? next : first;
    handed_out = taken->number;
    return taken->origin;
  }
  std::vector<RowOrigin> forgotten;

 private:
  struct Row {
    std::uint64_t fingerprint;
    RowOrigin origin;
    std::uint64_t number;
  };
  std::size_t capacity_;
  std::uint64_t next_number_ = 1;
  std::deque<Row> rows_;
  std::map<std::pair<int, std::uint64_t>, std::uint64_t> handed_out_;
};

std::optional<RowOrigin> take(RowIndex& index, int reader, std::uint64_t fingerprint) {
  const auto slot = index.take(reader, fingerprint);
  if (slot == RowIndex::kNone) return std::nullopt;
  return index.origin(slot);
}

}  // namespace

TEST_CASE("rows are found as in a plain list, equal ones in turn for each reader, the oldest forgotten first") {
  std::mt19937_64 random(3);
  for (const std::size_t capacity : {1u, 3u, 64u, 1000u, 9000u}) {
    for (const std::uint64_t kinds : {2u, 50u, 20000u}) {
      PlainIndex plain(capacity);
      std::vector<RowOrigin> forgotten;
      RowIndex index(capacity, [&](const RowIndex::Forgotten& row) { forgotten.push_back(row.origin); });
      const auto operations = capacity > 2000 ? 12000u : 3000u;
      for (std::uint32_t i = 0; i < operations; ++i) {
        // Fingerprints that collide in their low bits, so that chains of the table run into each other.
        const auto fingerprint = 1 + (random() % kinds) * 4096;
        if (random() % 3 != 0) {
          plain.record(fingerprint, {i, i % 7, 1});
          index.record(fingerprint, {i, i % 7, 1});
        } else if (kinds > 100 && capacity > 2000) {
          continue;  // the plain list is too slow to be asked this often
        } else {
          const auto reader = static_cast<int>(random() % 3);
          REQUIRE(plain.take(reader, fingerprint) == take(index, reader, fingerprint));
        }
      }
      for (std::uint64_t kind = 0; kind < std::min<std::uint64_t>(kinds, 300); ++kind) {
        REQUIRE(plain.take(0, 1 + kind * 4096) == take(index, 0, 1 + kind * 4096));
      }
      CHECK(forgotten == plain.forgotten);
    }
  }
}

TEST_CASE("row hashes depend on every byte, the length and the order") {
  std::vector<unsigned char> row(1536);
  std::mt19937 random(5);
  for (auto& byte : row) byte = static_cast<unsigned char>(random());
  std::set<std::uint64_t> hashes{row_hash(row.data(), row.size())};
  std::size_t tried = 1;
  for (std::size_t at = 0; at < row.size(); ++at) {
    row[at] ^= 1;
    hashes.insert(row_hash(row.data(), row.size()));
    row[at] ^= 1;
    ++tried;
  }
  for (std::size_t length = 0; length < row.size(); ++length, ++tried) hashes.insert(row_hash(row.data(), length));
  CHECK(hashes.size() == tried);
  std::swap(row[0], row[16]);
  CHECK(hashes.count(row_hash(row.data(), row.size())) == 0);
}
