// What is kept around the samples of a real session: the activations at the tokens near by, and the tokens' text.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include <fstream>
#include <set>

#include "plugin/session/process.h"
#include "plugin/store/store_reader.h"
#include "tests/plugin/session_witness.h"

using namespace saetap;
using namespace saetap::testing;

namespace {

constexpr int64_t kSequences = 12;
constexpr int64_t kLength = 15;

at::Tensor rows_of(torch::jit::Module& model, const at::Tensor& tokens) {
  const at::NoGradGuard no_grad;
  return model.forward({tokens}).toTuple()->elements()[0].toTensor().reshape({-1, kWidth});
}

// No two begin alike, so that each row of the prefix model is of one token only.
at::Tensor some_tokens() {
  torch::manual_seed(5);
  auto tokens = at::randint(1, kVocabulary, {kSequences, kLength}, at::kLong);
  tokens.select(1, 0).copy_(at::arange(1, kSequences + 1, at::kLong));
  return tokens;
}

SequenceId id_of(const at::Tensor& tokens, int64_t sequence) {
  const auto ids = tokens[sequence].to(at::kInt).contiguous();
  return sequence_id({ids.const_data_ptr<std::int32_t>(), static_cast<std::size_t>(ids.numel())});
}

std::size_t known(const StoreReader& store) {
  std::size_t count = 0;
  for (std::uint32_t feature = 0; feature < kFeatures; ++feature) {
    const auto samples = store.samples(0, feature, Scope::recent);
    for (const auto& around : store.context_activations(0, feature, Scope::recent, samples)) count += around ? 1 : 0;
  }
  return count;
}

// Runs a model's rows, in this order of rows, through an SAE under a session; returns what the SAE says of the rows in
// the order of the text.
at::Tensor record(const Folder& folder, const std::string& source, const at::Tensor& tokens, const at::Tensor& order,
                  int64_t batch) {
  auto config = config_for(folder);
  config.sample_context_size = 4;
  config.max_samples_per_feature = 40;
  auto* session = new Session(config, "test");  // never destroyed, as in a process
  session->start();
  auto model = prefix_model(kVocabulary, kWidth);
  auto sae = sae_module("Sae", source, kWidth, kFeatures);
  const auto rows = rows_of(model, tokens);
  for (const auto& some : rows.index_select(0, order).split(batch)) run(sae, some, 0);
  session->finish();
  return sae.forward({rows}).toTuple()->elements()[1].toTensor().detach();
}

}  // namespace

TEST_CASE("the activations around a sample are what the SAE computed there") {
  const auto tokens = some_tokens();
  const auto in_order = at::arange(kSequences * kLength, at::kLong);
  std::string source;
  at::Tensor order;
  SUBCASE("dense, the model's rows as they come") {
    source = kReluSource;
    order = in_order;
  }
  SUBCASE("pairs") {
    source = kTopKSource;
    order = in_order;
  }
  SUBCASE("all rows of a call, shuffled") {
    source = kReluSource;
    order = at::randperm(kSequences * kLength, at::kLong);
  }
  SUBCASE("token by token, as [T, B]") {
    source = kReluSource;
    order = in_order.reshape({kSequences, kLength}).t().contiguous().reshape({-1});
  }
  const Folder folder;
  const auto features = record(folder, source, tokens, order, kSequences * kLength);
  const StoreReader store(folder.path());
  std::size_t checked = 0;
  for (std::uint32_t feature = 0; feature < kFeatures; ++feature) {
    const auto samples = store.samples(0, feature, Scope::recent);
    const auto around = store.context_activations(0, feature, Scope::recent, samples);
    for (std::size_t i = 0; i < samples.size(); ++i) {
      REQUIRE(around[i]);
      int64_t sequence = 0;
      while (id_of(tokens, sequence) != samples[i].sequence) ++sequence;
      std::vector<ContextActivation> expected;
      for (int64_t offset = -4; offset <= 4; ++offset) {
        const auto position = static_cast<int64_t>(samples[i].position) + offset;
        if (offset == 0 || position < 0 || position >= kLength) continue;
        const auto value = features[sequence * kLength + position][static_cast<int64_t>(feature)].item<float>();
        if (value != 0) expected.push_back({static_cast<std::int32_t>(offset), value});
      }
      REQUIRE(around[i]->size() == expected.size());
      for (std::size_t n = 0; n < expected.size(); ++n) {
        CHECK((*around[i])[n].offset == expected[n].offset);
        // A product over fewer rows or other ones may be summed in another order.
        CHECK((*around[i])[n].activation == doctest::Approx(expected[n].activation).epsilon(1e-5));
      }
      ++checked;
    }
  }
  CHECK(checked > 200);
}

