// The activations around the kept samples against those looked up one by one in everything that was seen.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include "plugin/store/store_format.h"
#include "tests/core/pipeline.h"

using namespace saetap;
using saetap::testing::KnownSequences;
using saetap::testing::Pipeline;
using saetap::testing::Row;

namespace {

using Around = std::optional<std::vector<ContextActivation>>;

struct SeenBatch {
  std::vector<Row> rows;
  std::vector<TokenPosition> positions;
  bool in_order = false;
};

// Batches of sequences, one a step, and what a person would write down as the context of each row.
class RandomRun {
 public:
  explicit RandomRun(unsigned seed) : random_(seed), pipeline_(3, options()) {
    for (std::size_t i = 2 + pick(5); i > 0; --i) {
      std::vector<std::int32_t> text(1 + pick(pick(3) == 0 ? 60 : 9));
      for (auto& token : text) token = static_cast<std::int32_t>(pick(1000));
      texts_[pipeline_.sequences.add(text)] = text.size();
    }
    // As in a whole run that is read to its end: nobody knows this one's tokens any more.
    if (pick(4) == 0) pipeline_.sequences.forget(forgotten_ = texts_.begin()->first);
  }

  void train(std::size_t batches) {
    for (std::uint64_t step = 0; step < batches; ++step) {
      auto batch = text_batch();
      if (pick(3) == 0) shuffle(batch);
      for (auto& row : batch.rows) {
        for (int feature = 0; feature < 3; ++feature) row.push_back(activation());
      }
      pipeline_.batch(step, batch.rows, batch.positions);
      batches_.push_back(std::move(batch));
      if (pick(9) == 0) pipeline_.checkpoint();
    }
  }

  // Each sample's context is that of a row of its step which was its place and had its activation.
  void check() {
    const StoreReader store = pipeline_.saved();
    for (const Scope scope : {Scope::recent, Scope::all_time}) {
      for (std::uint32_t feature = 0; feature < 3; ++feature) {
        const auto samples = store.samples(0, feature, scope);
        const auto around = store.context_activations(0, feature, scope, samples);
        REQUIRE(around.size() == samples.size());
        for (std::size_t i = 0; i < samples.size(); ++i) check(feature, samples[i], around[i]);
      }
    }
    check_history(store);
  }

  // Nothing is held for samples that are gone; only right after a checkpoint, which releases history.
  void check_released() {
    pipeline_.checkpoint();
    std::size_t lists = 0;
    for (const auto& part : pipeline_.collector.sites().at(0).parts) {
      for (std::uint32_t feature = 0; part != nullptr && feature < 3; ++feature) {
        for (const auto& sample : part->samples.strongest(feature)) {
          lists += pipeline_.collector.contexts().at(sample.context).empty() ? 0 : 1;
        }
        for (const auto& sample : part->random_samples.samples(feature)) {
          lists += pipeline_.collector.contexts().at(sample.context).empty() ? 0 : 1;
        }
      }
    }
    CHECK(pipeline_.collector.contexts().lists() == lists);
  }

  std::size_t known_ = 0;  // samples of which the context was known
  std::size_t samples_ = 0;

 private:
  std::size_t pick(std::size_t below) { return random_() % below; }

  CollectorOptions options() {
    CollectorOptions options;
    options.max_samples_per_feature = static_cast<std::uint32_t>(1 + pick(12));
    options.sample_context_size = static_cast<std::uint32_t>(pick(12));
    options.sample_activation_threshold = 0.25f;
    options.window_rule = {WindowRule::Kind::fixed, 1 + pick(20)};
    return options;
  }

  float activation() {
    if (pick(30) == 0) return std::nanf("");
    if (pick(30) == 0) return -1;
    return pick(3) == 0 ? static_cast<float>(1 + pick(32)) / 8 : 0;
  }

  // Whole sequences, or pieces of them, in the order of the text.
  SeenBatch text_batch() {
    SeenBatch batch;
    batch.in_order = true;
    for (std::size_t i = 1 + pick(4); i > 0; --i) {
      auto text = texts_.begin();
      std::advance(text, static_cast<std::ptrdiff_t>(pick(texts_.size())));
      const auto first = pick(3) == 0 ? pick(text->second) : 0;
      const auto last = pick(3) == 0 ? first + pick(text->second - first) : text->second - 1;
      for (auto position = first; position <= last; ++position) {
        batch.positions.push_back({text->first, static_cast<std::uint32_t>(position)});
      }
      if (pick(8) == 0) batch.positions.push_back({4711, static_cast<std::uint32_t>(pick(1000))});  // no token
    }
    batch.rows.resize(batch.positions.size());
    return batch;
  }

  void shuffle(SeenBatch& batch) {
    std::shuffle(batch.positions.begin(), batch.positions.end(), random_);
    batch.in_order = false;
  }

