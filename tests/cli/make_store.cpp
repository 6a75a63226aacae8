// make_store KIND FOLDER: writes FOLDER/samples.saetap, and FOLDER/tokenizer.json where the kind has tokens. Known in
// every figure, so that the test of the program can say what must be printed.
//
//   usual      one site, 8 features, 30 steps in windows of 10: the first window is read with --all-time only
//   two_sites  the same twice
//   no_tokens  rows without known tokens, no tokenizer, no decoder
//   own_text   as usual, with a text of its own for every token but 10: "1_" for the token 1
//   no_site    nothing was attached
//   many       300 steps with a text of its own each; see `many_text` and `many_activations`
//
// Step s has one sequence of 8 tokens, of the three below in turn. Feature f < 6 is active on the token f + 1 wherever
// it stands, at 10 - s / 4 + position / 100; features 6 and 7 are dead. Feature 5 stays below the threshold of 0.1.
#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "plugin/collect/sample_collector.h"
#include "plugin/store/store_writer.h"

namespace {

using saetap::Site;

constexpr std::int64_t kFeatures = 8;
constexpr std::int64_t kRows = 8;
constexpr std::uint64_t kSteps = 30;
constexpr std::uint32_t kManySteps = 300;

// "*", "|" and "<b>" are for the report's escapes, the line break and the escape character for the terminal.
const char* const kTokenizer = R"({"version": "1.0", "added_tokens": [{"id": 0, "content": "[PAD]", "special": true}],
  "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
  "model": {"type": "WordPiece", "vocab": {"[PAD]": 0, "nod": 1, "##ding": 2, "*": 3, "|": 4, "a\nb": 5, "\u001b[31m": 6,
    "the": 7, "land": 8, "of": 9, ".": 10, "<b>": 11, "east": 12}}})";

const std::array<std::vector<std::int32_t>, 3> kSequences{
    {{7, 8, 9, 1, 10, 7, 12, 10}, {1, 2, 3, 4, 5, 6, 11, 10}, {7, 1, 9, 2, 3, 7, 8, 10}}};

// As good as random, and easily said in Python.
std::uint32_t many_random(std::uint32_t step, std::uint32_t row) {
  std::uint32_t x = (step * static_cast<std::uint32_t>(kRows) + row + 1) * 2654435761u;
  x = (x ^ x >> 15) * 2246822519u;
  return (x ^ x >> 13) >> 8;
}

std::vector<std::int32_t> many_text(std::uint32_t step) {
  std::vector<std::int32_t> tokens;
  for (std::uint32_t row = 0; row < kRows; ++row)
    tokens.push_back(static_cast<std::int32_t>(1 + many_random(step, row) % 12));
  return tokens;
}

// Feature f < 5 is active on the token f + 1; 1 also on the token 1 where its row is even; 5 everywhere.
std::vector<float> many_activations(std::uint32_t step) {
  std::vector<float> values(kRows * kFeatures);
  for (std::uint32_t row = 0; row < kRows; ++row) {
    const std::uint32_t random = many_random(step, row);
    const float strength = 1 + static_cast<float>(random % 1000) / 100;
    float* own = &values[row * kFeatures];
    if (random % 12 < 5) own[random % 12] = strength;
    if (random % 12 == 0 && row % 2 == 0) own[1] = strength / 2;
    own[5] = strength;
  }
  return values;
}

// The texts of a store, one for each step in turn.
std::vector<std::vector<std::int32_t>> texts_of(const std::string& kind) {
  if (kind != "many") return {kSequences.begin(), kSequences.end()};
  std::vector<std::vector<std::int32_t>> texts;
  for (std::uint32_t step = 0; step < kManySteps; ++step) texts.push_back(many_text(step));
  return texts;
}

class Sequences : public saetap::TokenSource {
 public:
  explicit Sequences(const std::vector<std::vector<std::int32_t>>& texts) {
    for (const auto& tokens : texts) by_id_[saetap::sequence_id(tokens)] = tokens;
  }
  [[nodiscard]] std::span<const std::int32_t> tokens(saetap::SequenceId sequence) const override {
    const auto found = by_id_.find(sequence);
    return found == by_id_.end() ? std::span<const std::int32_t>() : found->second;
  }

 private:
  std::map<saetap::SequenceId, std::vector<std::int32_t>> by_id_;
};

std::vector<float> activations_of(const std::vector<std::int32_t>& tokens, std::uint64_t step) {
  std::vector<float> values(kRows * kFeatures);
  for (std::int64_t row = 0; row < kRows; ++row) {
    const std::int64_t feature = tokens[static_cast<std::size_t>(row)] - 1;
    if (feature > 5) continue;
    const float usual = 10 - static_cast<float>(step) / 4 + static_cast<float>(row) / 100;
    values[static_cast<std::size_t>(row * kFeatures + feature)] = feature == 5 ? 0.05f : usual;
  }
  return values;
}

