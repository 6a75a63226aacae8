#include "plugin/trace/signature_index.h"

namespace saetap {

std::size_t SignatureIndex::place(int table, std::uint32_t key) const {
  const auto spread = (std::uint64_t{key} * 0x9E3779B97F4A7C15ull) >> 32;
  return static_cast<std::size_t>(table) * slots_ + static_cast<std::size_t>((spread * slots_) >> 32);
}

void SignatureIndex::reserve(std::size_t slots) {
  if (slots <= slots_) return;
  signatures_.reserve(slots);
  signatures_.resize(slots);
  links_.reserve(slots * kTables);
  links_.resize(slots * kTables, kAbsent);
  heads_.clear();
  heads_.shrink_to_fit();
  heads_.resize(slots * kTables, kNone);
  slots_ = slots;
  for (std::uint32_t slot = 0; slot < slots; ++slot) {
    if (!holds(slot)) continue;
    for (int table = 0; table < kTables; ++table) insert(table, slot);
  }
}

void SignatureIndex::record(std::uint32_t slot, const RowSignature& signature) {
  for (int table = 0; table < kTables; ++table) {
    if (crowded(table, key(signature, table))) return;
  }
  signatures_[slot] = signature;
  for (int table = 0; table < kTables; ++table) insert(table, slot);
  ++count_;
}

bool SignatureIndex::crowded(int table, std::uint32_t key) const {
  int met = 0;
  visit(table, key, [&](std::uint32_t) { return ++met < kMostAlike; });
  return met == kMostAlike;
}

void SignatureIndex::insert(int table, std::uint32_t slot) {
  auto& head = heads_[place(table, key(signatures_[slot], table))];
  links_[link(table, slot)] = head;
  head = slot;
}

std::uint32_t& SignatureIndex::link_to(int table, std::uint32_t slot) {
  auto* at = &heads_[place(table, key(signatures_[slot], table))];
  while (*at != slot) at = &links_[link(table, *at)];
  return *at;
}

void SignatureIndex::forget(std::uint32_t slot) {
  if (!holds(slot)) return;
  for (int table = 0; table < kTables; ++table) {
    link_to(table, slot) = links_[link(table, slot)];
    links_[link(table, slot)] = kAbsent;
  }
  --count_;
}

void SignatureIndex::replace(std::uint32_t slot, std::uint32_t heir) {
  if (!holds(slot)) return;
  signatures_[heir] = signatures_[slot];
  for (int table = 0; table < kTables; ++table) {
    link_to(table, slot) = heir;
    links_[link(table, heir)] = links_[link(table, slot)];
    links_[link(table, slot)] = kAbsent;
  }
}

std::size_t SignatureIndex::bytes() const {
  return signatures_.capacity() * sizeof(RowSignature) +
         (links_.capacity() + heads_.capacity()) * sizeof(std::uint32_t);
}

}  // namespace saetap
