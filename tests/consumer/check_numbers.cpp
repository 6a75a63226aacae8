// What saetap.hpp reads back, held against a sort of everything that was given to it: dense, strided and (value,
// feature) activations of several types, signed ones, with tokens.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <random>
#include <saetap/saetap.hpp>
#include <stdexcept>

namespace {

constexpr std::int64_t kBatch = 3, kLength = 16, kRows = kBatch * kLength, kFeatures = 40, kWidth = 6, kSteps = 12;
constexpr std::size_t kSamples = 8;  // of a feature

saetap::Plugin plugin;
std::mt19937 generator(20);

struct Seen {
  double activation;
  std::vector<std::int32_t> sequence;
  std::int64_t position;
};

// Everything that one site was given: of each feature every active value with its place.
struct Everything {
  std::vector<std::vector<Seen>> features{kFeatures};
  std::uint64_t rows = 0;
};

std::vector<std::int64_t> random_tokens() {
  std::vector<std::int64_t> tokens(kRows);
  for (auto& token : tokens) token = std::uniform_int_distribution<std::int64_t>(0, 50000)(generator);
  return tokens;
}

// [kRows, kFeatures], about a tenth of it active, no two values alike; multiples of 2^-10, which every type but the
// half ones holds.
std::vector<double> random_activations(bool is_signed) {
  static std::int64_t next = 0;
  std::vector<double> activations(kRows * kFeatures);
  for (auto& activation : activations) {
    if (std::uniform_int_distribution<int>(0, 9)(generator) != 0) continue;
    activation = static_cast<double>(++next * 7919 % 65536) / 1024 + 0.5;
    if (is_signed && std::bernoulli_distribution(0.3)(generator)) activation = -activation;
  }
  return activations;
}

void remember(Everything& everything, const std::vector<std::int64_t>& tokens, const std::vector<double>& activations) {
  everything.rows += kRows;
  for (std::int64_t row = 0; row < kRows; ++row) {
    const auto first = tokens.begin() + row / kLength * kLength;
    for (std::int64_t feature = 0; feature < kFeatures; ++feature) {
      const double activation = activations[row * kFeatures + feature];
      if (activation == 0) continue;
      everything.features[feature].push_back({activation, {first, first + kLength}, row % kLength});
    }
  }
}

std::int64_t place_of(const std::string& name) {
  const auto sites = plugin.sites();
  REQUIRE_MESSAGE(sites, sites.message);
  for (const auto& site : sites.value) {
    if (site.name == name) return site.place;
  }
  FAIL("no site " << name);
  return -1;
}

void check_totals(std::int64_t place, const Everything& everything) {
  const auto totals = plugin.statistics(place, 0, kFeatures);
  REQUIRE_MESSAGE(totals, totals.message);
  for (std::int64_t feature = 0; feature < kFeatures; ++feature) {
    CAPTURE(feature);
    const auto& read = totals.value[feature];
    double sum = 0, squares = 0, largest = 0;
    std::uint64_t negative = 0;
    for (const auto& [activation, sequence, position] : everything.features[feature]) {
      sum += activation;
      squares += activation * activation;
      negative += activation < 0 ? 1 : 0;
      if (std::abs(activation) > std::abs(largest)) largest = activation;
    }
    CHECK(read.active == everything.features[feature].size());
    CHECK(read.eligible == everything.rows);
    CHECK(read.sum == doctest::Approx(sum).epsilon(1e-9));
    CHECK(read.sum_of_squares == doctest::Approx(squares).epsilon(1e-9));
    CHECK(read.max == static_cast<float>(largest));
    CHECK(read.negative == negative);
    CHECK(read.nonfinite == 0);
    CHECK(read.first_step == 0);
    CHECK(read.last_step == kSteps - 1);
  }
}

void check_samples(std::int64_t place, const Everything& everything) {
  for (std::int64_t feature = 0; feature < kFeatures; ++feature) {
    CAPTURE(feature);
    auto expected = everything.features[feature];
    std::sort(expected.begin(), expected.end(),
              [](const Seen& a, const Seen& b) { return std::abs(a.activation) > std::abs(b.activation); });
    expected.resize(std::min(expected.size(), kSamples));
    const auto top = plugin.top_samples(place, feature);
    REQUIRE_MESSAGE(top, top.message);
    REQUIRE(top.value.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const auto& [activation, sequence, position] = expected[i];
      const auto& sample = top.value[i];
      CHECK(sample.activation == static_cast<float>(activation));
      CHECK(sample.position == position);
      CHECK(sample.token == sequence[position]);
      const auto around = plugin.sample_tokens(sample, 3, 2);
      REQUIRE_MESSAGE(around, around.message);
      const std::int64_t first = std::max<std::int64_t>(position - 3, 0), end = std::min(position + 3, kLength);
      CHECK(around.value.tokens == std::vector<std::int32_t>(sequence.begin() + first, sequence.begin() + end));
      CHECK(around.value.at == position - first);
    }
  }
}

// Gives a site kSteps batches, as `give` has it, and reads them back.
template <class Give>
void check_site(const char* name, bool is_signed, const Give& give) {
  CAPTURE(name);
  const auto attached = plugin.attach({name, kFeatures, kWidth, kWidth, "numbers that are known"});
  REQUIRE_MESSAGE(attached, attached.message);
  Everything everything;
  for (std::int64_t step = 0; step < kSteps; ++step) {
    const auto tokens = random_tokens();
    const auto activations = random_activations(is_signed);
    remember(everything, tokens, activations);
    REQUIRE(plugin.set_tokens(tokens.data(), kBatch, kLength));
    const saetap::Status status = give(attached.value, activations);
    REQUIRE_MESSAGE(status, status.message);
  }
  const std::int64_t place = place_of(name);
  check_totals(place, everything);
  check_samples(place, everything);
  const auto counts = plugin.counts(place);
  REQUIRE_MESSAGE(counts, counts.message);
  CHECK(counts.value.steps == kSteps);
  CHECK(counts.value.calls == kSteps);
  CHECK(counts.value.rows_seen == everything.rows);
  CHECK(counts.value.rows_collected == everything.rows);
  CHECK(counts.value.rows_resolved == everything.rows);
}

}  // namespace