TEST_CASE("the activations around a sample are not known where its sequence is not in the batch") {
  const Folder folder;
  record(folder, kReluSource, some_tokens(), at::randperm(kSequences * kLength, at::kLong), 20);
  CHECK(known(StoreReader(folder.path())) == 0);
}

TEST_CASE("a callback's text of tokens is saved and written to samples.json") {
  class Texts : public Callback {
   public:
    std::optional<std::string> token_text(std::int32_t id) override {
      CHECK(asked.insert(id).second);
      if (id % 5 == 0) return std::nullopt;
      return "t" + std::to_string(id) + ".";
    }
    std::set<std::int32_t> asked;
  };
  const Folder folder;
  auto* session = new Session(config_for(folder), "test");
  const auto texts = std::make_shared<Texts>();
  session->add_callback("texts", texts);
  session->start();
  auto model = prefix_model(kVocabulary, kWidth);
  auto sae = sae_module("Sae", kReluSource, kWidth, kFeatures);
  const auto tokens = some_tokens();
  run(sae, rows_of(model, tokens), 0);
  session->finish();

  std::set<std::int32_t> met;
  for (int64_t i = 0; i < tokens.numel(); ++i)
    met.insert(static_cast<std::int32_t>(tokens.flatten()[i].item<int64_t>()));
  CHECK(texts->asked == met);
  const StoreReader store(folder.path());
  std::vector<std::pair<std::int32_t, std::string>> expected;
  for (const auto id : met) {
    if (id % 5 != 0) expected.emplace_back(id, "t" + std::to_string(id) + ".");
  }
  CHECK(store.token_texts() == expected);
  const auto json = nlohmann::json::parse(std::ifstream(folder.path() + "/samples.json"));
  const auto& sample = json["sites"][0]["top_features"][0]["samples"][0];
  std::string context;
  for (const std::int32_t id : sample["context_token_ids"]) {
    context += id % 5 == 0 ? "[id " + std::to_string(id) + "]" : "t" + std::to_string(id) + ".";
  }
  CHECK(sample["context_text"] == context);
}

TEST_CASE("text through the C interface: of any length, unknown, taken back") {
  const auto text = [](std::int32_t id, char* bytes, std::int64_t size, void* user) -> std::int64_t {
    ++*static_cast<int*>(user);
    if (id == 1) return -1;
    const std::string whole(static_cast<std::size_t>(id) * 100, 'x');
    std::copy_n(whole.begin(), std::min<std::size_t>(whole.size(), static_cast<std::size_t>(size)), bytes);
    return static_cast<std::int64_t>(whole.size());
  };
  const Folder folder;
  std::string why;
  CHECK(set_process_token_text(text, nullptr, why) == SAETAP_NOT_RUNNING);
  REQUIRE(start_process_session(config_for(folder), why) == SAETAP_OK);
  auto model = prefix_model(kVocabulary, kWidth);
  auto sae = sae_module("Sae", kReluSource, kWidth, kFeatures);
  int calls = 0;
  CHECK(set_process_token_text(text, &calls, why) == SAETAP_OK);
  run(sae, rows_of(model, at::arange(1, 6, at::kLong).unsqueeze(0)), 0);
  CHECK(checkpoint_process_session(why) == SAETAP_OK);
  CHECK(set_process_token_text(nullptr, nullptr, why) == SAETAP_OK);
  const int before = calls;
  run(sae, rows_of(model, at::arange(6, 11, at::kLong).unsqueeze(0)), 0);
  CHECK(stop_process_session(why) == SAETAP_OK);
  CHECK(calls == before);

  std::vector<std::pair<std::int32_t, std::string>> expected;
  for (std::int32_t id = 2; id <= 5; ++id)
    expected.emplace_back(id, std::string(static_cast<std::size_t>(id) * 100, 'x'));
  CHECK(StoreReader(folder.path()).token_texts() == expected);
}
