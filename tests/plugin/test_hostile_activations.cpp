// Activations that are no ordinary numbers: the program computes what it computes without us, and what is kept is what
// a plain count of them gives.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>

#include "plugin/store/store_reader.h"
#include "tests/plugin/hostile_calls.h"
#include "tests/reliability/fault_record.h"

using namespace saetap;
using namespace saetap::testing;

namespace {

constexpr int64_t kRows = 60;
constexpr std::size_t kKept = 7;

// NaN of several kinds, infinities, zeros of both signs, denormals, and what is nearly too large, among zeros and plain
// numbers.
at::Tensor hostile_values(int64_t rows, int64_t columns, unsigned seed) {
  using Limits = std::numeric_limits<float>;
  const std::vector<float> hostile{Limits::quiet_NaN(),  -Limits::quiet_NaN(),  Limits::signaling_NaN(),
                                   Limits::infinity(),   -Limits::infinity(),   -0.0f,
                                   Limits::denorm_min(), -Limits::denorm_min(), Limits::min() / 2,
                                   Limits::max(),        -Limits::max(),        Limits::min()};
  std::mt19937 random(seed);
  auto values = at::zeros({rows, columns});
  auto* at = values.mutable_data_ptr<float>();
  for (int64_t i = 0; i < values.numel(); ++i) {
    const auto kind = random() % 8;
    if (kind == 0) at[i] = hostile[random() % hostile.size()];
    if (kind == 1) at[i] = static_cast<float>(random() % 1000) / 100 - 3;
  }
  return values;
}

// What is known of a feature without our code: from all values that it ever had, as floats.
struct Counted {
  std::uint64_t active = 0, nonfinite = 0, negative = 0;
  double sum = 0, squares = 0, sizes = 0;
  std::vector<float> strongest;  // by magnitude
};

Counted count(const at::Tensor& column) {
  Counted counted;
  const auto values = column.contiguous();
  for (int64_t i = 0; i < values.numel(); ++i) {
    const float value = values.const_data_ptr<float>()[i];
    if (value == 0) continue;
    if (!std::isfinite(value)) {
      ++counted.nonfinite;
      continue;
    }
    ++counted.active;
    counted.negative += value < 0 ? 1 : 0;
    counted.sum += value;
    counted.sizes += std::abs(value);
    counted.squares += double{value} * value;
    counted.strongest.push_back(value);
  }
  std::sort(counted.strongest.begin(), counted.strongest.end(),
            [](float a, float b) { return std::abs(a) != std::abs(b) ? std::abs(a) > std::abs(b) : a > b; });
  return counted;
}

bool by_size(const Sample& a, const Sample& b) {
  const auto size_a = std::abs(a.activation), size_b = std::abs(b.activation);
  return size_a != size_b ? size_a > size_b : a.activation > b.activation;
}

// `seen`: [rows, F], float32, all that passed the site.
void check_store(const StoreReader& store, int site, const at::Tensor& seen) {
  const auto statistics = store.statistics(site, Scope::all_time);
  for (int64_t f = 0; f < seen.size(1); ++f) {
    CAPTURE(f);
    const auto expected = count(seen.select(1, f));
    const auto& kept = statistics[static_cast<std::size_t>(f)];
    CHECK(kept.active == expected.active);
    CHECK(kept.nonfinite == expected.nonfinite);
    CHECK(kept.negative == expected.negative);
    // The largest numbers cancel, and leave what the order of the sum makes of the others.
    CHECK(std::abs(kept.sum - expected.sum) <= 1e-12 * expected.sizes);
    CHECK(kept.sum_of_squares == doctest::Approx(expected.squares));
    CHECK(store.histogram(site, static_cast<std::uint32_t>(f), Scope::all_time).total() == expected.active);
    auto samples = store.samples(site, static_cast<std::uint32_t>(f), Scope::all_time);
    REQUIRE(samples.size() == std::min(kKept, expected.strongest.size()));
    std::sort(samples.begin(), samples.end(), by_size);
    for (std::size_t i = 0; i < samples.size(); ++i) {
      CHECK(std::abs(samples[i].activation) == std::abs(expected.strongest[i]));
    }
    for (const auto& sample : store.random_samples(site, static_cast<std::uint32_t>(f), Scope::all_time)) {
      CHECK(std::isfinite(sample.activation));
      CHECK(sample.activation != 0);
    }
  }
}

Config exact_config(const Folder& folder) {
  auto config = planted_config(folder);
  config.sample_activation_threshold = 0;
  config.max_samples_per_feature = static_cast<std::int64_t>(kKept);
  return config;
}

// One form of features. `plant`: what the module is given for a matrix of values; `read`: the matrix that this means.
struct Form {
  std::string name;
  const char* source;
  std::function<std::vector<c10::IValue>(const at::Tensor&)> plant;
  std::function<at::Tensor(const at::Tensor&)> read;
  bool nan_at_zero = false;
};

void check_form(const Form& form) {
  CAPTURE(form.name);
  const Folder folder;
  std::vector<std::vector<c10::IValue>> calls;
  std::vector<at::Tensor> seen;
  const auto type = form.name.ends_with("float64")    ? at::kDouble
                    : form.name.ends_with("bfloat16") ? at::kBFloat16
                    : form.name.ends_with("float16")  ? at::kHalf
                                                      : at::kFloat;
  for (unsigned seed = 0; seed < 5; ++seed) {
    auto values = hostile_values(kRows, kFeatures, seed);
    if (seed == 3) values.fill_(std::numeric_limits<float>::quiet_NaN());  // a whole batch
    values = values.to(type);
    if (type == at::kDouble && seed == 1) values[3].fill_(1e300);  // finite, and no float
    auto inputs = form.plant(values);
    // What the encoder is given is no better.
    auto x = hostile_values(kRows, kWidth, 100 + seed).to(type);
    if (seed == 4) x.fill_(std::numeric_limits<float>::quiet_NaN());
    inputs.insert(inputs.begin(), x);
    calls.push_back(std::move(inputs));
    seen.push_back(form.read(values));
  }
  const auto run_all = [&] {
    auto module = planted_module("PlantedSAE", form.source);
    module.to(type);
    std::vector<Outcome> outcomes;
    for (int round = 0; round < 2; ++round) {  // compiled for gradients in the second
      for (const auto& inputs : calls) outcomes.push_back(outcome_of(module, inputs));
    }
    return outcomes;
  };
  const auto plain = run_all();
  REQUIRE(plain.front().exception.empty());
  auto* session = new Session(exact_config(folder), "test");  // never destroyed, as in a process
  session->start();
  const CapturedErrors errors;
  const auto recorded = run_all();
  const auto counts = session->sites();
  session->finish();
  CHECK(errors.text().empty());
  CHECK((recorded == plain));
  REQUIRE(counts.size() == 1);
  CHECK(counts[0].second.rows_seen == 10 * kRows);
  CHECK(counts[0].second.rows_collected == 10 * kRows);
  const auto once = at::cat(seen);
  check_store(StoreReader(folder.path()), 0, at::cat({once, once}));
}

std::vector<c10::IValue> as_it_is(const at::Tensor& values) {
  return {values};
}

at::Tensor as_floats(const at::Tensor& values) {
  return values.to(at::kFloat);
}

// Four of each row's columns.
std::vector<c10::IValue> as_pairs(const at::Tensor& values) {
  std::mt19937 random(5);
  auto places = at::zeros({values.size(0), 4}, at::kLong);
  for (int64_t row = 0; row < places.size(0); ++row) {
    for (int64_t i = 0; i < 4; ++i)
      places[row][i] = static_cast<int64_t>(random() % 12 + 12 * static_cast<unsigned>(i));
  }
  return {values.gather(1, places), places};
}

at::Tensor of_pairs(const at::Tensor& values) {
  const auto pairs = as_pairs(values);
  return at::zeros_like(values).scatter(1, pairs[1].toTensor(), pairs[0].toTensor()).to(at::kFloat);
}

}  // namespace