TEST_CASE("dense activations: float, double, three dimensions") {
  check_site("float", false, [](const saetap::Site& site, const std::vector<double>& activations) {
    const std::vector<float> given(activations.begin(), activations.end());
    return site.observe({{given.data(), {kRows, kFeatures}}});
  });
  check_site("double", true, [](const saetap::Site& site, const std::vector<double>& activations) {
    return site.observe({{activations.data(), {kBatch, kLength, kFeatures}}});
  });
}

TEST_CASE("strided activations: every second column of a transposed array") {
  check_site("strided", true, [](const saetap::Site& site, const std::vector<double>& activations) {
    std::vector<float> given(kFeatures * 2 * kRows, 1000);
    for (std::int64_t row = 0; row < kRows; ++row) {
      for (std::int64_t feature = 0; feature < kFeatures; ++feature) {
        given[(feature * kRows + row) * 2] = static_cast<float>(activations[row * kFeatures + feature]);
      }
    }
    return site.observe({{given.data(), {kRows, kFeatures}, {2, 2 * kRows}}});
  });
}

TEST_CASE("(value, feature) pairs, with room for more of them than there are") {
  check_site("pairs", false, [](const saetap::Site& site, const std::vector<double>& activations) {
    constexpr std::int64_t k = kFeatures;
    std::vector<float> values(kRows * k);
    std::vector<std::int32_t> features(kRows * k);
    for (std::int64_t row = 0; row < kRows; ++row) {
      for (std::int64_t i = 0; i < k; ++i) {
        const std::int64_t feature = (i * 7 + row) % kFeatures;  // in no order, each once
        features[row * k + i] = static_cast<std::int32_t>(feature);
        values[row * k + i] = static_cast<float>(activations[row * kFeatures + feature]);
      }
    }
    return site.observe({{values.data(), {kRows, k}}, {features.data(), {kRows, k}}});
  });
}

