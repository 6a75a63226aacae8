// Where tokens come from, through the hooks: masks, changed rows, told tokens, several models and SAEs at once.
#include <doctest/doctest.h>

#include "plugin/session/token_mask.h"
#include "tests/plugin/session_witness.h"

using namespace saetap;
using namespace saetap::testing;

namespace {

constexpr int64_t kWide = 96;   // narrow rows have no robust fingerprints
constexpr int64_t kMany = 256;  // features

class Recording {
 public:
  explicit Recording(const Config& config) : session(new Session(config, "test")), witness(add_witness(*session)) {
    session->start();
  }
  ~Recording() { session->finish(); }

  [[nodiscard]] const SeenBatch& latest() const { return witness->batches().back(); }
  [[nodiscard]] SiteCounts counts(std::size_t site = 0) const { return session->sites().at(site).second; }

  Session* session;  // never destroyed, as in a process
  std::shared_ptr<Witness> witness;
};

// A model with a mask; rows that are masked are 0.
torch::jit::Module masked_model() {
  torch::manual_seed(11);
  torch::jit::Module model("MaskedModel");
  model.register_parameter("embedding", at::randn({kVocabulary, kWide}), false);
  model.define(R"(
def forward(self, input_ids, attention_mask: Optional[Tensor] = None):
    hidden = torch.tanh(torch.cumsum(torch.embedding(self.embedding, input_ids), 1))
    if attention_mask is not None:
        hidden = hidden * attention_mask.unsqueeze(-1).to(hidden.dtype)
    return hidden
)");
  return model;
}

constexpr int64_t kWords = 200;
constexpr int64_t kLongest = 32;

// Every row depends on all tokens up to its own and on where they stand. `rows`: what is returned of `hidden`.
torch::jit::Module model_of(const std::string& type, const std::string& rows, unsigned seed) {
  torch::manual_seed(seed);
  torch::jit::Module model(type);
  model.register_parameter("embedding", at::randn({kWords * kLongest, kWide}), false);
  model.register_parameter("mean", at::randn({kWide}), false);
  model.define(R"(
def forward(self, input_ids):
    places = input_ids * 32 + torch.arange(input_ids.size(1))
    hidden = torch.sin(torch.cumsum(torch.embedding(self.embedding, places), 1)) + self.mean
    return )" + rows +
               "\n");
  return model;
}

// No two begin alike, so that no two rows are the same.
at::Tensor random_tokens(int64_t sequences, int64_t length) {
  auto tokens = at::randint(1, kWords, {sequences, length}, at::kLong);
  tokens.select(1, 0).copy_(at::arange(sequences, at::kLong));
  return tokens;
}

TokenPosition place(const at::Tensor& tokens, int64_t row) {
  const auto ids = tokens[row / tokens.size(1)].to(at::kInt).contiguous();
  return {sequence_id({ids.const_data_ptr<std::int32_t>(), static_cast<std::size_t>(ids.numel())}),
          static_cast<std::uint32_t>(row % tokens.size(1))};
}

std::size_t right(const SeenBatch& batch, const at::Tensor& tokens, const at::Tensor& order) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < batch.positions.size(); ++i) {
    count += batch.positions[i] == place(tokens, order[static_cast<int64_t>(i)].item<int64_t>()) ? 1 : 0;
  }
  return count;
}

std::size_t with_tokens(const SeenBatch& batch) {
  std::size_t count = 0;
  for (const auto& position : batch.positions) count += has_tokens(position.sequence) ? 1 : 0;
  return count;
}

at::Tensor flat(const c10::IValue& rows) {
  return rows.toTensor().reshape({-1, kWide});
}

}  // namespace

