#include "plugin/trace/row_index.h"

#include <algorithm>
#include <utility>

namespace saetap {

namespace {
constexpr std::size_t kFirstRows = std::size_t{1} << 12;
constexpr std::size_t kPruneAt = 4096;

std::uint32_t bit_of(int reader) {
  return 1u << (static_cast<unsigned>(reader) % 32);
}
}  // namespace

RowIndex::RowIndex(std::size_t capacity, std::function<void(const Forgotten&)> forget)
    : capacity_(std::clamp<std::size_t>(capacity, 1, std::size_t{1} << 31)), forget_(std::move(forget)) {
  rows_.resize(std::min(capacity_, kFirstRows));
  chains_.resize(rows_.size() * 3 / 2 + 1);
}

std::size_t RowIndex::home(std::uint64_t fingerprint) const {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::size_t>((static_cast<Wide>(fingerprint * 0x9E3779B97F4A7C15ull) * chains_.size()) >> 64);
}

std::uint64_t RowIndex::number_of(std::uint32_t slot) const {
  const auto newest = (recorded_ - 1) % capacity_;
  return recorded_ - 1 - (newest + capacity_ - slot) % capacity_;
}

RowIndex::Recorded RowIndex::record(std::uint64_t fingerprint, RowOrigin origin) {
  if (count_ == rows_.size()) {
    if (rows_.size() < capacity_) {
      grow_to(rows_.size() * 2);
    } else {
      forget_oldest();
    }
  }
  const auto slot = slot_of_number(recorded_);
  rows_[slot] = {fingerprint, origin, kNone, 0};
  ++count_;
  ++recorded_;
  return {slot, link(slot)};
}

std::uint32_t RowIndex::take(int reader, std::uint64_t fingerprint) {
  const auto place = find(fingerprint);
  if (place == kNone) return kNone;
  const auto& chain = chains_[place];
  const auto first = chain.first;
  if (first == chain.last) {
    rows_[first].taken_alone_by |= bit_of(reader);
    return first;
  }
  auto& cursors = cursors_[reader];
  const auto [cursor, is_new] = cursors.try_emplace(fingerprint, 0);
  std::uint32_t latest = kNone;  // the one handed out last, if it is still here
  if (!is_new && cursor->second + count_ >= recorded_) {
    latest = slot_of_number(cursor->second);
  } else if ((rows_[first].taken_alone_by & bit_of(reader)) != 0) {
    latest = first;
  }
  rows_[first].taken_alone_by &= ~bit_of(reader);
  const auto slot = latest != kNone && rows_[latest].next != kNone ? rows_[latest].next : first;
  cursor->second = number_of(slot);
  if (cursors.size() >= kPruneAt && cursors.size() > count_ / 2) prune(cursors);
  return slot;
}

// Whose turn it is matters only while a row of the chain is remembered.
void RowIndex::prune(Cursors& cursors) const {
  std::erase_if(cursors, [this](const auto& cursor) { return cursor.second + count_ < recorded_; });
}

std::uint32_t RowIndex::find(std::uint64_t fingerprint) const {
  for (auto place = home(fingerprint);; place = after(place)) {
    const auto& chain = chains_[place];
    if (chain.first == kNone) return kNone;
    if (rows_[chain.first].fingerprint == fingerprint) return static_cast<std::uint32_t>(place);
  }
}

std::uint32_t RowIndex::first_of(std::uint64_t fingerprint) const {
  const auto place = find(fingerprint);
  return place == kNone ? kNone : chains_[place].first;
}

// Appends a row that is in rows_ to the chain of its fingerprint.
bool RowIndex::link(std::uint32_t row) {
  const auto fingerprint = rows_[row].fingerprint;
  auto place = home(fingerprint);
  while (chains_[place].first != kNone && rows_[chains_[place].first].fingerprint != fingerprint) place = after(place);
  auto& chain = chains_[place];
  if (chain.first == kNone) {
    chain = {row, row};
    return true;
  }
  rows_[chain.last].next = row;
  chain.last = row;
  return false;
}

// The oldest row is the first of its chain, since a chain is in the order of recording.
void RowIndex::forget_oldest() {
  const auto oldest = slot_of_number(recorded_ - count_);
  const auto& row = rows_[oldest];
  const auto place = find(row.fingerprint);
  if (row.next == kNone) {
    erase_chain(place);
  } else {
    chains_[place].first = row.next;
  }
  if (forget_) forget_({row.origin, oldest, row.next});
  --count_;
}

// Removes a chain and moves later ones up, so that look-ups never meet a hole (backward shift deletion).
void RowIndex::erase_chain(std::uint32_t place) {
  const auto size = chains_.size();
  std::size_t hole = place;
  for (auto next = after(hole); chains_[next].first != kNone; next = after(next)) {
    const auto wanted = home(rows_[chains_[next].first].fingerprint);
    if ((next + size - wanted) % size >= (next + size - hole) % size) {
      chains_[hole] = chains_[next];
      hole = next;
    }
  }
  chains_[hole] = {};
}

void RowIndex::reserve(std::size_t rows) {
  if (rows > rows_.size()) grow_to(rows);
}

void RowIndex::grow_to(std::size_t rows) {
  rows = std::min(capacity_, rows);
  rows_.reserve(rows);  // no more than that: resize() alone would double
  rows_.resize(rows);
  chains_.assign(rows_.size() * 3 / 2 + 1, {});
  for (std::size_t slot = 0; slot < count_; ++slot) {
    rows_[slot].next = kNone;
    link(static_cast<std::uint32_t>(slot));
  }
}

std::size_t RowIndex::bytes() const {
  constexpr std::size_t kNode = 32;  // key, value, link, and what the allocator adds
  std::size_t bytes = rows_.capacity() * sizeof(Row) + chains_.capacity() * sizeof(Chain);
  for (const auto& [reader, cursors] : cursors_) {
    bytes += cursors.size() * kNode + cursors.bucket_count() * sizeof(void*);
  }
  return bytes;
}

}  // namespace saetap