void collect_step(saetap::SampleCollector& collector, const Site& site, std::uint64_t step, const std::string& kind,
                  const Sequences& source) {
  const bool with_tokens = kind != "no_tokens", many = kind == "many";
  const auto tokens = many ? many_text(static_cast<std::uint32_t>(step)) : kSequences[step % kSequences.size()];
  const std::vector<float> values =
      many ? many_activations(static_cast<std::uint32_t>(step)) : activations_of(tokens, step);
  std::vector<saetap::TokenPosition> positions;
  for (std::uint32_t row = 0; row < kRows; ++row) {
    if (with_tokens) {
      positions.push_back({saetap::sequence_id(tokens), row});
    } else {
      positions.push_back({1, static_cast<std::uint32_t>(step * kRows + row)});
    }
  }
  std::vector<saetap::FeatureSums> sums(kFeatures);
  std::vector<saetap::RangeScan> found(1);
  const saetap::DenseActivations activations{values.data(), kRows, kFeatures, kFeatures};
  const saetap::CandidateBars bars = collector.bars(site, step);
  std::vector<std::uint32_t> hashes;
  for (const auto& at : positions) hashes.push_back(static_cast<std::uint32_t>(saetap::place_hash(at) >> 32));
  saetap::scan_features(activations, {0, kFeatures},
                        {.bars = bars.activation.data(),
                         .hash_bars = bars.hash.empty() ? nullptr : bars.hash.data(),
                         .row_hashes = hashes.data()},
                        sums.data(), found.front());
  std::vector<saetap::CandidateContexts> contexts(1);
  const saetap::ContextRows rows(positions, source, collector.context_size());
  saetap::scan_contexts(activations, found.front().candidates, rows, contexts.front());
  std::span<const std::int32_t> row_tokens;
  if (with_tokens) row_tokens = tokens;
  collector.on_batch({.site = site,
                      .step = step,
                      .phase = saetap::Phase::train,
                      .rows = kRows,
                      .eligible = kRows,
                      .positions = positions,
                      .sums = sums,
                      .found = found,
                      .tokens = source,
                      .contexts = contexts,
                      .row_tokens = row_tokens});
}

// Width 2; features 0 and 1 point the same way, 2 across, the others are zero. 0x3C00 is 1 in half precision.
saetap::HalfMatrix decoder() {
  saetap::HalfMatrix directions(kFeatures * 2, 0);
  directions[0] = directions[2] = directions[5] = 0x3C00;
  return directions;
}

saetap::SiteCounts counts(bool with_tokens, std::uint64_t steps) {
  const std::uint64_t all = steps * kRows;
  return {.steps = steps,
          .steps_collected = steps,
          .rows_seen = all,
          .rows_collected = all,
          .rows_excluded = 0,
          .rows_resolved = with_tokens ? all : 0,
          .calls = steps,
          .rows_ambiguous = with_tokens ? 0u : 12u};
}

const saetap::TraceReport kTraced{saetap::TokenSourceKind::fingerprint, "MiniLM › forward", ""};

std::optional<std::string> own_text(std::int32_t id) {
  if (id == 10) return std::nullopt;
  return std::to_string(id) + "_";
}

// "rank1": of two.
saetap::RankOfRun rank_of(const std::string& kind) {
  if (!kind.starts_with("rank")) return {};
  return {std::stoull(kind.substr(4)), 2, "launch"};
}

Site site_of(int id) {
  Site site;
  site.id = id;
  site.name = "Sae.forward.8#" + std::to_string(id);
  site.module_type = "__torch__.Sae";
  site.method = "forward";
  site.description = "sae.pt › forward: features [N, 8] enter W_dec (certain)";
  site.features = kFeatures;
  site.d_in = site.d_out = 2;
  return site;
}

void make_store(const std::string& kind, const std::filesystem::path& folder) {
  const bool with_tokens = kind != "no_tokens";
  std::filesystem::create_directories(folder);
  if (with_tokens) std::ofstream(folder / "tokenizer.json") << kTokenizer;

  saetap::StoreWriter writer((folder / "samples.saetap").string(),
                             {.run_id = kind.starts_with("rank") ? kind : "test",
                              .libtorch_version = "2.13.0",
                              .program = "./trainer 'a b.json'",
                              .started = "2026-11-22T12:00:00Z",
                              .tokenizer = with_tokens ? (folder / "tokenizer.json").string() : "",
                              .sample_collection_freq = 1,
                              .rank = rank_of(kind)});
  saetap::CollectorOptions options;
  options.max_samples_per_feature = 5;
  options.window_rule = {saetap::WindowRule::Kind::fixed, kind == "many" ? 200u : 10u};
  saetap::SampleCollector collector(options, [&](const auto& self, const saetap::CheckpointEvent& event) {
    writer.save(self, event);
    return true;
  });

  std::vector<Site> sites;
  const int site_count = kind == "no_site" ? 0 : kind == "two_sites" ? 2 : 1;
  for (int id = 0; id < site_count; ++id) sites.push_back(site_of(id));
  const Sequences source(texts_of(kind));
  const std::uint64_t steps = kind == "many" ? kManySteps : kSteps;
  for (const Site& site : sites) {
    collector.on_attach(site);
    for (std::uint64_t step = 0; step < steps; ++step) {
      collect_step(collector, site, step, kind, source);
    }
  }
  collector.on_checkpoint(
      {.last = true,
       .counts = [&](const Site&) { return counts(with_tokens, steps); },
       .decoder_directions = [&](const Site&) { return with_tokens ? decoder() : saetap::HalfMatrix(); },
       .tracing = [&](const Site&) { return with_tokens ? kTraced : saetap::TraceReport(); },
       .token_text = kind == "own_text" ? saetap::TokenText(own_text) : saetap::TokenText()});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "make_store KIND FOLDER\n";
    return 2;
  }
  make_store(argv[1], argv[2]);
}
