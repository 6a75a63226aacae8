// The whole way inside one process: a language model's rows, shuffled, through an SAE, brought back to their tokens.
#include <doctest/doctest.h>

#include <map>

#include "plugin/store/store_reader.h"
#include "tests/plugin/session_witness.h"

using namespace saetap;
using namespace saetap::testing;

namespace {

class Failing : public Callback {
 public:
  void on_batch(const Batch&) override {
    ++calls;
    throw std::runtime_error("on purpose");
  }
  int calls = 0;
};

// Token rows and what a language model made of them, flattened as a buffer holds them.
struct Corpus {
  at::Tensor tokens;  // [sequences, length]
  at::Tensor rows;    // [sequences * length, d]
};

Corpus run_model(torch::jit::Module& model, int64_t sequences, int64_t length) {
  const at::NoGradGuard no_grad;
  Corpus corpus;
  corpus.tokens = at::randint(1, kVocabulary, {sequences, length}, at::kLong);
  corpus.rows = model.forward({corpus.tokens}).toTuple()->elements()[0].toTensor().reshape({-1, kWidth});
  return corpus;
}

TokenPosition expected_position(const Corpus& corpus, int64_t row) {
  const auto length = corpus.tokens.size(1);
  const auto sequence = corpus.tokens[row / length];
  std::vector<std::int32_t> ids;
  for (int64_t t = 0; t < length; ++t) ids.push_back(static_cast<std::int32_t>(sequence[t].item<int64_t>()));
  return {sequence_id(ids), static_cast<std::uint32_t>(row % length)};
}

}  // namespace

TEST_CASE("rows of a shuffled buffer are brought back to their tokens, every one right") {
  const Folder folder;
  auto* session = new Session(config_for(folder), "test");  // never destroyed, as in a process
  const auto witness = add_witness(*session);
  session->start();
  auto model = prefix_model(kVocabulary, kWidth);
  auto sae = sae_module("ReluSAE", kReluSource, kWidth, kFeatures);

  const auto first = run_model(model, 40, 12);
  const auto second = run_model(model, 24, 9);  // another batch shape in the same buffer
  const auto all = at::cat({first.rows, second.rows});
  const auto order = at::randperm(all.size(0), at::kLong);
  run(sae, all.index_select(0, order), 0);

  REQUIRE(witness->batches().size() == 1);
  const auto& positions = witness->batches()[0].positions;
  REQUIRE(positions.size() == static_cast<std::size_t>(all.size(0)));
  // Rows with equal bits (two sequences that begin alike) may be handed out in either order: compare as multisets per
  // row.
  std::map<std::string, std::vector<std::pair<SequenceId, std::uint32_t>>> wanted, got;
  for (int64_t i = 0; i < all.size(0); ++i) {
    const auto row = order[i].item<int64_t>();
    const auto expected =
        row < first.rows.size(0) ? expected_position(first, row) : expected_position(second, row - first.rows.size(0));
    const auto bits = all[row].contiguous();
    const std::string key(static_cast<const char*>(bits.const_data_ptr()), kWidth * sizeof(float));
    wanted[key].emplace_back(expected.sequence, expected.position);
    got[key].emplace_back(positions[static_cast<std::size_t>(i)].sequence,
                          positions[static_cast<std::size_t>(i)].position);
  }
  std::size_t unique = 0;
  for (auto& [key, places] : wanted) {
    std::sort(places.begin(), places.end());
    std::sort(got[key].begin(), got[key].end());
    CHECK(places == got[key]);
    unique += places.size() == 1 ? 1 : 0;
  }
  CHECK(unique > 300);
  const auto counts = session->sites().at(0).second;
  CHECK(counts.rows_resolved == static_cast<std::uint64_t>(all.size(0)));

  // Rows that no model returned stay unresolved, and say so.
  run(sae, at::randn({10, kWidth}), 0);
  CHECK(session->sites().at(0).second.rows_resolved == static_cast<std::uint64_t>(all.size(0)));
  CHECK_FALSE(has_tokens(witness->batches()[1].positions[0].sequence));
  session->finish();
}

