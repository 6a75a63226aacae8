// Tokens that are none, that do not fit the rows, or are too many: the model's own results stay what they are, and
// every token that is kept is right.
#include <doctest/doctest.h>

#include <fstream>

#include "plugin/saetap.h"
#include "plugin/session/process.h"
#include "plugin/store/store_reader.h"
#include "tests/plugin/hostile_calls.h"
#include "tests/reliability/fault_record.h"

using namespace saetap;
using namespace saetap::testing;

namespace {

struct Recording {
  explicit Recording(const Config& config) : session(new Session(config, "test")), witness(add_witness(*session)) {
    session->start();
  }
  ~Recording() { session->finish(); }
  [[nodiscard]] SiteCounts counts() const { return session->sites().at(0).second; }

  Session* session;  // never destroyed, as in a process
  std::shared_ptr<Witness> witness;
};

// A model that looks nothing up, so that it takes whatever it is given: each row depends on the tokens up to its own.
constexpr auto kModelSource = R"(
def forward(self, tokens, attention_mask: Optional[Tensor] = None):
    numbers = torch.cumsum(torch.sin(tokens.to(7) * 1.7), -1).to(6)
    return torch.sin(numbers.unsqueeze(-1) * self.waves), numbers
)";

torch::jit::Module tolerant_model() {
  torch::manual_seed(2);
  torch::jit::Module model("TolerantModel");
  model.register_parameter("waves", at::rand({kWidth}) + 0.1, false);
  model.define(kModelSource);
  return model;
}

// Sequences of which no two begin alike, nor with one that was made from another `first`.
at::Tensor good_tokens(int64_t first) {
  auto tokens = at::randint(1, 900, {4, 9}, at::kLong);
  tokens.select(1, 0).copy_(at::arange(first, first + 4, at::kLong));
  return tokens;
}

std::size_t resolved(const SeenBatch& batch) {
  return static_cast<std::size_t>(std::count_if(batch.positions.begin(), batch.positions.end(),
                                                [](const auto& at) { return has_tokens(at.sequence); }));
}

// How many rows of the batch have just the token that they were made from; `tokens`: [B, T], rows in order.
std::size_t right(const SeenBatch& batch, const at::Tensor& tokens) {
  std::size_t count = 0;
  const auto ids = tokens.to(at::kInt).contiguous();
  const auto length = static_cast<std::size_t>(tokens.size(1));
  SequenceId sequence = 0;
  for (std::size_t row = 0; row < batch.positions.size(); ++row) {
    if (row % length == 0) sequence = sequence_id({ids.const_data_ptr<std::int32_t>() + row, length});
    const TokenPosition wanted{sequence, static_cast<std::uint32_t>(row % length)};
    count += batch.positions[row] == wanted ? 1 : 0;
  }
  return count;
}

// A line of this process's status.
long kib_of(const std::string& name) {
  std::ifstream status("/proc/self/status");
  std::string word;
  long kib = 0;
  while (status >> word && word != name) {
  }
  status >> kib;
  return kib;
}

struct Strange {
  std::string what;
  std::vector<c10::IValue> inputs;
  bool switches_off = false;  // the model's tokens, that is
};

// A strange call between good ones: what the model returns and what the SAE makes of it.
std::vector<Outcome> run_between(const Strange& strange, const at::Tensor& before, const at::Tensor& after) {
  auto model = tolerant_model();
  auto sae = sae_module("ReluSAE", kReluSource, kWidth, kFeatures);
  const at::NoGradGuard no_grad;
  std::vector<Outcome> outcomes;
  for (const auto& inputs : {std::vector<c10::IValue>{before}, strange.inputs, std::vector<c10::IValue>{after}}) {
    outcomes.push_back(outcome_of(model, inputs));
    if (!outcomes.back().exception.empty()) continue;
    const auto rows = outcomes.back().tensors[0];
    outcomes.push_back(outcome_of(sae, {rows.reshape({-1, kWidth})}));
  }
  return outcomes;
}

