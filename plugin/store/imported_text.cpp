#include "plugin/store/imported_text.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "plugin/collect/sequence_pool.h"
#include "plugin/store/store_format.h"
#include "plugin/store/store_tables.h"

namespace saetap {
namespace {

void check(const JsonSample& sample, std::uint32_t context) {
  const auto refuse = [](const char* reason) { throw std::invalid_argument(reason); };
  const std::size_t after = sample.context_token_ids.size() - sample.activating_index - 1;
  if (sample.activating_index > sample.sample.position) refuse("a context begins before its sequence");
  if (sample.activating_index > context || after > context) refuse("a context is longer than sample_context_size");
  if (!has_tokens(sample.sample.sequence)) refuse("a sequence whose tokens are not known has a context");
  if (sample.sample.position > std::numeric_limits<std::uint32_t>::max() - after) refuse("a position is too large");
  if (std::ranges::any_of(sample.context_token_ids, [](std::int32_t id) { return id < 0; })) {
    refuse("a token id is below 0");
  }
  if (sample.context_token_ids[sample.activating_index] != sample.token_id) {
    refuse("a token_id is not the one at activating_index");
  }
}

}  // namespace

ImportedText::ImportedText(const Database& store, std::uint32_t context)
    : context_(context),
      select_(store.prepare("SELECT length, tokens FROM sequence WHERE id = ? AND segment = ?")),
      insert_(store.prepare("INSERT OR REPLACE INTO sequence VALUES(?, ?, ?, ?, 0)")) {}

void ImportedText::add(const JsonSample& sample) {
  if (sample.context_token_ids.empty()) return;
  check(sample, context_);
  const std::uint64_t first = sample.sample.position - sample.activating_index;
  const std::uint64_t end = first + sample.context_token_ids.size();
  const bool at_end = end - sample.sample.position - 1 < context_;
  for (std::uint64_t segment = first / kSegmentTokens; segment * kSegmentTokens < end; ++segment) {
    add_to_segment(sample.sample.sequence, static_cast<std::uint32_t>(segment), first, sample.context_token_ids,
                   at_end ? end : end + 1);
  }
}

void ImportedText::add_to_segment(SequenceId sequence, std::uint32_t segment, std::uint64_t first,
                                  const std::vector<std::int32_t>& tokens, std::uint64_t length) {
  const std::uint64_t begin = std::uint64_t{segment} * kSegmentTokens;
  std::vector<std::int32_t> kept;
  select_.bind(0, stored(sequence)).bind(1, std::int64_t{segment});
  while (select_.step()) {
    length = std::max(length, unstored(select_.integer(0)));
    const auto bytes = select_.blob(1);
    kept.resize(bytes.size() / sizeof(std::int32_t));
    std::memcpy(kept.data(), bytes.data(), bytes.size());
  }
  const std::uint64_t end = std::min<std::uint64_t>(first + tokens.size(), begin + kSegmentTokens);
  kept.resize(std::max<std::size_t>(kept.size(), end - begin), kUnknownToken);
  for (std::uint64_t position = std::max(first, begin); position < end; ++position) {
    std::int32_t& token = kept[position - begin];
    if (token != kUnknownToken && token != tokens[position - first]) {
      throw std::invalid_argument("two samples disagree about the text of sequence " + std::to_string(sequence));
    }
    token = tokens[position - first];
  }
  insert_.bind(0, stored(sequence)).bind(1, std::int64_t{segment}).bind(2, stored(length));
  insert_.bind_blob(3, std::as_bytes(std::span(kept))).run();
}

}  // namespace saetap
