#include "plugin/trace/row_index.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace saetap {

namespace {
constexpr std::size_t kFirstRows = std::size_t{1} << 12;
}

RowIndex::RowIndex(std::size_t capacity, std::function<void(RowOrigin)> forget)
    : capacity_(std::max<std::size_t>(capacity, 1)), forget_(std::move(forget)) {
  rows_.resize(std::min(capacity_, kFirstRows));
  chains_.resize(std::bit_ceil(rows_.size() * 2));
}

void RowIndex::record(std::uint64_t fingerprint, RowOrigin origin) {
  if (count_ == rows_.size()) {
    if (rows_.size() < capacity_) {
      grow();
    } else {
      forget_oldest();
    }
  }
  const auto row = static_cast<std::uint32_t>((oldest_ + count_) % rows_.size());
  rows_[row] = {fingerprint, origin, kNone};
  ++count_;
  link(row);
}

std::optional<RowOrigin> RowIndex::take(std::uint64_t fingerprint) {
  const auto place = find(fingerprint);
  if (place == kNone) return std::nullopt;
  auto& chain = chains_[place];
  const auto row = chain.turn < kAllHandedOut ? chain.turn : chain.first;
  chain.turn = rows_[row].next != kNone ? rows_[row].next : kAllHandedOut;
  return rows_[row].origin;
}

std::uint32_t RowIndex::find(std::uint64_t fingerprint) const {
  for (auto place = home(fingerprint);; place = (place + 1) & (chains_.size() - 1)) {
    const auto& chain = chains_[place];
    if (chain.first == kNone) return kNone;
    if (rows_[chain.first].fingerprint == fingerprint) return static_cast<std::uint32_t>(place);
  }
}

// Appends a row that is in rows_ to the chain of its fingerprint.
void RowIndex::link(std::uint32_t row) {
  const auto fingerprint = rows_[row].fingerprint;
  auto place = home(fingerprint);
  while (chains_[place].first != kNone && rows_[chains_[place].first].fingerprint != fingerprint) {
    place = (place + 1) & (chains_.size() - 1);
  }
  auto& chain = chains_[place];
  if (chain.first == kNone) {
    chain = {row, row, kNone};
    return;
  }
  rows_[chain.last].next = row;
  if (chain.turn == kAllHandedOut) chain.turn = row;
  chain.last = row;
}

// The oldest row is the first of its chain, since a chain is in the order of recording.
void RowIndex::forget_oldest() {
  auto& row = rows_[oldest_];
  const auto place = find(row.fingerprint);
  auto& chain = chains_[place];
  if (chain.turn == oldest_) chain.turn = kNone;
  if (row.next == kNone) {
    erase_chain(place);
  } else {
    chain.first = row.next;
  }
  if (forget_) forget_(row.origin);
  oldest_ = (oldest_ + 1) % rows_.size();
  --count_;
}

// Removes a chain and moves later ones up, so that look-ups never meet a hole (backward shift deletion).
void RowIndex::erase_chain(std::uint32_t place) {
  const auto mask = chains_.size() - 1;
  std::size_t hole = place;
  for (std::size_t next = (hole + 1) & mask; chains_[next].first != kNone; next = (next + 1) & mask) {
    const auto wanted = home(rows_[chains_[next].first].fingerprint);
    if (((next - wanted) & mask) >= ((next - hole) & mask)) {
      chains_[hole] = chains_[next];
      hole = next;
    }
  }
  chains_[hole] = {};
}

void RowIndex::grow() {
  const auto moved = [this](std::uint32_t row) {
    return static_cast<std::uint32_t>((row + rows_.size() - oldest_) % rows_.size());
  };
  // Places change, so whose turn it was is carried over by a row of the chain.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> turns;
  for (const auto& chain : chains_) {
    if (chain.first == kNone || chain.turn == kNone) continue;
    turns.emplace_back(moved(chain.first), chain.turn == kAllHandedOut ? kAllHandedOut : moved(chain.turn));
  }
  std::vector<Row> rows(std::min(capacity_, rows_.size() * 2));
  for (std::size_t i = 0; i < count_; ++i) rows[i] = rows_[(oldest_ + i) % rows_.size()];
  rows_ = std::move(rows);
  oldest_ = 0;

  chains_.assign(std::bit_ceil(rows_.size() * 2), {});
  for (std::size_t i = 0; i < count_; ++i) {
    rows_[i].next = kNone;
    link(static_cast<std::uint32_t>(i));
  }
  for (const auto& [first, turn] : turns) chains_[find(rows_[first].fingerprint)].turn = turn;
}

}  // namespace saetap