void check_strange(const Strange& strange) {
  CAPTURE(strange.what);
  const auto before = good_tokens(0), after = good_tokens(1000);
  const auto plain = run_between(strange, before, after);
  const Folder folder;
  const Recording recording(config_for(folder));
  const CapturedErrors errors;
  CHECK((run_between(strange, before, after) == plain));
  CAPTURE(errors.text());
  CHECK(count_of("switched off  tokens from TolerantModel", errors.text()) == (strange.switches_off ? 1 : 0));
  CHECK(count_of("saetap: ", errors.text()) == (strange.switches_off ? 1 : 0));
  const auto& batches = recording.witness->batches();
  REQUIRE(batches.size() >= 2);
  CHECK(right(batches.front(), before) == 36);
  CHECK(right(batches.back(), after) == (strange.switches_off ? 0 : 36));
  // What has no token says so, and none is made up.
  if (strange.switches_off) CHECK(resolved(batches.back()) == 0);
}

}  // namespace

TEST_CASE("tokens and masks of wrong shapes, types and values leave the model alone, and what comes after is right") {
  at::manual_seed(6);
  const auto tokens = good_tokens(500);
  const auto too_large = tokens.clone();
  too_large[1][4] = int64_t{1} << 31;
  const auto far_too_large = tokens.clone();
  far_too_large[3][8] = std::numeric_limits<int64_t>::min();
  const auto nan = at::full({4, 9}, std::numeric_limits<double>::quiet_NaN(), at::kFloat);
  const std::vector<Strange> all{
      {"numbers", {tokens.to(at::kFloat)}},
      {"not a number", {nan}},
      {"one row", {tokens[0]}},
      {"three dimensions", {tokens.view({2, 2, 9})}},
      {"a number", {tokens[0][0]}},
      {"no length", {at::zeros({4, 0}, at::kLong)}},
      {"no sequences", {at::zeros({0, 9}, at::kLong)}},
      {"one token", {tokens.slice(0, 0, 1).slice(1, 0, 1)}},
      {"truth values", {tokens.gt(400)}},
      {"small integers", {tokens.remainder(100).to(at::kByte)}},
      {"integers of 16 bits", {tokens.to(at::kShort)}},
      {"integers of 32 bits", {tokens.to(at::kInt)}},
      {"one sequence many times", {tokens.slice(0, 0, 1).expand({4, 9})}},
      {"every second token", {at::stack({tokens, tokens}, -1).select(-1, 0)}},
      {"negative ids", {-tokens}},
      {"ids above 2^31", {too_large}, true},
      {"ids below -2^31", {far_too_large}, true},
      {"a mask of another length", {tokens, at::ones({4, 8}, at::kLong)}},
      {"a mask of another batch", {tokens, at::ones({2, 9}, at::kLong)}},
      {"a mask that is a number", {tokens, at::scalar_tensor(1)}},
      {"a mask without numbers", {tokens, at::ones({4, 0}, at::kLong)}},
      {"a mask that leaves nothing", {tokens, at::zeros({4, 9}, at::kLong)}},
      {"a mask of NaN", {tokens, nan}},
      {"a mask of complex numbers", {tokens, at::ones({4, 9}, at::kComplexFloat)}},
      {"a sparse mask", {tokens, at::ones({4, 9}).to_sparse()}},
      {"a mask on no device", {tokens, at::ones({4, 9}, at::TensorOptions(at::kMeta))}},
  };
  for (const auto& strange : all) check_strange(strange);
  record_fault("input", "tokens and masks of wrong shapes, types and values", all.size(),
               "nothing; ids that do not fit into 32 bits switch a model's tokens off");
}

TEST_CASE("one sequence of a million tokens is remembered and found, without much more memory than it has itself") {
  const Folder folder;
  const Recording recording(config_for(folder));
  auto model = tolerant_model();
  auto sae = sae_module("ReluSAE", kReluSource, kWidth, kFeatures);
  const at::NoGradGuard no_grad;
  model.forward({good_tokens(0)});
  const auto tokens = at::randint(1, 100000, {1, 1000000}, at::kLong);
  const auto rows = model.forward({tokens}).toTupleRef().elements()[0].toTensor().reshape({-1, kWidth});
  run(sae, rows.slice(0, 900000, 900100).clone(), 0);
  const auto resident = kib_of("VmRSS:");
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak is counted from here
  run(sae, rows, 0);
  recording.session->settle();
  CHECK(kib_of("VmHWM:") - resident < 3 << 20);
  CHECK(right(recording.witness->batches().back(), tokens) == 1000000);
  const auto id = recording.witness->batches().back().positions[0].sequence;
  const auto& part = recording.witness->batches().front().positions;
  for (std::size_t i = 0; i < part.size(); ++i)
    CHECK(part[i] == TokenPosition{id, 900000 + static_cast<std::uint32_t>(i)});
  CHECK(recording.session->checkpoint());
  record_fault("input", "one sequence of 1,000,000 tokens", 1, "nothing");
}