TEST_CASE("half precision under a type of one's own") {
  const auto attached = plugin.attach({"bfloat16", kFeatures, kWidth, kWidth});
  REQUIRE_MESSAGE(attached, attached.message);
  std::vector<std::uint16_t> given(kRows * kFeatures);
  for (std::size_t i = 0; i < given.size(); ++i) {
    const float value = static_cast<float>(i % 97);
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    given[i] = static_cast<std::uint16_t>(bits >> 16);
  }
  const std::int64_t shape[] = {kRows, kFeatures};
  const auto tokens = random_tokens();
  REQUIRE(plugin.set_tokens(tokens.data(), kBatch, kLength));
  REQUIRE(attached.value.observe({{given.data(), SAETAP_BFLOAT16, shape, 2}}));
  double sum = 0;
  for (std::int64_t row = 0; row < kRows; ++row) sum += static_cast<double>(row * kFeatures % 97);
  const auto totals = plugin.statistics(place_of("bfloat16"), 0, 1);
  REQUIRE_MESSAGE(totals, totals.message);
  CHECK(totals.value[0].sum == sum);
}

TEST_CASE("what cannot be read is refused with a reason, and the site goes on") {
  const auto attached = plugin.attach({"refused", kFeatures, kWidth, kWidth});
  REQUIRE_MESSAGE(attached, attached.message);
  const saetap::Site& site = attached.value;
  const std::vector<float> given(kRows * kFeatures, 1);
  const std::int64_t far[] = {0, kFeatures};
  const auto refused = [](const saetap::Status& status) { return !status && !status.message.empty(); };
  CHECK(refused(site.observe({{given.data(), {kRows, kFeatures + 1}}})));
  CHECK(refused(site.observe({})));
  CHECK(refused(site.observe({{given.data(), {1, 2}}, {far, {1, 2}}})));
  CHECK(site.observe({{given.data(), {1, 1, 1, 1, 1, 1, 1, 1, kFeatures}}}).message ==
        "an array has at most 8 dimensions");
  CHECK(site.observe({{given.data(), {1, kFeatures}, {1}}}).message == "an array has as many strides as dimensions");
  CHECK(refused(site.set_decoder({given.data(), {kFeatures, kWidth + 1}})));
  CHECK(refused(plugin.attach({"refused", kFeatures, kWidth, kWidth + 1})));
  CHECK(refused(plugin.attach({nullptr, kFeatures, kWidth, kWidth})));
  CHECK(refused(plugin.statistics(1000, 0, 1)));
  CHECK(refused(plugin.statistics(0, -1, 1)));
  CHECK(refused(plugin.statistics(0, 0, std::int64_t{1} << 60)));
  CHECK(refused(plugin.top_samples(0, kFeatures)));
  CHECK(plugin.attach({"refused", kFeatures, kWidth, kWidth}));
  CHECK(site.observe({{given.data(), {kRows, kFeatures}}}));
  CHECK(site.set_decoder({given.data(), {kFeatures, kWidth}}));
}

TEST_CASE("text of tokens that throws is text that is not known; and it is let go of") {
  const auto witness = std::make_shared<int>(0);
  const auto text = [witness](std::int32_t token) -> std::optional<std::string> {
    ++*witness;
    if (token % 3 == 0) throw std::runtime_error("no such token");
    if (token % 3 == 1) return std::nullopt;
    return std::string(static_cast<std::size_t>(token % 300), 'x');  // some longer than the room that is offered first
  };
  REQUIRE(plugin.set_token_text(text));
  CHECK(witness.use_count() == 3);
  CHECK(plugin.checkpoint());
  CHECK(*witness > 0);
  REQUIRE(plugin.set_token_text(text));
  CHECK(witness.use_count() == 3);
  saetap::Plugin moved = std::move(plugin);
  CHECK(witness.use_count() == 3);
  plugin = std::move(moved);
  REQUIRE(plugin.set_token_text({}));
  CHECK(witness.use_count() == 2);
}

int main(int argc, char** argv) {
  plugin = saetap::Plugin::load(argv[1]);
  const saetap::Status started = plugin.start(
      R"({"saetap": {"save_activation_samples": true, "sample_window_steps": 0, "max_samples_per_feature": 8}})");
  if (!started) {
    std::fprintf(stderr, "%s\n", started.message.c_str());
    return 1;
  }
  doctest::Context context;
  context.applyCommandLine(argc - 1, argv + 1);
  const int failed = context.run();
  const bool stopped = static_cast<bool>(plugin.stop());
  return failed != 0 || !stopped || plugin.step().code != SAETAP_NOT_RUNNING;
}