TEST_CASE("ignored tokens never count") {
  const Folder folder;
  auto config = config_for(folder);
  config.tokens.ignore_token_ids = std::vector<std::int32_t>{7};
  config.tokens.document_boundary_ids = std::vector<std::int32_t>{};
  config.tokens.ignore_first_positions = 2;
  auto* session = new Session(config, "test");
  const auto witness = add_witness(*session);
  session->start();
  auto model = prefix_model(kVocabulary, kWidth);
  auto sae = sae_module("ReluSAE", kReluSource, kWidth, kFeatures);
  // Padding at the left, the ignored id in the middle and at the end.
  const auto tokens = at::tensor({7, 7, 1, 2, 3, 7, 4, 5, 7}, at::kLong).unsqueeze(0);
  const auto rows = model.forward({tokens}).toTuple()->elements()[0].toTensor().reshape({-1, kWidth});
  run(sae, rows, 0);
  session->finish();

  const auto& batch = witness->batches().at(0);
  // Left: 3 at position 2, 4 at 4 and 5 at 5 of the stripped sequence 1 2 3 7 4 5.
  CHECK(batch.eligible == 3);
  const std::vector<std::int32_t> stripped{1, 2, 3, 7, 4, 5};
  CHECK(batch.positions[4] == TokenPosition{sequence_id(stripped), 2});
  CHECK(batch.positions[6] == TokenPosition{sequence_id(stripped), 4});
  CHECK(batch.positions[7] == TokenPosition{sequence_id(stripped), 5});
  for (const auto& candidate : batch.candidates)
    CHECK((candidate.row == 4 || candidate.row == 6 || candidate.row == 7));
}

TEST_CASE("collection frequency") {
  const Folder folder;
  auto config = config_for(folder);
  config.sample_collection_freq = 3;
  auto* session = new Session(config, "test");
  const auto witness = add_witness(*session);
  session->start();
  auto model = prefix_model(kVocabulary, kWidth);
  auto sae = sae_module("ReluSAE", kReluSource, kWidth, kFeatures);
  std::vector<Corpus> corpora;
  for (int step = 0; step < 10; ++step) {
    corpora.push_back(run_model(model, 4, 8));
    // What step 3 and later steps are given was returned two steps before: recorded on a step that was not collected.
    run(sae, corpora[static_cast<std::size_t>(std::max(0, step - 2))].rows, 0);
  }
  session->finish();

  std::vector<std::uint64_t> collected;
  for (const auto& batch : witness->batches()) collected.push_back(batch.step);
  CHECK(collected == std::vector<std::uint64_t>{0, 3, 6, 9});
  CHECK(witness->steps().size() == 10);
  const auto counts = session->sites().at(0).second;
  CHECK(counts.steps == 10);
  CHECK(counts.steps_collected == 4);
  CHECK(counts.rows_seen == 10 * 32);
  CHECK(counts.rows_collected == 4 * 32);
  CHECK(counts.rows_resolved == 4 * 32);
  const auto& last = witness->batches().back();
  CHECK(last.positions[5] == expected_position(corpora[7], 5));
}

TEST_CASE("a second callback gets every event, with its own bars; one that fails is switched off alone") {
  const Folder folder;
  auto* session = new Session(config_for(folder), "test");
  const auto failing = std::make_shared<Failing>();
  session->add_callback("failing", failing);
  const auto witness = add_witness(*session);
  session->start();
  auto sae = sae_module("TopKSAE", kTopKSource, kWidth, kFeatures);
  std::vector<at::Tensor> features;
  for (int step = 0; step < 3; ++step) features.push_back(run(sae, at::randn({20, kWidth}), 1).detach());
  {
    const at::NoGradGuard no_grad;
    features.push_back(run(sae, at::randn({20, kWidth}), 1));
  }
  CHECK(session->checkpoint());
  session->finish();

  CHECK(failing->calls == 1);
  CHECK(witness->attached() == std::vector<std::string>{"TopKSAE.forward.48"});
  REQUIRE(witness->batches().size() == 4);
  CHECK(witness->batches()[2].phase == Phase::train);
  CHECK(witness->batches()[3].phase == Phase::eval);
  CHECK(witness->batches()[3].step == 2);  // a call without gradients belongs to the latest step
  CHECK(witness->steps().size() == 3);
  CHECK(witness->checkpoints() == std::vector<bool>{false, true});
  CHECK(witness->finished() == 1);
  for (std::size_t i = 0; i < 4; ++i) {
    // Sums and candidates against LibTorch's own arithmetic.
    const auto& batch = witness->batches()[i];
    const auto active = features[i].gt(0).sum(0);
    const auto sums = features[i].to(at::kDouble).sum(0);
    for (int64_t f = 0; f < kFeatures; ++f) {
      CHECK(batch.sums[static_cast<std::size_t>(f)].active == static_cast<std::uint32_t>(active[f].item<int64_t>()));
      CHECK(batch.sums[static_cast<std::size_t>(f)].sum == doctest::Approx(sums[f].item<double>()));
    }
    // The collector asks for 0.01 upwards, the witness for 0.5: each candidate of the lower bar is offered.
    std::size_t at_least = 0;
    for (const auto& candidate : batch.candidates) at_least += candidate.activation >= 0.5f ? 1 : 0;
    CHECK(at_least == static_cast<std::size_t>(features[i].ge(0.5).sum().item<int64_t>()));
  }
}