TEST_CASE("tokens that the program tells: what cannot be is refused with a reason, what does not fit has no effect") {
  const Folder folder;
  std::string why;
  REQUIRE(start_process_session(config_for(folder), why) == SAETAP_OK);
  const std::vector<std::int64_t> tokens{1, 2, 3, 4, 5, 6}, rows{0, 5};
  constexpr std::int64_t kHuge = std::int64_t{1} << 40, kMost = std::numeric_limits<std::int64_t>::max();
  const std::vector<ToldTokens> refused{
      {nullptr, 2, 3, nullptr, nullptr, 0},
      {tokens.data(), 0, 3, nullptr, nullptr, 0},
      {tokens.data(), 2, 0, nullptr, nullptr, 0},
      {tokens.data(), -1, 3, nullptr, nullptr, 0},
      {tokens.data(), kHuge, kHuge, nullptr, nullptr, 0},
      {tokens.data(), kMost, 2, nullptr, nullptr, 0},
      {tokens.data(), 2, kMost, nullptr, nullptr, 0},
      {tokens.data(), 2, 3, nullptr, rows.data(), -1},
      {tokens.data(), 2, 3, nullptr, nullptr, 2},
  };
  for (const auto& told : refused) {
    why.clear();
    CHECK(set_process_tokens(told, why) == SAETAP_FAILED);
    CHECK(why == "tokens have to be [batch, length] with both above 0, and rows [row_count]");
  }
  for (const auto id : {std::int64_t{1} << 31, -(std::int64_t{1} << 31) - 1, kMost}) {
    const std::vector<std::int64_t> one{1, id};
    CHECK(set_process_tokens({one.data(), 1, 2, nullptr, nullptr, 0}, why) == SAETAP_FAILED);
    CHECK(why == "token " + std::to_string(id) + " does not fit into 32 bits");
  }
  REQUIRE(stop_process_session(why) == SAETAP_OK);
  record_fault("input", "tokens told in shapes that overflow, with ids and rows out of range", refused.size() + 3,
               "nothing: refused with a reason");
}

TEST_CASE(
    "told rows that lie outside of the told tokens have none, and told tokens that do not fit the call are not used") {
  const Folder folder;
  auto config = config_for(folder);
  config.tokens.source = TokenSourceChoice::told;
  const Recording recording(config);
  auto sae = sae_module("ReluSAE", kReluSource, kWidth, kFeatures);
  const std::vector<std::int32_t> ids{1, 2, 3, 4, -5, 6};
  const auto of = [&](std::size_t place) {
    const std::span<const std::int32_t> all(ids);
    return TokenPosition{sequence_id(all.subspan(place / 3 * 3, 3)), static_cast<std::uint32_t>(place % 3)};
  };
  constexpr auto kLeast = std::numeric_limits<std::int64_t>::min(), kMost = std::numeric_limits<std::int64_t>::max();
  const std::vector<std::int64_t> rows{4, -1, 6, kMost, kLeast, 0, 4};
  recording.session->set_tokens({ids, 3, {}}, rows);
  run(sae, at::randn({7, kWidth}), 0);
  const auto& batch = recording.witness->batches().back();
  for (const std::size_t row : {0u, 6u}) CHECK(batch.positions[row] == of(4));
  CHECK(batch.positions[5] == of(0));
  CHECK(resolved(batch) == 3);
  CHECK(batch.eligible == 7);

  const std::vector<std::uint8_t> mask{0, 0, 0, 0, 0, 0}, short_mask{1, 1};
  recording.session->set_tokens({ids, 3, mask}, {});
  run(sae, at::randn({6, kWidth}), 0);
  CHECK(recording.witness->batches().back().eligible == 0);
  for (const auto& told :
       {TokenMatrix{ids, 4, {}}, TokenMatrix{ids, 0, {}}, TokenMatrix{{}, 3, {}}, TokenMatrix{ids, 3, short_mask}}) {
    recording.session->set_tokens(told, {});
    run(sae, at::randn({6, kWidth}), 0);
    CHECK(resolved(recording.witness->batches().back()) == 0);
    CHECK(recording.witness->batches().back().eligible == 6);
  }
  recording.session->set_tokens({ids, 3, {}}, {});
  run(sae, at::randn({5, kWidth}), 0);  // another number of rows
  CHECK(resolved(recording.witness->batches().back()) == 0);
}
