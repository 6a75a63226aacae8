// Sites that a program declares through the C table: every form of activations, steps that are told, what is refused.
#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <thread>

#include "plugin/saetap.h"
#include "plugin/store/store_reader.h"
#include "tests/plugin/session_witness.h"

using namespace saetap;
using namespace saetap::testing;

namespace {

constexpr int64_t kRows = 24;

const saetap_api& table() {
  static const saetap_api& table = *saetap_get_api(SAETAP_ABI_VERSION);  // asking again would clear the error
  return table;
}

// The process's session, from construction to stop().
class Recording {
 public:
  explicit Recording(nlohmann::json keys = nlohmann::json::object()) {
    keys["save_activation_samples"] = true;
    keys["output_dir"] = folder_.path();
    keys["sample_activation_threshold"] = 0;
    keys["log_level"] = "error";
    REQUIRE(table().start(nlohmann::json{{"saetap", keys}}.dump().c_str()) == SAETAP_OK);
  }
  ~Recording() { table().stop(); }
  void stop() { REQUIRE(table().stop() == SAETAP_OK); }
  [[nodiscard]] StoreReader store() const { return StoreReader(folder_.path() + "/samples.saetap"); }

 private:
  Folder folder_;
};

// A tensor as the C interface takes it; holds it.
class Given {
 public:
  explicit Given(at::Tensor tensor) : tensor_(std::move(tensor)), array_{} {
    if (!tensor_.defined()) return;
    const std::map<at::ScalarType, int> types{{at::kFloat, SAETAP_FLOAT32},     {at::kDouble, SAETAP_FLOAT64},
                                              {at::kBFloat16, SAETAP_BFLOAT16}, {at::kHalf, SAETAP_FLOAT16},
                                              {at::kInt, SAETAP_INT32},         {at::kLong, SAETAP_INT64}};
    array_ = {tensor_.const_data_ptr(), types.at(tensor_.scalar_type()), static_cast<int32_t>(tensor_.dim()),
              tensor_.sizes().data(), tensor_.strides().data()};
  }
  [[nodiscard]] const saetap_array* array() const { return tensor_.defined() ? &array_ : nullptr; }

 private:
  at::Tensor tensor_;
  saetap_array array_;
};

saetap_site* attach(const char* name, int64_t features = kFeatures) {
  const saetap_site_spec spec{sizeof spec, name, features, kWidth, kWidth, nullptr};
  saetap_site* site = nullptr;
  REQUIRE(table().attach(&spec, &site) == SAETAP_OK);
  return site;
}

int observe(saetap_site* site, const at::Tensor& activations, const at::Tensor& indices = {},
            const at::Tensor& rows = {}, int phase = SAETAP_TRAIN) {
  const Given values(activations), which(indices), inputs(rows);
  const saetap_call call{sizeof call, phase, values.array(), which.array(), inputs.array()};
  return table().observe(site, &call);
}

at::Tensor sparse_activations(at::ScalarType type = at::kFloat) {
  return at::relu(at::randn({kRows, kFeatures}) - 1).to(type);
}

std::vector<saetap_statistics> totals(int64_t place) {
  std::vector<saetap_statistics> all(kFeatures);
  REQUIRE(table().statistics(place, 0, kFeatures, all.data()) == SAETAP_OK);
  return all;
}

// Held against LibTorch: how often active, the sum, the largest.
void check_totals(int64_t place, const at::Tensor& dense) {
  const auto all = totals(place);
  const auto values = dense.to(at::kDouble);
  for (int64_t f = 0; f < kFeatures; ++f) {
    const auto own = values.select(1, f);
    const auto& found = all[static_cast<std::size_t>(f)];
    CHECK(static_cast<int64_t>(found.active) == own.count_nonzero().item<int64_t>());
    CHECK(found.sum == doctest::Approx(own.sum().item<double>()).epsilon(1e-6));
    CHECK(found.max == static_cast<float>(own.max().item<double>()));
    CHECK(found.eligible == static_cast<std::uint64_t>(dense.size(0)));
  }
}

std::string error_of(int status, int expected) {
  CHECK(status == expected);
  return table().last_error();
}

}  // namespace