TEST_CASE("what the model's mask leaves out does not count, padding on either side is no text") {
  const Folder folder;
  const Recording recording(config_for(folder));
  auto model = masked_model();
  auto sae = sae_module("ReluSAE", kReluSource, kWide, kMany);
  // 9 is an ordinary token elsewhere; here it fills up.
  const auto tokens = at::tensor({9, 9, 1, 2, 3, 4, 5, 9}, at::kLong).view({2, 4});
  const auto mask = at::tensor({0, 0, 1, 1, 1, 1, 1, 0}, at::kLong).view({2, 4});
  const at::NoGradGuard no_grad;
  for (const auto& given : {mask, mask.to(at::kBool), (1 - mask).to(at::kFloat) * -1e4}) {
    // The last one is not this model's mask, but it is read as one; the rows differ.
    model.forward({tokens, given});
    run(sae, flat(model.forward({tokens, given})), 0);
    const auto& batch = recording.latest();
    CHECK(batch.eligible == 5);
    CHECK(batch.positions[2] == TokenPosition{sequence_id(std::vector<std::int32_t>{1, 2}), 0});
    CHECK(batch.positions[6] == TokenPosition{sequence_id(std::vector<std::int32_t>{3, 4, 5}), 2});
  }
  // Without a mask all count.
  run(sae, flat(model.forward({tokens})), 0);
  CHECK(recording.latest().eligible == 8);
}

TEST_CASE("masks as they are given to models") {
  const auto mask = at::tensor({1, 1, 0, 1, 0, 0}, at::kLong).view({2, 3});
  const std::vector<std::uint8_t> expected{1, 1, 0, 1, 0, 0};
  CHECK(attended_tokens(mask, false, 2, 3) == expected);
  CHECK(attended_tokens(mask.to(at::kBool).logical_not(), true, 2, 3) == expected);
  CHECK(attended_tokens(mask.to(at::kFloat).view({2, 1, 1, 3}), false, 2, 3) == expected);
  CHECK(attended_tokens((1 - mask).to(at::kFloat) * -3e38, false, 2, 3) == expected);
  CHECK(attended_tokens(mask * 3, false, 2, 3).empty());                      // no mask: segment numbers, for one
  CHECK(attended_tokens(at::zeros({2, 3}), false, 2, 4).empty());             // another shape
  CHECK(attended_tokens(at::zeros({2, 3}, at::kBool), false, 2, 3).empty());  // nothing left
  CHECK(attended_tokens(at::Tensor(), false, 2, 3).empty());
}

TEST_CASE("rows that are rounded, centred and scaled between the model and the SAE keep their tokens") {
  const Folder folder;
  const Recording recording(config_for(folder));
  auto model = model_of("Model", "hidden", 3);
  auto sae = sae_module("ReluSAE", kReluSource, kWide, kMany);
  const at::NoGradGuard no_grad;
  const auto tokens = random_tokens(128, 32);
  const auto rows = flat(model.forward({tokens}));
  const auto mean = rows.mean(0);
  for (int call = 0; call < 4; ++call) {
    const auto order = at::randperm(rows.size(0), at::kLong).slice(0, 0, 1024);
    const auto changed = ((rows.index_select(0, order) - mean) * 0.37).to(at::kBFloat16).to(at::kFloat);
    run(sae, changed, 0);
    CHECK(right(recording.latest(), tokens, order) == with_tokens(recording.latest()));
    CHECK(with_tokens(recording.latest()) >= 1000);
  }
  CHECK(recording.counts().rows_ambiguous + recording.counts().rows_resolved <= recording.counts().rows_collected);
}

TEST_CASE("rows that are widened on the way are found bit for bit") {
  const Folder folder;
  const Recording recording(config_for(folder));
  auto model = model_of("Model", "hidden.to(15)", 3);  // bfloat16
  auto sae = sae_module("ReluSAE", kReluSource, kWide, kMany);
  const at::NoGradGuard no_grad;
  const auto tokens = random_tokens(4, 8);  // too few to learn anything from
  run(sae, flat(model.forward({tokens})).flip(0).to(at::kFloat), 0);
  CHECK(right(recording.latest(), tokens, at::arange(32, at::kLong).flip(0)) == 32);
}

TEST_CASE("several models, several of their layers, several SAEs: each finds its own") {
  const Folder folder;
  const Recording recording(config_for(folder));
  auto first = model_of("FirstModel", "hidden, torch.tanh(hidden)", 3);
  auto second = model_of("SecondModel", "{'a': [hidden.sin()], 'b': [hidden.cos()]}", 4);
  std::vector<torch::jit::Module> saes;
  for (const char* type : {"A", "B", "C", "D"}) saes.push_back(sae_module(type, kReluSource, kWide, kMany));
  const at::NoGradGuard no_grad;
  const auto tokens = random_tokens(16, 8);
  const auto others = random_tokens(12, 8);
  const auto layers = first.forward({tokens}).toTuple()->elements();
  const auto dict = second.forward({others}).toGenericDict();
  const std::vector<std::pair<at::Tensor, at::Tensor>> rows{{flat(layers[0]), tokens},
                                                            {flat(layers[1]), tokens},
                                                            {flat(dict.at("a").toTensorList().get(0)), others},
                                                            {flat(dict.at("b").toTensorList().get(0)), others}};
  for (std::size_t i = 0; i < saes.size(); ++i) {
    const auto order = at::randperm(rows[i].first.size(0), at::kLong);
    run(saes[i], rows[i].first.index_select(0, order), 0);
    CHECK(right(recording.latest(), rows[i].second, order) == static_cast<std::size_t>(order.size(0)));
  }
}

