// A store with something in every table that the collector fills: three parts, history, text, a decoder, likeness.
#pragma once

#include <string>
#include <vector>

#include "tests/core/pipeline.h"

namespace saetap::testing {

inline CollectorOptions rich_options() {
  CollectorOptions options;
  options.max_samples_per_feature = 10;
  options.random_samples_per_feature = 8;
  options.window_rule = {WindowRule::Kind::fixed, 4};
  options.limit = {SampleLimit::Alike::same_sequence, 3};
  return options;
}

class RichRun : public Pipeline {
 public:
  explicit RichRun(std::int64_t features = 12) : Pipeline(features, rich_options()) {
    decoder.assign(static_cast<std::size_t>(features) * 3, 0x3C00);
    token_text = [](std::int32_t id) { return std::optional<std::string>("t" + std::to_string(id)); };
  }

  // Steps `first` to `end` - 1, a sequence of 90 tokens each, and a checkpoint after every third.
  void train(std::uint64_t first, std::uint64_t end) {
    for (std::uint64_t step = first; step < end; ++step) {
      std::vector<std::int32_t> tokens;
      std::vector<Row> rows;
      for (std::uint64_t i = 0; i < 90; ++i) {
        tokens.push_back(static_cast<std::int32_t>((step * 31 + i * 7) % 50));
        Row& row = rows.emplace_back(static_cast<std::size_t>(site.features));
        const std::uint64_t feature = (step + i) % row.size();
        row[feature] = 0.5f + static_cast<float>((step * 13 + i * 5) % 97) / 10;
      }
      sequence(step, tokens, rows);
      if (step % 3 == 2) checkpoint();
    }
  }
};

}  // namespace saetap::testing