TEST_CASE(
    "NaN, infinities, zeros of both signs and denormals in every form: nothing changes, and the counts are right") {
  const std::vector<Form> forms{
      {"dense float32", kPlantedSource, as_it_is, as_floats},
      {"dense float64", kPlantedSource, as_it_is, as_floats},
      {"dense bfloat16", kPlantedSource, as_it_is, as_floats},
      {"dense float16", kPlantedSource, as_it_is, as_floats},
      {"sparse COO float32", kPlantedSource,
       [](const at::Tensor& values) { return std::vector<c10::IValue>{values.to_sparse()}; }, as_floats},
      {"sparse COO float64", kPlantedSource,
       [](const at::Tensor& values) { return std::vector<c10::IValue>{values.to_sparse()}; }, as_floats},
      {"sparse CSR float32", kPlantedSource,
       [](const at::Tensor& values) { return std::vector<c10::IValue>{values.to_sparse_csr()}; }, as_floats},
      {"pairs float32", kPlantedPairsSource, as_pairs, of_pairs},
      {"pairs float64", kPlantedPairsSource, as_pairs, of_pairs},
      {"pairs bfloat16", kPlantedPairsSource, as_pairs, of_pairs},
  };
  for (const auto& form : forms) check_form(form);
  record_fault("input",
               "NaN, ±infinity, −0.0, denormals and the largest numbers, in features (10 forms) and in the SAE's input",
               forms.size() * 10, "nothing: counted as not finite, or kept");
}