TEST_CASE("the program may tell the tokens, and config keys choose who is asked") {
  const auto tokens = random_tokens(4, 8);
  const auto ids = tokens.to(at::kInt).contiguous();
  const std::span<const std::int32_t> told(ids.const_data_ptr<std::int32_t>(), 32);
  const auto order = at::arange(32, at::kLong);
  const at::NoGradGuard no_grad;
  SUBCASE("told") {
    const Folder folder;
    auto config = config_for(folder);
    config.tokens.source = TokenSourceChoice::told;
    const Recording recording(config);
    auto model = model_of("Model", "hidden", 3);
    auto sae = sae_module("ReluSAE", kReluSource, kWide, kMany);
    run(sae, flat(model.forward({tokens})), 0);
    CHECK(with_tokens(recording.latest()) == 0);
    recording.session->set_tokens({told, 8, {}}, {});
    run(sae, at::randn({32, kWide}), 0);
    CHECK(right(recording.latest(), tokens, order) == 32);
    run(sae, at::randn({32, kWide}), 0);  // told once, used once
    CHECK(with_tokens(recording.latest()) == 0);
  }
  SUBCASE("in step") {
    const Folder folder;
    auto config = config_for(folder);
    config.tokens.source = TokenSourceChoice::in_step;
    const Recording recording(config);
    auto model = model_of("Model", "hidden.sum()", 3);  // it returns no rows at all
    auto sae = sae_module("ReluSAE", kReluSource, kWide, kMany);
    model.forward({tokens});
    run(sae, at::randn({32, kWide}), 0);
    CHECK(right(recording.latest(), tokens, order) == 32);
  }
  SUBCASE("one module's tokens only") {
    const Folder folder;
    auto config = config_for(folder);
    config.tokens.module = "AnotherModel";
    const Recording recording(config);
    auto model = model_of("Model", "hidden", 3);
    auto other = model_of("AnotherModel", "hidden", 3);
    auto sae = sae_module("ReluSAE", kReluSource, kWide, kMany);
    run(sae, flat(model.forward({tokens})), 0);
    CHECK(with_tokens(recording.latest()) == 0);
    run(sae, flat(other.forward({tokens})), 0);
    CHECK(right(recording.latest(), tokens, order) == 32);
  }
  SUBCASE("none") {
    const Folder folder;
    auto config = config_for(folder);
    config.tokens.source = TokenSourceChoice::none;
    const Recording recording(config);
    auto model = model_of("Model", "hidden", 3);
    auto sae = sae_module("ReluSAE", kReluSource, kWide, kMany);
    run(sae, flat(model.forward({tokens})), 0);
    CHECK(with_tokens(recording.latest()) == 0);
    CHECK(recording.latest().eligible == 32);
  }
}

TEST_CASE("a model that is met before its first call has its tokens found in it, or when it is called") {
  for (const std::string computes :
       {"torch.embedding(self.weight, ids)", "torch.one_hot(ids, 50).float() @ self.weight"}) {
    const Folder folder;
    const Recording recording(config_for(folder));
    torch::jit::Module model("MetBefore");
    model.register_parameter("weight", at::randn({kVocabulary, kWidth}), false);
    model.define("def forward(self, ids):\n    return torch.cumsum(" + computes + ", 1)\n");
    auto& forward = model.get_method("forward").function();
    hooks::Discovery::of_process().meet(*model._ivalue(), forward);
    auto sae = sae_module("ReluSAE", kReluSource, kWidth, kFeatures);
    const auto rows = model.forward({at::randint(1, kVocabulary, {4, 8}, at::kLong)}).toTensor();
    run(sae, rows.reshape({-1, kWidth}), 0);
    CHECK(recording.counts().rows_resolved == 32);
  }
}
