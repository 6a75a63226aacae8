// What looking at every activation costs, beside what people would write with LibTorch instead; one batch of
// 4,096 x 16,384 float32.
#include <benchmark/benchmark.h>

#include <cmath>
#include <map>

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
// The bars after ten million tokens: of the values of a feature that is active on `active` of them in 16,384, the 100
// largest and the 64 with the smallest hashes are kept.
struct Settled {
  explicit Settled(std::int64_t active) {
    const double seen = 1e7 * static_cast<double>(active) / kFeatures;
    bars.assign(kFeatures, static_cast<float>(std::log(seen / kTop)));
    hash_bars.assign(kFeatures, static_cast<std::uint32_t>(64 / seen * 0x1p32));
    for (std::uint32_t row = 0; row < kRows; ++row) {
      hashes.push_back(static_cast<std::uint32_t>(place_hash({1, row}) >> 32));
    }
  }
  [[nodiscard]] ScanRequest request() const { return {nullptr, bars.data(), hash_bars.data(), hashes.data()}; }

  std::vector<float> bars;
  std::vector<std::uint32_t> hash_bars;
  std::vector<std::uint32_t> hashes;
};

void scan(benchmark::State& state, const Activations& activations) {
  const Settled settled(state.range(0));
  CollectedBatch batch;
  for (auto _ : state) scan_on_all_cores(activations, kFeatures, settled.request(), batch);
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
  benchmark::Initialize(&argc, argv);
  benchmark::AddCustomContext("threads", std::to_string(at::get_num_threads()));
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