TEST_CASE("activations in every form and type come out the same") {
  const Recording recording;
  int64_t place = 0;
  for (const auto type : {at::kFloat, at::kDouble, at::kBFloat16, at::kHalf}) {
    const auto dense = sparse_activations(type);
    const std::string name = "dense " + std::to_string(place);
    REQUIRE(observe(attach(name.c_str()), dense) == SAETAP_OK);
    check_totals(place++, dense);
  }
  // Columns of a larger matrix, transposed.
  const auto wide = at::relu(at::randn({kFeatures + 5, kRows}) - 1);
  const auto slice = wide.slice(0, 2, kFeatures + 2).t();
  REQUIRE(observe(attach("strided"), slice) == SAETAP_OK);
  check_totals(place++, slice);
  REQUIRE(observe(attach("three dimensions"), sparse_activations().reshape({4, kRows / 4, kFeatures})) == SAETAP_OK);
  ++place;
  for (const auto kind : {at::kInt, at::kLong}) {
    const auto [values, indices] = at::rand({kRows, kFeatures}).topk(6, 1);
    const auto name = kind == at::kInt ? "narrow pairs" : "pairs";
    REQUIRE(observe(attach(name), values, indices.to(kind)) == SAETAP_OK);
    check_totals(place++, at::zeros({kRows, kFeatures}).scatter(1, indices, values));
  }
  // The strongest of a feature are those of a sort.
  const auto dense = sparse_activations();
  REQUIRE(observe(attach("sorted"), dense) == SAETAP_OK);
  for (int64_t f = 0; f < kFeatures; ++f) {
    saetap_sample top[kRows];
    int64_t count = 0;
    REQUIRE(table().top_samples(place, f, top, kRows, &count) == SAETAP_OK);
    const auto [values, order] = dense.select(1, f).sort(0, true);
    CHECK(count == (values > 0).sum().item<int64_t>());
    for (int64_t i = 0; i < count; ++i) CHECK(top[i].activation == values[i].item<float>());
  }
}

TEST_CASE("rows of a declared site find the tokens of a declared language model, shuffled") {
  const Recording recording;
  auto* site = attach("sae");
  const auto tokens = at::randint(1, kVocabulary, {8, 32}, at::kLong);
  const auto rows = at::randn({8, 32, kWidth});
  REQUIRE(table().observe_model("lm", Given(tokens).array(), nullptr, Given(rows).array()) == SAETAP_OK);
  const auto order = at::randperm(8 * 32, at::kLong);
  const auto dense = at::relu(at::randn({8 * 32, kFeatures}) - 1);
  REQUIRE(observe(site, dense, {}, rows.reshape({-1, kWidth}).index_select(0, order)) == SAETAP_OK);
  saetap_site_counts counts{sizeof counts, 0, 0, 0, 0, 0, 0, 0, 0};
  REQUIRE(table().site_counts(0, &counts) == SAETAP_OK);
  CHECK(counts.rows_resolved == 8 * 32);
  for (int64_t f = 0; f < kFeatures; ++f) {
    saetap_sample best;
    int64_t count = 0;
    REQUIRE(table().top_samples(0, f, &best, 1, &count) == SAETAP_OK);
    REQUIRE(count > 0);
    const auto origin = order[dense.select(1, f).argmax().item<int64_t>()].item<int64_t>();
    CHECK(best.position == origin % 32);
    CHECK(best.token == tokens.reshape({-1})[origin].item<int64_t>());
    int32_t around[7];
    int64_t length = 0, at = 0;
    REQUIRE(table().sample_tokens(&best, 3, 3, around, &length, &at) == SAETAP_OK);
    for (int64_t i = 0; i < length; ++i) {
      const auto position = origin % 32 + i - at;
      CHECK(around[i] == tokens[origin / 32][position].item<int64_t>());
    }
    CHECK(length == std::min<int64_t>(3, origin % 32) + 1 + std::min<int64_t>(3, 31 - origin % 32));
  }
}

TEST_CASE("a program that tells its steps has calls of one step counted as one") {
  for (const bool told : {false, true}) {
    Recording recording;
    auto* site = attach("sae");
    if (told) REQUIRE(table().step() == SAETAP_OK);
    for (int step = 0; step < 3; ++step) {
      for (int part = 0; part < 4; ++part) {
        // Without gradients calls are steps only where the program says so.
        const int phase = told && part == 3 ? SAETAP_EVAL : SAETAP_TRAIN;
        REQUIRE(observe(site, sparse_activations(), {}, {}, phase) == SAETAP_OK);
      }
      if (told) REQUIRE(table().step() == SAETAP_OK);
    }
    saetap_site_counts counts{sizeof counts, 0, 0, 0, 0, 0, 0, 0, 0};
    REQUIRE(table().site_counts(0, &counts) == SAETAP_OK);
    CHECK(counts.steps == (told ? 3 : 12));
    CHECK(counts.steps_collected == counts.steps);
    CHECK(counts.calls == 12);
    CHECK(totals(0)[0].last_step == (told ? 2 : 11));
  }
}

TEST_CASE("its decoder is in the store, and its name") {
  Recording recording;
  auto* site = attach("layer 5");
  const auto decoder = at::randn({kFeatures, kWidth});
  REQUIRE(table().set_decoder(site, Given(decoder).array()) == SAETAP_OK);
  REQUIRE(observe(site, sparse_activations()) == SAETAP_OK);
  saetap_site_info info{};
  info.struct_size = sizeof info;
  REQUIRE(table().site_at(0, &info) == SAETAP_OK);
  CHECK(std::string(info.name) == "layer 5");
  CHECK(info.features == kFeatures);
  recording.stop();
  const auto store = recording.store();
  REQUIRE(store.sites().size() == 1);
  CHECK(store.sites()[0].site.name == "layer 5");
  const auto rounded = decoder.to(at::kHalf).to(at::kFloat);
  const auto* numbers = rounded.const_data_ptr<float>();
  CHECK(store.decoder_directions(store.sites()[0].site.id) == std::vector<float>(numbers, numbers + rounded.numel()));
}