  void check(std::uint32_t feature, const Sample& sample, const Around& around) {
    ++samples_;
    const auto& batch = batches_.at(sample.step);
    std::vector<Around> allowed;
    for (std::size_t row = 0; row < batch.rows.size(); ++row) {
      const bool same = batch.positions[row] == TokenPosition{sample.sequence, sample.position} &&
                        batch.rows[row][feature] == sample.activation;
      if (!same) continue;
      allowed.push_back(expected(batch, row, feature, true));
      // Shuffled rows of a short batch may come in the order of the text all the same.
      if (!batch.in_order) allowed.push_back(expected(batch, row, feature, false));
    }
    REQUIRE_FALSE(allowed.empty());
    if (around) {
      ++known_;
      CHECK(std::count(allowed.begin(), allowed.end(), around) > 0);
    } else if (mostly_in_order(batch) && sample.sequence != forgotten_) {
      CHECK(std::count(allowed.begin(), allowed.end(), std::nullopt) > 0);
    }
  }

  // Where most pieces are one or two tokens long, nobody can see that the rows are in order.
  static bool mostly_in_order(const SeenBatch& batch) {
    std::size_t following = 0;
    for (std::size_t row = 1; row < batch.positions.size(); ++row) {
      const auto& [sequence, position] = batch.positions[row - 1];
      following += batch.positions[row] == TokenPosition{sequence, position + 1} ? 1 : 0;
    }
    return batch.in_order && 2 * following >= batch.positions.size();
  }

  // In the order of the text the context is beside the row; else it is wherever its places are, each once.
  Around expected(const SeenBatch& batch, std::size_t row, std::uint32_t feature, bool in_order) const {
    const auto [sequence, position] = batch.positions[row];
    if (!texts_.contains(sequence) || sequence == forgotten_) return std::nullopt;
    const auto size = static_cast<std::int64_t>(pipeline_.collector.options().sample_context_size);
    const auto length = static_cast<std::int64_t>(texts_.at(sequence));
    std::vector<ContextActivation> around;
    for (std::int64_t at = position - size; at <= position + size; ++at) {
      if (at < 0 || at >= length) continue;
      const TokenPosition place{sequence, static_cast<std::uint32_t>(at)};
      const auto offset = at - position;
      std::int64_t found = static_cast<std::int64_t>(row) + offset;
      if (!in_order) {
        if (std::count(batch.positions.begin(), batch.positions.end(), place) != 1) return std::nullopt;
        found = std::find(batch.positions.begin(), batch.positions.end(), place) - batch.positions.begin();
      }
      const bool there = found >= 0 && found < static_cast<std::int64_t>(batch.rows.size()) &&
                         batch.positions[static_cast<std::size_t>(found)] == place;
      if (!there) return std::nullopt;
      const auto value = batch.rows[static_cast<std::size_t>(found)][feature];
      if (offset != 0 && value != 0 && std::isfinite(value)) {
        around.push_back({static_cast<std::int32_t>(offset), value});
      }
    }
    return around;
  }

  void check_history(const StoreReader& store) {
    const Database database(store.path(), Database::Mode::read_only);
    Statement select = database.prepare(
        "SELECT feature, activation, sequence, position, step, context_count, context_offset, context_activation "
        "FROM history");
    while (select.step()) {
      const auto samples = read_samples(select, 1, store.path());
      const auto around = read_context_activations(select, 5, store.path());
      REQUIRE(samples.size() == around.size());
      for (std::size_t i = 0; i < samples.size(); ++i) {
        check(static_cast<std::uint32_t>(select.integer(0)), samples[i], around[i]);
      }
    }
  }

  std::mt19937 random_;
  Pipeline pipeline_;
  std::map<SequenceId, std::size_t> texts_;  // lengths
  SequenceId forgotten_ = 0;
  std::vector<SeenBatch> batches_;
};

}  // namespace

TEST_CASE("what is kept of the activations around a sample is what the batch held there") {
  std::size_t known = 0, samples = 0;
  for (unsigned seed = 0; seed < 150; ++seed) {
    CAPTURE(seed);
    RandomRun run(seed);
    run.train(1 + seed % 60);
    run.check();
    run.check_released();
    known += run.known_;
    samples += run.samples_;
  }
  // Neither of the two is rare.
  CHECK(known > samples / 4);
  CHECK(known < samples * 3 / 4);
}

TEST_CASE("a batch that is one model call shuffled has all its contexts") {
  std::mt19937 random(5);
  KnownSequences texts;
  std::vector<TokenPosition> positions;
  for (std::int32_t text = 0; text < 20; ++text) {
    std::vector<std::int32_t> tokens(40);
    std::iota(tokens.begin(), tokens.end(), text * 100);
    const auto id = texts.add(tokens);
    for (std::uint32_t i = 0; i < 40; ++i) positions.push_back({id, i});
  }
  std::shuffle(positions.begin(), positions.end(), random);
  const ContextRows rows(positions, texts, 10);
  for (std::uint32_t row = 0; row < positions.size(); ++row) {
    const auto around = rows.around(row);
    REQUIRE(around);
    CHECK(around->rows[around->own] == row);
    const auto first = positions[row].position - std::min(positions[row].position, 10u);
    CHECK(around->rows.size() == std::min(positions[row].position + 10, 39u) - first + 1);
    for (std::uint32_t i = 0; i < around->rows.size(); ++i) {
      CHECK(positions[around->rows[i]] == TokenPosition{positions[row].sequence, first + i});
    }
  }
}

