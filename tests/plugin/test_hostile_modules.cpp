// Modules that fail in the middle of their work, change under us, or are larger than memory.
#include <doctest/doctest.h>

#include "plugin/store/store_reader.h"
#include "tests/plugin/hostile_calls.h"
#include "tests/reliability/fault_record.h"

using namespace saetap;
using namespace saetap::testing;

namespace {

// Remembers the latest tap, so that a test can make events of its own.
class TapCatcher : public hooks::Listener {
 public:
  TapCatcher() { hooks::Discovery::of_process().add(*this); }
  ~TapCatcher() override { hooks::Discovery::of_process().remove(*this); }
  hooks::Wanted on_meeting(const hooks::Meeting&) override { return {}; }
  void on_failure(const std::string&) override {}
  void on_features(const hooks::FeatureEvent& event) noexcept override {
    tap = event.tap;
    owner = event.owner;
  }
  void on_stream(const hooks::StreamEvent&) noexcept override {}

  int tap = -1;
  c10::IValue owner;
};

struct Recording {
  explicit Recording(const Config& config) : session(new Session(config, "test")), witness(add_witness(*session)) {
    session->start();
  }
  ~Recording() { session->finish(); }
  [[nodiscard]] SiteCounts counts(std::size_t site = 0) const { return session->sites().at(site).second; }

  Session* session;  // never destroyed, as in a process
  std::shared_ptr<Witness> witness;
};

// The site's tap fires before the failure, and a second site's behind it never does.
constexpr auto kFailingSource = R"(
def forward(self, x, fail: bool):
    features = torch.relu(torch.matmul(x - self.b_dec, self.W_enc) + self.b_enc)
    assert not fail or x.size(0) < 3, "in the middle"
    reconstruction = torch.matmul(features, self.W_dec) + self.b_dec
    assert not fail, "at the end"
    return reconstruction, features
)";

}  // namespace

TEST_CASE("a module that throws in the middle of its own forward throws the same, and its site goes on") {
  const auto run_all = [] {
    auto sae = sae_module("FailingSAE", kFailingSource, kWidth, kFeatures);
    std::vector<Outcome> outcomes;
    for (int step = 0; step < 12; ++step) {
      outcomes.push_back(outcome_of(sae, {at::ones({step % 3 == 0 ? 2 : 5, kWidth}), step % 2 == 0}));
    }
    return outcomes;
  };
  const auto plain = run_all();
  CHECK(count_of("at the end", plain[0].exception) > 0);
  CHECK(count_of("in the middle", plain[2].exception) > 0);
  const Folder folder;
  const Recording recording(config_for(folder));
  const CapturedErrors errors;
  CHECK((run_all() == plain));
  CHECK(errors.text().empty());
  // Six steps do not fail. Of the others 0 and 6 fail behind the decoder: TorchScript may do that first.
  const auto counts = recording.counts();
  CHECK(counts.calls >= 6);
  CHECK(counts.calls <= 8);
  CHECK(counts.rows_collected == 2 * 2 + 4 * 5 + 2 * (counts.calls - 6));
  CHECK(recording.witness->batches().size() == counts.calls);
  record_fault("input", "an SAE that throws in the middle of its forward", 6, "nothing");
}

TEST_CASE("one copy of a module that cannot be read is off, and the other copies of it go on") {
  const Folder folder;
  const Recording recording(planted_config(folder));
  auto first = planted_module();
  auto second = first.deepcopy();  // shares type, functions and taps
  const CapturedErrors errors;
  const auto numbers = at::ones({6, kFeatures}, at::kLong);
  for (int step = 0; step < 4; ++step) {
    outcome_of(first, {at::ones({6, kWidth})});
    outcome_of(second, {at::ones({6, kWidth})});
    outcome_of(second, {at::ones({6, kWidth}), numbers});
  }
  CHECK(count_of("switched off", errors.text()) == 1);
  CHECK(recording.counts(0).rows_collected == 4 * 6);
  CHECK(recording.counts(1).rows_collected == 6);
  // What passes by is counted still, so that the share seen is true.
  CHECK(recording.counts(1).rows_seen == 8 * 6);
}

TEST_CASE("no features at all and no rows at all do no harm") {
  const Folder folder;
  const Recording recording(planted_config(folder));
  auto none = sae_module("NoFeatures", kPlantedSource, kWidth, 0);
  auto plain = planted_module();
  const CapturedErrors errors;
  for (int step = 0; step < 3; ++step) {
    outcome_of(none, {at::ones({4, kWidth})});
    outcome_of(plain, {at::ones({0, kWidth})});
    outcome_of(plain, {at::ones({4, kWidth})});
  }
  CHECK(recording.session->checkpoint());
  CHECK(count_of("saetap: ", errors.text()) == 0);
  std::uint64_t rows = 0;
  for (const auto& [site, counts] : recording.session->sites()) rows += counts.rows_collected;
  CHECK(rows == 3 * 4);
  record_fault("input", "an SAE without features, and calls without rows", 6, "nothing");
}

