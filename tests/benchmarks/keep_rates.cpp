// What keeping costs: the collector by itself, fed with what scans of batches of 4,096 rows would find, 64 active of
// each. Only its own time is taken, on the one thread that it has.
//
// keep_tokens: a run from its first token on; what is found gets less as bars rise. The whole of the work: statistics,
// histograms and candidates.
// keep_statistics: batches without candidates.
// keep_random, keep_repeated, keep_rising: candidates alone, after a million tokens. Random: what is still found in
// new text. Repeated: the places of the batches before, with values up to 1 % off, as in another epoch. Rising: every
// active value is stronger than all before, the worst case.
#include <benchmark/benchmark.h>

#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "plugin/collect/sample_collector.h"
#include "tests/benchmarks/synthetic_run.h"

namespace {

using namespace saetap;
using namespace saetap::benchmarks;
using Clock = std::chrono::steady_clock;

struct Setting {
  std::int64_t features, k, random;
  friend bool operator==(const Setting&, const Setting&) = default;
};

struct Recorded {
  std::vector<TokenPosition> positions;
  std::vector<RangeScan> found;
};

class Keeping {
 public:
  explicit Keeping(const Setting& setting)
      : run_({.features = setting.features}), collector_(options_of(setting), nullptr) {
    collector_.on_attach(run_.site());
  }

  // Goes on to so many tokens since the start. Returns the collector's seconds.
  double reach(std::uint64_t tokens) {
    double seconds = 0;
    for (; tokens_ < tokens; tokens_ += static_cast<std::uint64_t>(run_.shape().rows)) {
      seconds += timed(run_.next(collector_.bars(run_.site(), step_), step_));
    }
    return seconds;
  }

  double random_batch() { return timed(run_.next_candidates(collector_.bars(run_.site(), step_), step_)); }

  double repeated_batch() {
    if (recorded_.empty()) record();
    Recorded& again = recorded_[static_cast<std::size_t>(step_) % recorded_.size()];
    for (Candidate& one : again.found[0].candidates) {
      one.activation *= 1 + 0.01f * (static_cast<float>(random_() & 0xFF) / 128 - 1);
    }
    return timed(run_.of(again.found, again.positions, step_));
  }

  double rising_batch() {
    const std::vector<float> bars(static_cast<std::size_t>(run_.site().features), 0);
    const Batch batch = run_.next_candidates({bars, {}}, step_);
    for (Candidate& one : run_.found()[0].candidates) one.activation = highest_ += 1.0f / 1024;
    return timed(batch);
  }

  double statistics_batch() { return timed(run_.next({}, step_)); }

  [[nodiscard]] std::uint64_t candidates() const { return candidates_; }  // offered so far

 private:
  void record() {
    const std::uint64_t candidates = candidates_;
    for (int batch = 0; batch < 8; ++batch) {
      random_batch();
      recorded_.push_back({run_.positions(), run_.found()});
    }
    candidates_ = candidates;  // those were not repeated yet
  }

  static CollectorOptions options_of(const Setting& setting) {
    CollectorOptions options;
    options.max_samples_per_feature = static_cast<std::uint32_t>(setting.k);
    options.random_samples_per_feature = static_cast<std::uint32_t>(setting.random);
    options.window_rule = {WindowRule::Kind::single};
    return options;
  }

  double timed(const Batch& batch) {
    const auto begin = Clock::now();
    collector_.on_batch(batch);
    const std::chrono::duration<double> time = Clock::now() - begin;
    for (const RangeScan& range : batch.found) candidates_ += range.candidates.size();
    ++step_;
    return time.count();
  }

  SyntheticRun run_;
  SampleCollector collector_;
  std::mt19937 random_{3};
  std::uint64_t step_ = 0;
  std::uint64_t tokens_ = 0;
  std::uint64_t candidates_ = 0;
  float highest_ = 1000;  // above all that the run itself brings; steps of 1/1024 stay exact
  std::vector<Recorded> recorded_;
};

constexpr std::uint64_t kSettled = 1'000'000;

// Filling takes seconds: benchmarks of one setting follow one another and share what was filled.
Keeping& keeping_of(const benchmark::State& state, bool from_the_start = false) {
  static Setting setting;
  static std::unique_ptr<Keeping> keeping;
  const Setting wanted{state.range(0), state.range(1), state.range(2)};
  if (keeping == nullptr || setting != wanted || from_the_start) {
    keeping.reset();
    keeping = std::make_unique<Keeping>(wanted);
    setting = wanted;
  }
  return *keeping;
}

void keep_tokens(benchmark::State& state) {
  const auto tokens = static_cast<std::uint64_t>(state.range(3));
  constexpr std::uint64_t kFirst = 100'000;
  Keeping& keeping = keeping_of(state, tokens == kFirst);
  const std::uint64_t before = tokens == kFirst ? 0 : tokens / 10;
  keeping.reach(before);
  const std::uint64_t candidates = keeping.candidates();
  for (auto _ : state) {
    const double seconds = keeping.reach(tokens);
    state.SetIterationTime(seconds);
    state.counters["ns_per_token"] = seconds * 1e9 / static_cast<double>(tokens - before);
  }
  state.counters["candidates_per_token"] =
      static_cast<double>(keeping.candidates() - candidates) / static_cast<double>(tokens - before);
}

void keep(benchmark::State& state, double (Keeping::*batch)()) {
  Keeping& keeping = keeping_of(state);
  keeping.reach(kSettled);
  const std::uint64_t before = keeping.candidates();
  double all = 0;
  for (auto _ : state) {
    const double seconds = (keeping.*batch)();
    state.SetIterationTime(seconds);
    all += seconds;
  }
  const auto candidates = static_cast<double>(keeping.candidates() - before);
  state.counters["candidates"] = candidates / static_cast<double>(state.iterations());
  if (candidates != 0) state.counters["ns_per_candidate"] = all * 1e9 / candidates;
}

void register_tokens(const Setting& setting, std::int64_t tokens) {
  benchmark::RegisterBenchmark("keep_tokens", keep_tokens)
      ->Args({setting.features, setting.k, setting.random, tokens})
      ->ArgNames({"features", "k", "random", "tokens"})
      ->UseManualTime()
      ->Iterations(1)
      ->Unit(benchmark::kMillisecond);
}

void register_batches(const Setting& setting, const char* name, double (Keeping::*batch)()) {
  benchmark::RegisterBenchmark(name, keep, batch)
      ->Args({setting.features, setting.k, setting.random})
      ->ArgNames({"features", "k", "random"})
      ->UseManualTime()
      ->Iterations(8)
      ->Repetitions(5)
      ->ReportAggregatesOnly()
      ->Unit(benchmark::kMicrosecond);
}

void register_setting(const Setting& setting, bool to_ten_million) {
  register_tokens(setting, 100'000);
  register_tokens(setting, 1'000'000);
  register_batches(setting, "keep_statistics", &Keeping::statistics_batch);
  register_batches(setting, "keep_random", &Keeping::random_batch);
  register_batches(setting, "keep_repeated", &Keeping::repeated_batch);
  if (to_ten_million) register_tokens(setting, 10'000'000);
  register_batches(setting, "keep_rising", &Keeping::rising_batch);  // spoils what the others need
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  register_setting({16384, 100, 64}, true);
  for (const Setting& other : {Setting{4096, 100, 64}, Setting{65536, 100, 64}, Setting{16384, 10, 64},
                               Setting{16384, 1000, 64}, Setting{16384, 100, 0}}) {
    register_setting(other, false);
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