TEST_CASE("what cannot be is refused in one line, and the site goes on") {
  Recording recording;
  auto* site = attach("sae");
  const auto good = sparse_activations();
  const auto [values, indices] = at::rand({kRows, kFeatures}).topk(6, 1);
  CHECK(error_of(observe(site, at::rand({kRows, 7})), SAETAP_FAILED) ==
        "site \"sae\": activations [24, 7] have to end in 48 features");
  CHECK(error_of(observe(site, indices), SAETAP_FAILED) == "site \"sae\": activations have to be floating");
  CHECK(error_of(observe(site, values, indices.slice(1, 0, 5)), SAETAP_FAILED) ==
        "site \"sae\": activations [24, 6] and indices [24, 5] differ");
  CHECK(error_of(observe(site, values, indices + kFeatures), SAETAP_FAILED).find("there is no feature") !=
        std::string::npos);
  CHECK(error_of(observe(site, values, at::zeros_like(indices)), SAETAP_FAILED) ==
        "site \"sae\": feature 0 stands twice in one row of the indices");
  CHECK(error_of(observe(site, good, {}, at::rand({kRows, 3})), SAETAP_FAILED).find("rows [24, 3]") !=
        std::string::npos);
  CHECK(error_of(observe(site, good, {}, {}, 5), SAETAP_FAILED) == "phase 5 is none of enum saetap_phase");
  const saetap_array no_data{nullptr, SAETAP_FLOAT32, 2, std::vector<int64_t>{2, 2}.data(), nullptr};
  const saetap_call empty{sizeof empty, SAETAP_TRAIN, &no_data, nullptr, nullptr};
  CHECK(table().observe(site, &empty) == SAETAP_FAILED);
  const saetap_call old{4, SAETAP_TRAIN, nullptr, nullptr, nullptr};
  CHECK(error_of(table().observe(site, &old), SAETAP_FAILED).find("saetap_call.struct_size is 4") == 0);
  CHECK(error_of(table().observe(reinterpret_cast<saetap_site*>(&site), &empty), SAETAP_FAILED) ==
        "this is no site that was attached");
  const saetap_site_spec other{sizeof other, "sae", kFeatures + 1, kWidth, kWidth, nullptr};
  saetap_site* refused = nullptr;
  CHECK(error_of(table().attach(&other, &refused), SAETAP_FAILED) ==
        "site \"sae\" was declared before, with other sizes");
  const saetap_site_spec huge{sizeof huge, "huge", int64_t{1} << 40, kWidth, kWidth, nullptr};
  CHECK(error_of(table().attach(&huge, &refused), SAETAP_FAILED).find("features is 1099511627776") !=
        std::string::npos);
  CHECK(error_of(table().set_decoder(site, Given(at::rand({kFeatures, 3})).array()), SAETAP_FAILED) ==
        "site \"sae\": the decoder has to be [48, 16], floating");
  CHECK(attach("sae") == site);
  int64_t place = -1;
  CHECK(error_of(table().place_of(site, &place), SAETAP_FAILED) == "site \"sae\" had no batch yet");
  REQUIRE(observe(site, good) == SAETAP_OK);
  REQUIRE(table().place_of(site, &place) == SAETAP_OK);
  CHECK(place == 0);
  check_totals(0, good);
  saetap_statistics none;
  CHECK(error_of(table().statistics(1, 0, 1, &none), SAETAP_FAILED) == "there is no site at place 1 of 1");
  CHECK(error_of(table().statistics(0, kFeatures, 1, &none), SAETAP_FAILED) ==
        "features 48 to 48 are not all among 0 to 47");
  recording.stop();
  CHECK(error_of(observe(site, good), SAETAP_NOT_RUNNING) == "nothing is being recorded");
  CHECK(table().step() == SAETAP_NOT_RUNNING);
}

TEST_CASE("another version of the interface is refused with both numbers") {
  CHECK(saetap_get_api(SAETAP_ABI_VERSION + 1) == nullptr);
  CHECK(std::string(saetap_last_error()) ==
        "this program was built for version 2 of saetap's C interface, and libsaetap.so 0.1.0 has version 1");
}

TEST_CASE("many threads declare, observe and read at once") {
  const Recording recording(nlohmann::json{{"tokens", {{"source", "none"}}}, {"sample_window_steps", 0}});
  constexpr int kThreads = 4, kCalls = 40;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([t] {
      const at::Tensor dense = at::ones({kRows, kFeatures});
      for (int i = 0; i < kCalls; ++i) {
        CHECK(observe(attach(("site " + std::to_string(t % 2)).c_str()), dense) == SAETAP_OK);
        saetap_statistics one;
        CHECK(table().statistics(0, 1, 1, &one) == SAETAP_OK);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (int64_t place = 0; place < 2; ++place) {
    CHECK(totals(place)[5].active == static_cast<std::uint64_t>(kThreads / 2 * kCalls * kRows));
  }
}