TEST_CASE("calls in inference mode, and tensors that come out of it, are kept") {
  const Folder folder;
  const Recording recording(planted_config(folder));
  auto sae = planted_module();
  at::Tensor made_inside;
  {
    const c10::InferenceMode inference;
    made_inside = at::rand({6, kFeatures});
    outcome_of(sae, {at::ones({6, kWidth})});
    outcome_of(sae, {at::ones({6, kWidth}), made_inside});
  }
  const at::NoGradGuard no_grad;
  outcome_of(sae, {at::ones({6, kWidth}), made_inside});
  CHECK(recording.counts().rows_collected == 3 * 6);
  CHECK(recording.counts().steps == 0);
}

TEST_CASE("a decoder that is replaced, resized or freed during training costs no checkpoint and no crash") {
  const Folder folder;
  auto config = config_for(folder);
  auto* session = new Session(config, "test");
  session->start();
  auto sae = sae_module("ReluSAE", kReluSource, kWidth, kFeatures);
  auto other = sae_module("OtherSAE", kReluSource, kWidth, kFeatures);
  const at::NoGradGuard no_grad;
  const auto x = at::randn({20, kWidth});
  const auto decoder = sae.attr("W_dec").toTensor().requires_grad_(false);
  const auto weights = decoder.clone();
  std::size_t tries = 0;
  set_log_level(LogLevel::warning);
  const CapturedErrors errors;
  const auto save_beside = [&] {
    run(other, x, 0);
    CHECK(session->checkpoint());
    ++tries;
  };
  run(sae, x, 0);
  save_beside();
  // As trainers do that give up a parameter's memory between its uses.
  decoder.storage().unsafeGetStorageImpl()->set_data_ptr(at::DataPtr(nullptr, at::kCPU));
  decoder.storage().unsafeGetStorageImpl()->set_nbytes(0);
  save_beside();
  decoder.set_(weights.clone());
  run(sae, x, 0);
  save_beside();
  decoder.resize_({2 * kFeatures, kWidth});
  save_beside();
  decoder.resize_({0});
  save_beside();
  decoder.set_(weights.clone().fill_(std::numeric_limits<float>::quiet_NaN()));
  save_beside();
  decoder.set_(weights.to(at::kDouble));
  save_beside();
  sae.setattr("W_dec", weights.clone().set_requires_grad(true));
  run(sae, x, 0);
  save_beside();
  const auto sites = session->sites();
  session->finish();
  set_log_level(LogLevel::error);
  CHECK(errors.text().empty());  // there is nothing that anybody has to see to
  REQUIRE(sites.size() == 2);
  CHECK(sites[0].second.rows_collected == 3 * 20);
  CHECK(sites[1].second.rows_collected == tries * 20);
  const StoreReader store(folder.path());
  const auto kept = store.decoder_directions(0);
  const auto expected = weights.to(at::kHalf).to(at::kFloat).contiguous();
  REQUIRE(kept.size() == static_cast<std::size_t>(expected.numel()));
  CHECK(std::equal(kept.begin(), kept.end(), expected.const_data_ptr<float>()));
  record_fault("input", "a decoder replaced, resized, freed or full of NaN during training", tries, "nothing");
}

TEST_CASE("an SAE that grows new features: the old site is off with one line, the module made anew has its own") {
  const Folder folder;
  const Recording recording(config_for(folder));
  auto sae = sae_module("ReluSAE", kReluSource, kWidth, kFeatures);
  run(sae, at::randn({8, kWidth}), 0);
  const CapturedErrors errors;
  sae.setattr("W_enc", at::randn({kWidth, 2 * kFeatures}).set_requires_grad(true));
  sae.setattr("b_enc", at::zeros({2 * kFeatures}).set_requires_grad(true));
  sae.setattr("W_dec", at::randn({2 * kFeatures, kWidth}).set_requires_grad(true));
  for (int step = 0; step < 3; ++step) run(sae, at::randn({8, kWidth}), 0);
  CAPTURE(errors.text());
  CHECK(count_of("switched off", errors.text()) == 1);
  CHECK(recording.counts().rows_collected == 8);
  auto anew = loaded(saved_bytes(sae));
  run(anew, at::randn({8, kWidth}), 0);
  REQUIRE(recording.session->sites().size() == 2);
  CHECK(recording.session->sites()[1].first.features == 2 * kFeatures);
  CHECK(recording.counts(1).rows_collected == 8);
}