TEST_CASE("what is saved holds the strongest activations, the statistics and the decoder") {
  const Folder folder;
  auto config = config_for(folder);
  config.max_samples_per_feature = 5;
  auto* session = new Session(config, "test");
  session->start();
  auto model = prefix_model(kVocabulary, kWidth);
  auto sae = sae_module("ReluSAE", kReluSource, kWidth, kFeatures);
  std::vector<at::Tensor> features;
  for (int step = 0; step < 4; ++step) {
    const auto corpus = run_model(model, 10, 12);
    features.push_back(run(sae, corpus.rows.index_select(0, at::randperm(120, at::kLong)), 1).detach());
  }
  session->finish();

  const StoreReader store(folder.path());
  REQUIRE(store.sites().size() == 1);
  const auto all = at::cat(features);
  for (const auto scope : {Scope::recent, Scope::all_time}) {
    const auto statistics = store.statistics(0, scope);
    for (int64_t f = 0; f < kFeatures; ++f) {
      const auto column = all.select(1, f);
      CHECK(statistics[static_cast<std::size_t>(f)].active ==
            static_cast<std::uint64_t>(column.gt(0).sum().item<int64_t>()));
      CHECK(statistics[static_cast<std::size_t>(f)].max == column.max().item<float>());
      const auto top = std::get<0>(at::topk(column, 5));
      const auto samples = store.samples(0, static_cast<std::uint32_t>(f), scope);
      REQUIRE(samples.size() == 5);
      for (int64_t i = 0; i < 5; ++i) {
        CHECK(samples[static_cast<std::size_t>(i)].activation == top[i].item<float>());
        CHECK(has_tokens(samples[static_cast<std::size_t>(i)].sequence));
      }
    }
  }
  const auto directions = store.decoder_directions(0);
  const auto expected = sae.attr("W_dec").toTensor().detach().to(at::kHalf).to(at::kFloat).contiguous();
  REQUIRE(directions.size() == static_cast<std::size_t>(expected.numel()));
  CHECK(std::equal(directions.begin(), directions.end(), expected.const_data_ptr<float>()));
}

TEST_CASE("the store counts the tokens of the rows that counted, where they are known") {
  struct Way {
    int behind;  // calls that a device is behind; -1: all is on the host
    Redact redact;
  };
  for (const auto& [behind, redact] : {Way{-1, Redact::nothing}, Way{3, Redact::text}, Way{-1, Redact::tokens}}) {
    at::manual_seed(17);
    const Folder folder;
    auto config = config_for(folder);
    config.redact = redact;
    config.sample_window_steps = {WindowRule::Kind::fixed, 2};
    config.tokens.ignore_token_ids = std::vector<std::int32_t>{7};
    config.tokens.document_boundary_ids = std::vector<std::int32_t>{};
    auto* session = new Session(config, "test");
    if (behind >= 0) session->take_host_for_device(behind);
    session->start();
    auto model = prefix_model(kVocabulary, kWidth);
    auto sae = sae_module("TopKSAE", kTopKSource, kWidth, kFeatures);
    std::map<std::int32_t, std::uint64_t> recent, all_time;
    std::uint64_t known = 0;
    for (int step = 0; step < 7; ++step) {
      const auto corpus = run_model(model, 6, 11);
      const auto order = at::randperm(66, at::kLong).slice(0, 0, 40);
      const auto ids = corpus.tokens.flatten().index_select(0, order);
      for (int64_t i = 0; i < ids.numel(); ++i) {
        const auto id = static_cast<std::int32_t>(ids[i].item<int64_t>());
        if (id == 7) continue;
        ++known;
        ++all_time[id];
        if (step >= 4) ++recent[id];  // windows of two steps: the third one is the newest closed
      }
      // Rows that no model returned count, and are of no token.
      run(sae, at::cat({corpus.rows.index_select(0, order), at::randn({5, kWidth})}), 0);
      if (step % 3 == 2) CHECK(session->checkpoint());
    }
    session->finish();

    const StoreReader store(folder.path());
    using Counts = std::vector<std::pair<std::int32_t, std::uint64_t>>;
    CHECK(store.sites().at(0).all_time.eligible == known + 7 * 5);
    const bool kept = redact != Redact::tokens;
    CHECK(store.token_counts(0, Scope::recent) == (kept ? Counts(recent.begin(), recent.end()) : Counts()));
    CHECK(store.token_counts(0, Scope::all_time) == (kept ? Counts(all_time.begin(), all_time.end()) : Counts()));
  }
}
