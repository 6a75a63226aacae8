// The scan on an accelerator, with the host in its place: the same operations, held against the scan on the host.
#include <doctest/doctest.h>

#include <algorithm>
#include <tuple>

#include "tests/captured_errors.h"
#include "tests/plugin/device_scan_cases.h"
#include "tests/plugin/session_witness.h"

using namespace saetap;
using namespace saetap::testing;

TEST_CASE("a batch scanned as on an accelerator gives what the scan on the host gives") {
  std::srand(11);
  at::manual_seed(11);
  for (const auto type : {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16}) {
    for (const double active : {0.01, 0.2, 1.0}) {
      const std::int64_t rows = 1 + std::rand() % 60, features = 1 + std::rand() % 300;
      const auto code = random_code(rows, features, active).to(type);
      const auto wanted = random_wanted(rows, features);
      TappedCall call;
      call.rows = rows;
      call.dense = code;
      const auto entries = gather_active(code, rows * features);
      CHECK(entries.count.item<std::int64_t>() == code.ne(0).sum().item<std::int64_t>());
      check_same(on_device(entries, features, wanted), on_host(call.activations(), features, wanted));
    }
  }
}

TEST_CASE("pairs scanned as on an accelerator give what they give on the host") {
  std::srand(12);
  at::manual_seed(12);
  for (int turn = 0; turn < 20; ++turn) {
    const std::int64_t rows = 1 + std::rand() % 40, features = 2 + std::rand() % 200;
    const auto top =
        at::topk(random_code(rows, features, 0.5).nan_to_num(0, 3, -3), std::min<std::int64_t>(features, 7));
    const auto wanted = random_wanted(rows, features);
    TappedCall call;
    call.rows = rows;
    call.values = std::get<0>(top).contiguous();
    call.features = std::get<1>(top).contiguous();
    const auto entries = gather_pairs(call.values, call.features);
    check_same(on_device(entries, features, wanted), on_host(call.activations(), features, wanted));
  }
}

TEST_CASE("too little room on an accelerator is told, for active values and for candidates") {
  const auto code = at::ones({10, 20});
  const auto entries = gather_active(code, 150);
  CHECK(entries.room() == 150);
  CHECK(entries.count.item<std::int64_t>() == 200);
  Wanted wanted = random_wanted(10, 20);
  std::fill(wanted.eligible.begin(), wanted.eligible.end(), std::uint8_t{1});
  std::fill(wanted.bars.activation.begin(), wanted.bars.activation.end(), 0.5f);
  const auto request = to_device(at::kCPU, wanted.eligible, wanted.row_hashes, wanted.bars);
  CollectedBatch batch;
  CHECK_FALSE(read_findings(scan_entries(gather_active(code, 200), 20, request, 199).to_host(), 20, batch));
  CHECK(read_findings(scan_entries(gather_active(code, 200), 20, request, 200).to_host(), 20, batch));
  CHECK(batch.found[0].candidates.size() == 200);
}

namespace {

std::vector<std::tuple<std::uint32_t, std::uint32_t, float>> strong_candidates(const SeenBatch& batch) {
  std::vector<std::tuple<std::uint32_t, std::uint32_t, float>> strong;
  for (const auto& one : batch.candidates) {
    if (one.activation >= 0.5f) strong.emplace_back(one.row, one.feature, one.activation);
  }
  std::sort(strong.begin(), strong.end());
  return strong;
}

}  // namespace

// The same model, SAE and batches through two sessions, one of which takes the host for an accelerator that is late.
TEST_CASE("calls that are handled when the device got so far keep what calls handled at once keep") {
  std::vector<std::vector<SeenBatch>> seen;
  for (const int asked : {-1, 0, 3}) {
    at::manual_seed(13);
    const Folder folder;
    auto* session = new Session(config_for(folder), "test");  // never destroyed, as in a process
    const auto witness = add_witness(*session);
    if (asked >= 0) session->take_host_for_device(asked);
    session->start();
    auto model = prefix_model(kVocabulary, kWidth);
    auto sae = sae_module("TopKSAE", kTopKSource, kWidth, kFeatures);
    for (int step = 0; step < 12; ++step) {
      const auto tokens = at::randint(1, kVocabulary, {6, 10}, at::kLong);
      const auto rows = model.forward({tokens}).toTuple()->elements()[0].toTensor().reshape({-1, kWidth}).detach();
      run(sae, rows.index_select(0, at::randperm(rows.size(0), at::kLong)), 0);
    }
    session->settle();
    CHECK(session->sites().at(0).second.rows_resolved == 12 * 60);
    seen.push_back(witness->batches());
    session->finish();
  }
  for (std::size_t other = 1; other < seen.size(); ++other) {
    REQUIRE(seen[other].size() == seen[0].size());
    for (std::size_t i = 0; i < seen[0].size(); ++i) {
      CHECK(seen[other][i].step == seen[0][i].step);
      CHECK(seen[other][i].eligible == seen[0][i].eligible);
      const bool same_places = seen[other][i].positions == seen[0][i].positions;
      CHECK(same_places);
      // Bars that came later leave more in; what reaches the witness's own (0.5) is in all of them.
      const bool same_candidates = strong_candidates(seen[other][i]) == strong_candidates(seen[0][i]);
      CHECK(same_candidates);
      for (std::size_t f = 0; f < seen[0][i].sums.size(); ++f) {
        CHECK(seen[other][i].sums[f].active == seen[0][i].sums[f].active);
        CHECK(seen[other][i].sums[f].sum == doctest::Approx(seen[0][i].sums[f].sum));
      }
    }
  }
}

namespace {

enum class Afterwards : std::uint8_t { nothing, features_changed };

// One call with more active features than there is room for at first (256 of a row), handled as on an accelerator.
struct Crowded {
  explicit Crowded(bool inference, Afterwards afterwards) {
    Folder folder;
    const CapturedErrors errors;
    auto* session = new Session(config_for(folder), "test");  // never destroyed, as in a process
    const auto witness = add_witness(*session);
    session->take_host_for_device(2);
    session->start();
    set_log_level(LogLevel::warning);
    auto sae = sae_module("SAE", kReluSource, kWidth, 600);
    {
      const at::NoGradGuard no_grad;
      sae.attr("b_enc").toTensor().fill_(3);
    }
    const c10::InferenceMode mode(inference);
    const auto features = run(sae, at::randn({20, kWidth}), 1).detach();
    active = features.gt(0).sum(0);
    if (afterwards == Afterwards::features_changed) const_cast<at::Tensor&>(features).zero_();
    session->settle();
    batches = witness->batches();
    session->finish();
    told = errors.text();
  }

  at::Tensor active;
  std::vector<SeenBatch> batches;
  std::string told;
};

}  // namespace

TEST_CASE("more active features than there was room for are looked for again") {
  for (const bool inference : {false, true}) {
    CAPTURE(inference);
    const Crowded call(inference, Afterwards::nothing);
    REQUIRE(call.active.sum().item<int64_t>() > 20 * 256);
    REQUIRE(call.batches.size() == 1);
    for (int64_t f = 0; f < 600; ++f) {
      CHECK(call.batches[0].sums[static_cast<std::size_t>(f)].active == call.active[f].item<int64_t>());
    }
    CHECK(call.told.empty());
  }
}

TEST_CASE("if they were changed meanwhile the call is lost, and that is said") {
  const Crowded call(false, Afterwards::features_changed);
  CHECK(call.batches.empty());
  CHECK(call.told.find("they were changed meanwhile") != std::string::npos);
  CHECK(call.told.find("1 calls were lost") != std::string::npos);
}
