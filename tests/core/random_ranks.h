// A random run on several ranks, and the same run on one: every batch goes to its rank's collector and to one that gets
// all.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/core/pipeline.h"

namespace saetap::testing {

class RandomRanks {
 public:
  explicit RandomRanks(unsigned seed) : random_(seed), options_(options()), features_(1 + pick(40)) {
    // Nothing is lost of the one that gets all, however seldom it is saved.
    all_ = pipeline("all", 0);
    const std::size_t ranks = 2 + pick(4);
    for (std::size_t rank = 0; rank < ranks; ++rank) ranks_.push_back(pipeline("rank-" + std::to_string(rank), rank));
    for (std::size_t i = 0; i < 1 + pick(5); ++i) add_text();
  }

  // Ranks step together; some are behind, or died, or had nothing to collect for a while.
  void train() {
    const std::size_t steps = 1 + pick(pick(3) == 0 ? 150 : 25);
    std::vector<std::size_t> ends, idle_from, idle_to;
    for (std::size_t rank = 0; rank < ranks_.size(); ++rank) {
      ends.push_back(pick(3) == 0 ? 1 + pick(steps) : steps);
      idle_from.push_back(pick(4) == 0 ? pick(steps) : steps);
      idle_to.push_back(idle_from.back() + pick(40));
    }
    for (std::uint64_t step = 0; step < steps; ++step) {
      for (std::size_t rank = 0; rank < ranks_.size(); ++rank) {
        if (step >= ends[rank] || (step >= idle_from[rank] && step < idle_to[rank])) continue;
        batch(step, *ranks_[rank]);
        if (pick(8) == 0) ranks_[rank]->checkpoint();
      }
      if (pick(10) == 0) all_->checkpoint();
    }
    for (auto& rank : ranks_) rank->checkpoint(true);
    all_->checkpoint(true);
  }

  [[nodiscard]] std::size_t pick(std::size_t below) { return random_() % below; }
  [[nodiscard]] std::mt19937& random() { return random_; }
  [[nodiscard]] std::vector<std::string> stores() const {
    std::vector<std::string> paths;
    for (const auto& rank : ranks_) paths.push_back(rank->folder.file("samples.saetap"));
    return paths;
  }
  [[nodiscard]] std::string store_of_all() const { return all_->folder.file("samples.saetap"); }

 private:
  CollectorOptions options() {
    CollectorOptions options;
    options.max_samples_per_feature = static_cast<std::uint32_t>(1 + pick(14));
    options.random_samples_per_feature = static_cast<std::uint32_t>(pick(7));
    options.sample_context_size = static_cast<std::uint32_t>(pick(21));
    options.sample_activation_threshold = pick(2) == 0 ? 0.1f : 1.5f;
    const std::size_t rule = pick(4);
    if (rule < 2) options.window_rule = {WindowRule::Kind::fixed, 1 + pick(9)};
    if (rule == 2) options.window_rule.kind = WindowRule::Kind::single;
    const std::size_t limit = pick(3);
    const auto most = static_cast<std::uint32_t>(1 + pick(3));
    if (limit == 1) options.limit = {SampleLimit::Alike::same_sequence, most};
    if (limit == 2) options.limit = {SampleLimit::Alike::same_text, 1};
    return options;
  }

  std::unique_ptr<Pipeline> pipeline(const std::string& run, std::size_t rank) {
    auto made = std::make_unique<Pipeline>(static_cast<std::int64_t>(features_), options_);
    made->header.run_id = run;
    made->header.rank = {rank, 8, "launch"};
    made->decoder = HalfMatrix(features_ * 3, 0x3C00);
    made->token_text = [](std::int32_t id) { return std::optional<std::string>(std::to_string(id)); };
    return made;
  }

  void add_text() {
    std::vector<std::int32_t> tokens(1 + pick(150));
    const std::size_t words = pick(2) == 0 ? 1000 : 2;
    for (std::int32_t& token : tokens) token = static_cast<std::int32_t>(pick(words));
    for (auto& rank : ranks_) rank->sequences.add(tokens);
    texts_.emplace_back(all_->sequences.add(tokens), tokens.size());
  }

  // A whole text (then what is around a sample is known) or places from all over, some of them more than once. Values
  // are few, so that many are equal, and eighths, so that sums are exact in whatever order.
  void batch(std::uint64_t step, Pipeline& rank) {
    std::vector<TokenPosition> positions;
    const bool whole = pick(2) == 0;
    const auto& [text, length] = texts_[pick(texts_.size())];
    for (std::uint32_t i = 0; whole && i < length; ++i) positions.push_back({text, i});
    while (!whole && (positions.empty() || pick(12) != 0)) {
      const auto& [other, tokens] = texts_[pick(texts_.size())];
      positions.push_back({other, static_cast<std::uint32_t>(pick(tokens))});
    }
    if (pick(5) == 0) {  // rows without tokens: of this process alone
      for (auto& at : positions) at = {1000 + static_cast<SequenceId>(rank.header.rank.rank), unresolved_++};
    }
    std::vector<Row> rows;
    for (std::size_t row = 0; row < positions.size(); ++row) rows.push_back(activations());
    rank.batch(step, rows, positions);
    all_->batch(step, rows, positions);
  }

  Row activations() {
    Row row(features_);
    for (float& value : row) {
      if (pick(3) == 0) value = static_cast<float>(static_cast<int>(pick(60)) - 15) / 8;
    }
    return row;
  }

  std::mt19937 random_;
  CollectorOptions options_;
  std::size_t features_;
  std::unique_ptr<Pipeline> all_;
  std::vector<std::unique_ptr<Pipeline>> ranks_;
  std::vector<std::pair<SequenceId, std::size_t>> texts_;
  std::uint32_t unresolved_ = 0;
};

}  // namespace saetap::testing