TEST_CASE("a batch with a few rows of each of many sequences has no context") {
  std::mt19937 random(6);
  KnownSequences texts;
  std::vector<TokenPosition> positions;
  for (std::int32_t text = 0; text < 1000; ++text) {
    std::vector<std::int32_t> tokens(128, text);
    const auto id = texts.add(tokens);
    for (int i = 0; i < 4; ++i) positions.push_back({id, static_cast<std::uint32_t>(random() % 128)});
  }
  std::shuffle(positions.begin(), positions.end(), random);
  CHECK(ContextRows(positions, texts, 20).empty());
  CHECK(ContextRows({}, texts, 20).empty());
}

TEST_CASE("pairs have the same context as the dense code they stand for") {
  std::mt19937 random(7);
  constexpr std::int64_t kRows = 50, kFeatures = 30, kPairs = 6;
  KnownSequences texts;
  std::vector<std::int32_t> tokens(kRows);
  std::iota(tokens.begin(), tokens.end(), 0);
  const auto id = texts.add(tokens);
  std::vector<TokenPosition> positions;
  std::vector<float> dense(kRows * kFeatures), values;
  std::vector<std::int64_t> features;
  std::vector<Candidate> candidates;
  for (std::uint32_t row = 0; row < kRows; ++row) {
    positions.push_back({id, row});
    std::vector<std::int64_t> all(kFeatures);
    std::iota(all.begin(), all.end(), 0);
    std::shuffle(all.begin(), all.end(), random);
    for (std::int64_t pair = 0; pair < kPairs; ++pair) {
      const auto feature = all[static_cast<std::size_t>(pair)];
      const auto value = static_cast<float>(random() % 9);  // 0 among them
      features.push_back(feature);
      values.push_back(value);
      dense[static_cast<std::size_t>(row * kFeatures + feature)] = value;
      if (value > 0) candidates.push_back({row, static_cast<std::uint32_t>(feature), value});
    }
  }
  const ContextRows rows(positions, texts, 7);
  CandidateContexts of_dense, of_pairs;
  scan_contexts(DenseActivations{dense.data(), kRows, kFeatures, kFeatures}, candidates, rows, of_dense);
  scan_contexts(PairActivations{values.data(), features.data(), kRows, kPairs}, candidates, rows, of_pairs);
  CandidateContexts of_few;
  const std::span<const Candidate> few(candidates.data() + 70, 2);
  scan_contexts(PairActivations{values.data(), features.data(), kRows, kPairs}, few, rows, of_few);
  for (std::size_t i = 0; i < few.size(); ++i) {
    const auto a = of_few.of(i), b = of_pairs.of(70 + i);
    CHECK(std::equal(a.begin(), a.end(), b.begin(), b.end()));
  }
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const bool same_known = of_dense.known(i) == of_pairs.known(i);
    REQUIRE(same_known);
    if (!of_dense.known(i)) continue;
    const auto a = of_dense.of(i), b = of_pairs.of(i);
    CHECK(std::equal(a.begin(), a.end(), b.begin(), b.end()));
  }
  CHECK(of_dense.activations.size() > candidates.size());
}

TEST_CASE("the pool gives places back") {
  ContextPool pool;
  std::mt19937 random(8);
  std::vector<std::pair<std::uint32_t, std::vector<ContextActivation>>> kept;
  std::size_t bytes = 0;
  for (int round = 0; round < 20000; ++round) {
    std::vector<ContextActivation> list(random() % 40);
    for (auto& one : list) one = {static_cast<std::int32_t>(1 + random() % 1000), 0.5f};
    kept.emplace_back(pool.add(list), list);
    if (random() % 8 == 0) kept.emplace_back(pool.copy(kept.front().first), kept.front().second);
    while (kept.size() > 100) {
      const auto at = random() % kept.size();
      const auto stored = pool.at(kept[at].first);
      CHECK(std::equal(stored.begin(), stored.end(), kept[at].second.begin(), kept[at].second.end()));
      pool.release(kept[at].first);
      kept.erase(kept.begin() + static_cast<std::ptrdiff_t>(at));
    }
    if (round == 2000) bytes = pool.bytes();
  }
  CHECK(pool.bytes() < 2 * bytes);
  CHECK(pool.at(kContextNotKnown).empty());
  CHECK(pool.copy(kContextNotKnown) == kContextNotKnown);
}
