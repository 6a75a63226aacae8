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
  Code(std::int64_t rows, std::int64_t of_features, std::int64_t active) {
    at::manual_seed(active);
    features = std::get<1>(at::rand({rows, of_features}).topk(active, 1));
    values = at::empty({rows, active}).exponential_();
    dense = at::zeros({rows, of_features}).scatter(1, features, values);
  }
  [[nodiscard]] DenseActivations written_out() const {
    return {dense.const_data_ptr(), dense.size(0), dense.size(1), dense.size(1)};
  }
  at::Tensor dense;     // [rows, F]
  at::Tensor values;    // [rows, active]
  at::Tensor features;  // int64 [rows, active]
};

const Code& code_of(std::int64_t active) {
  static std::map<std::int64_t, Code> codes;
  return codes.try_emplace(active, kRows, kFeatures, active).first->second;
}

// The bars after ten million tokens: of the values of a feature that is active on `active` of them in `features`, the
// 100 largest and the 64 with the smallest hashes are kept.
struct Settled {
  Settled(std::int64_t rows, std::int64_t features, std::int64_t active) {
    const double seen = 1e7 * static_cast<double>(active) / static_cast<double>(features);
    bars.assign(static_cast<std::size_t>(features), static_cast<float>(std::log(seen / kTop)));
    hash_bars.assign(static_cast<std::size_t>(features), static_cast<std::uint32_t>(64 / seen * 0x1p32));
    for (std::uint32_t row = 0; row < rows; ++row) {
      hashes.push_back(static_cast<std::uint32_t>(place_hash({1, row}) >> 32));
    }
  }
  [[nodiscard]] ScanRequest request() const { return {nullptr, bars.data(), hash_bars.data(), hashes.data()}; }

  std::vector<float> bars;
  std::vector<std::uint32_t> hash_bars;
  std::vector<std::uint32_t> hashes;
};

void scan(benchmark::State& state, const Activations& activations, std::int64_t rows, std::int64_t features,
          std::int64_t active) {
  const Settled settled(rows, features, active);
  CollectedBatch batch;
  for (auto _ : state) scan_on_all_cores(activations, features, settled.request(), batch);
  std::int64_t candidates = 0;
  for (const auto& range : batch.found) candidates += static_cast<std::int64_t>(range.candidates.size());
  state.counters["candidates"] = static_cast<double>(candidates);
}

void dense_scan(benchmark::State& state) {
  scan(state, code_of(state.range(0)).written_out(), kRows, kFeatures, state.range(0));
}

void pair_scan(benchmark::State& state) {
  const auto& code = code_of(state.range(0));
  scan(state, PairActivations{code.values.const_data_ptr(), code.features.const_data_ptr(), kRows, state.range(0)},
       kRows, kFeatures, state.range(0));
}

// As many numbers whatever the width: 2^26.
void dense_scan_by_size(benchmark::State& state) {
  const auto rows = (std::int64_t{1} << 26) / state.range(0);
  const Code code(rows, state.range(0), state.range(1));
  scan(state, code.written_out(), rows, state.range(0), state.range(1));
}

void dense_scan_by_format(benchmark::State& state) {
  const at::ScalarType types[]{at::kFloat, at::kBFloat16, at::kHalf, at::kDouble};
  const ScalarKind kinds[]{ScalarKind::float32, ScalarKind::bfloat16, ScalarKind::float16, ScalarKind::float64};
  const auto dense = code_of(64).dense.to(types[state.range(0)]);
  state.SetLabel(at::toString(types[state.range(0)]));
  scan(state, DenseActivations{dense.const_data_ptr(), kRows, kFeatures, kFeatures, 1, kinds[state.range(0)]}, kRows,
       kFeatures, 64);
}

void transposed_scan(benchmark::State& state) {
  const auto dense = code_of(64).dense.t().contiguous();
  scan(state, DenseActivations{dense.const_data_ptr(), kRows, kFeatures, 1, kRows}, kRows, kFeatures, 64);
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
BENCHMARK(dense_scan)->Arg(64)->Arg(512)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(pair_scan)->Arg(64)->Arg(512)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(dense_scan_by_size)
    ->ArgsProduct({{4096, 16384, 65536, 131072}, {8, 64, 512}})
    ->Args({16384, 8192})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(dense_scan_by_format)->DenseRange(0, 3)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(transposed_scan)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(torch_nonzero)->Arg(64)->Arg(512)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(running_topk)->Arg(64)->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(2);

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  benchmark::AddCustomContext("threads", std::to_string(at::get_num_threads()));
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