TEST_CASE(
    "more than 2^31 and 2^32 activations in a call are counted one by one; more rows than can be numbered are "
    "refused") {
  const Folder folder;
  auto config = config_for(folder);
  config.save_decoder = false;
  config.max_samples_per_feature = 3;
  config.random_samples_per_feature = 1;
  TapCatcher catcher;
  const Recording recording(config);
  constexpr int64_t kMany = int64_t{1} << 16;
  auto sae = sae_module("LargeSAE", kReluSource, 4, kMany);
  const at::NoGradGuard no_grad;
  run(sae, at::ones({1, 4}), 0);
  REQUIRE(catcher.tap >= 0);
  // A row that is repeated takes no memory; one feature in 4096 is active.
  auto row = at::zeros({kMany}, at::kBFloat16);
  row.index_put_({at::arange(0, kMany, 4096)}, at::scalar_tensor(2.0, at::kBFloat16));
  constexpr int64_t kRows = (int64_t{1} << 16) + 1;
  const auto values = row.expand({kRows, kMany});
  REQUIRE(values.numel() > int64_t{1} << 32);
  const at::Tensor none;
  const auto before = recording.witness->batches().size();
  recording.session->on_features({catcher.tap, values, none, none, catcher.owner, false, Phase::eval});
  REQUIRE(recording.witness->batches().size() == before + 1);
  const auto& batch = recording.witness->batches().back();
  CHECK(batch.eligible == kRows);
  for (int64_t f = 0; f < kMany; f += 2048) {
    const bool active = f % 4096 == 0;
    CHECK(batch.sums[static_cast<std::size_t>(f)].active == (active ? kRows : 0));
    CHECK(batch.sums[static_cast<std::size_t>(f)].sum == (active ? 2.0 * kRows : 0.0));
  }
  // 2^31 numbers that do lie in memory: those past the first 2^31 are read where they are.
  const auto real = at::zeros({(int64_t{1} << 15) + 8, kMany}, at::kBFloat16);
  real[-1][-1] = 3.0;
  recording.session->on_features({catcher.tap, real, none, none, catcher.owner, false, Phase::eval});
  const auto& last = recording.witness->batches().back();
  CHECK(last.eligible == real.size(0));
  CHECK(last.sums[kMany - 1].active == 1);
  REQUIRE(last.candidates.size() == 1);
  CHECK(last.candidates[0].row == static_cast<std::uint32_t>(real.size(0)) - 1);

  const CapturedErrors errors;
  const auto endless = row.expand({int64_t{1} << 33, kMany});
  for (int i = 0; i < 2; ++i) {
    recording.session->on_features({catcher.tap, endless, none, none, catcher.owner, false, Phase::eval});
  }
  CHECK(count_of("switched off", errors.text()) == 1);
  record_fault("input", "calls of more than 2^31, 2^32 and 2^48 activations", 4,
               "nothing; a call of more than 2^31 rows switches its site off");
}

TEST_CASE("pairs and sparse rows that lie about themselves are passed over, or switch the site off") {
  const Folder folder;
  TapCatcher catcher;
  const Recording recording(planted_config(folder));
  auto pairs = planted_module("PairSAE", kPlantedPairsSource);
  auto plain = planted_module();
  outcome_of(pairs, {at::ones({6, kWidth})});
  const auto of_pairs = std::pair(catcher.tap, catcher.owner);
  outcome_of(plain, {at::ones({6, kWidth})});
  const auto of_plain = std::pair(catcher.tap, catcher.owner);
  REQUIRE(recording.session->sites().size() == 2);
  const auto tell = [&](const auto& of, const at::Tensor& values, const at::Tensor& indices) {
    recording.session->on_features({of.first, values, indices, at::Tensor(), of.second, false, Phase::eval});
  };
  const auto three = at::ones({2, 3});
  tell(of_pairs, three, at::tensor({0, 0, 0, 1, 1, 5}, at::kLong).view({2, 3}));  // the sum of what names it twice
  const auto& sums = recording.witness->batches().back().sums;
  CHECK(sums[0].sum == 3);
  CHECK(sums[1].sum == 2);
  CHECK(sums[5].sum == 1);
  const CapturedErrors errors;
  tell(of_pairs, three, at::tensor({0, 1}, at::kLong).view({2, 1}));
  CHECK(count_of("switched off", errors.text()) == 1);

  const auto starts = at::tensor(std::vector<int64_t>{0, int64_t{1} << 40, 2}, at::kLong);
  const auto crooked = at::_sparse_csr_tensor_unsafe(starts, at::tensor({0, 1}, at::kLong), at::ones({2}),
                                                     {2, kFeatures}, at::TensorOptions().dtype(at::kFloat));
  for (int i = 0; i < 2; ++i) tell(of_plain, crooked, at::Tensor());
  CHECK(count_of("switched off", errors.text()) == 2);
  CHECK(recording.session->checkpoint());
}
