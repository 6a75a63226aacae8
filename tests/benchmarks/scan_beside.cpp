// What looking at every activation costs, beside what people would write with LibTorch instead; one batch of
// 4,096 x 16,384 float32.
#include <benchmark/benchmark.h>

#include <map>

#include "plugin/collect/sample_collector.h"
#include "plugin/session/attached_site.h"
#include "plugin/trace/token_position.h"

namespace {

using namespace saetap;

constexpr std::int64_t kRows = 4096;
constexpr std::int64_t kFeatures = 16384;
constexpr std::int64_t kTop = 100;

// Exponential values at random places, `active` in each row.
struct Code {
  at::Tensor dense;     // [rows, F]
  at::Tensor values;    // [rows, active]
  at::Tensor features;  // int64 [rows, active]
};

const Code& code_of(std::int64_t active) {
  static std::map<std::int64_t, Code> codes;
  auto& code = codes[active];
  if (!code.dense.defined()) {
    at::manual_seed(active);
    code.features = std::get<1>(at::rand({kRows, kFeatures}).topk(active, 1));
    code.values = at::empty({kRows, active}).exponential_();
    code.dense = at::zeros({kRows, kFeatures}).scatter(1, code.features, code.values);
  }
  return code;
}

// A collector that has seen a few batches, and the bars it has then: what a run asks for most of the time.
class Settled {
 public:
  explicit Settled(std::int64_t active) : collector_({}, {}) {
    site_.features = kFeatures;
    collector_.on_attach(site_);
    for (int step = 0; step < 40; ++step) {
      CollectedBatch batch;
      batch.site = &site_;
      batch.step = static_cast<std::uint64_t>(step);
      batch.rows = batch.eligible = kRows;
      for (std::uint32_t row = 0; row < kRows; ++row) {
        batch.positions.push_back({1, static_cast<std::uint32_t>(step) * static_cast<std::uint32_t>(kRows) + row});
      }
      hash(batch.positions);
      batch.sums.resize(static_cast<std::size_t>(kFeatures));
      batch.found.resize(1);
      const auto& code = code_of(active);
      scan_features(DenseActivations{code.dense.const_data_ptr(), kRows, kFeatures, kFeatures}, {0, kFeatures},
                    request(), batch.sums.data(), batch.found[0]);
      collector_.on_batch(batch.view());
    }
    // The next rows are others.
    std::vector<TokenPosition> next;
    for (std::uint32_t row = 0; row < kRows; ++row) next.push_back({2, row});
    hash(next);
  }

  [[nodiscard]] ScanRequest request() {
    const auto bars = collector_.bars(site_, 39);
    return {nullptr, bars.activation.data(), bars.hash.empty() ? nullptr : bars.hash.data(), hashes_.data()};
  }

 private:
  void hash(const std::vector<TokenPosition>& positions) {
    hashes_.clear();
    for (const auto& at : positions) hashes_.push_back(static_cast<std::uint32_t>(place_hash(at) >> 32));
  }

  Site site_;
  SampleCollector collector_;
  std::vector<std::uint32_t> hashes_;
};

void scan(benchmark::State& state, const Activations& activations) {
  static std::map<std::int64_t, Settled> settled;
  auto& bars = settled.try_emplace(state.range(0), state.range(0)).first->second;
  CollectedBatch batch;
  for (auto _ : state) scan_on_all_cores(activations, kFeatures, bars.request(), batch);
  std::int64_t candidates = 0;
  for (const auto& range : batch.found) candidates += static_cast<std::int64_t>(range.candidates.size());
  state.counters["candidates"] = static_cast<double>(candidates);
}

void dense_scan(benchmark::State& state) {
  scan(state, DenseActivations{code_of(state.range(0)).dense.const_data_ptr(), kRows, kFeatures, kFeatures});
}

void pair_scan(benchmark::State& state) {
  const auto& code = code_of(state.range(0));
  scan(state, PairActivations{code.values.const_data_ptr(), code.features.const_data_ptr(), kRows, state.range(0)});
}

void torch_sum(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(code_of(state.range(0)).dense.sum());
}

void torch_nonzero(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(code_of(state.range(0)).dense.nonzero());
}

// The k strongest of each feature of the batch, merged into those kept so far.
void running_topk(benchmark::State& state) {
  auto kept = at::zeros({kTop, kFeatures});
  auto kept_rows = at::zeros({kTop, kFeatures}, at::kLong);
  for (auto _ : state) {
    const auto [values, rows] = code_of(state.range(0)).dense.topk(kTop, 0);
    const auto [best, places] = at::cat({kept, values}).topk(kTop, 0);
    kept_rows = at::cat({kept_rows, rows}).gather(0, places);
    kept = best;
  }
}

}  // namespace

BENCHMARK(torch_sum)->Arg(64)->Arg(512)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(dense_scan)->Arg(64)->Arg(512)->Arg(8192)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(pair_scan)->Arg(64)->Arg(512)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(torch_nonzero)->Arg(64)->Arg(512)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(running_topk)->Arg(64)->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(2);

int main(int argc, char** argv) {
  // What is measured once in turn is measured under the same load.
  std::vector<char*> arguments(argv, argv + argc);
  benchmark::Initialize(&argc, arguments.data());
  benchmark::AddCustomContext("threads", std::to_string(at::get_num_threads()));
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
