// On a GPU: the scan there, and whole sessions, held against the host. Says so and passes where there is none.
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "tests/plugin/device_scan_cases.h"
#include "tests/plugin/session_witness.h"

using namespace saetap;
using namespace saetap::testing;

namespace {

bool no_gpu() {
  const bool none = !at::hasCUDA();
  if (none) MESSAGE("no GPU here: nothing was tested");
  return none;
}

// What the session should have seen of one step, by the tensors themselves.
struct Expected {
  at::Tensor features;                   // on the host
  std::vector<TokenPosition> positions;  // one per row
};

// The model reads new tokens, and the SAE its rows in another order, all on the GPU.
Expected train_step(torch::jit::Module& model, torch::jit::Module& sae) {
  const auto tokens = at::randint(1, kVocabulary, {6, 10}, at::kLong);
  const auto order = at::randperm(60, at::kLong);
  const auto rows = model.forward({tokens.to(at::kCUDA)}).toTuple()->elements()[0].toTensor().reshape({-1, kWidth});
  const auto features = run(sae, rows.index_select(0, order.to(at::kCUDA)).detach(), 1);
  Expected expected{features.detach().to(at::kCPU, at::kFloat), {}};
  for (std::int64_t i = 0; i < 60; ++i) {
    const auto row = order[i].item<std::int64_t>();
    const auto text = tokens[row / 10].to(at::kInt).contiguous();
    const std::span<const std::int32_t> ids(text.const_data_ptr<std::int32_t>(), 10);
    expected.positions.push_back({sequence_id(ids), static_cast<std::uint32_t>(row % 10)});
  }
  return expected;
}

void check_seen(const SeenBatch& seen, const Expected& expected) {
  const bool same_places = seen.positions == expected.positions;
  CHECK(same_places);
  const auto& features = expected.features;
  Found found, wanted;
  for (const Candidate& one : seen.candidates) found.emplace_back(one.row, one.feature, one.activation);
  std::sort(found.begin(), found.end());
  for (std::int64_t row = 0; row < features.size(0); ++row) {
    for (std::int64_t f = 0; f < features.size(1); ++f) {
      const auto value = features[row][f].item<float>();
      if (value >= 0.5f) wanted.emplace_back(static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(f), value);
    }
  }
  // Others asked for more: a witness is not alone.
  CHECK(std::includes(found.begin(), found.end(), wanted.begin(), wanted.end()));
  for (std::int64_t f = 0; f < features.size(1); ++f) {
    const auto& sums = seen.sums[static_cast<std::size_t>(f)];
    const auto column = features.select(1, f).to(at::kDouble);
    CHECK(sums.active == column.ne(0).sum().item<std::int64_t>());
    CHECK(sums.sum == doctest::Approx(column.sum().item<double>()));
    CHECK(sums.max == column.max().item<float>());
  }
}

void check_session(const char* source) {
  at::manual_seed(13);
  const Folder folder;
  auto* session = new Session(config_for(folder), "test");  // never destroyed, as in a process
  const auto witness = add_witness(*session);
  session->start();
  auto model = prefix_model(kVocabulary, kWidth);
  auto sae = sae_module("SAE", source, kWidth, kFeatures);
  model.to(at::kCUDA);
  sae.to(at::kCUDA);
  std::vector<Expected> expected;
  for (int step = 0; step < 40; ++step) expected.push_back(train_step(model, sae));
  session->settle();
  CHECK(session->sites().at(0).second.rows_resolved == 40 * 60);
  REQUIRE(witness->batches().size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) check_seen(witness->batches()[i], expected[i]);
  session->finish();
}

std::vector<at::Tensor> trained_on_gpu(const char* source) {
  auto sae = sae_module("SAE", source, kWidth, kFeatures);
  sae.to(at::kCUDA);
  at::manual_seed(5);
  return trained(sae, at::randn({64, kWidth}).to(at::kCUDA), 20);
}

}  // namespace

TEST_CASE("on a GPU, a batch scanned there gives what the scan on the host gives") {
  if (no_gpu()) return;
  std::srand(11);
  at::manual_seed(11);
  for (const auto type : {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16}) {
    for (const double active : {0.01, 0.2, 1.0}) {
      const std::int64_t rows = 1 + std::rand() % 300, features = 1 + std::rand() % 3000;
      const auto code = random_code(rows, features, active).to(type);
      const auto wanted = random_wanted(rows, features);
      TappedCall call;
      call.rows = rows;
      call.dense = code;
      const auto there = code.to(at::kCUDA);
      const auto host = on_host(call.activations(), features, wanted);
      check_same(on_device(gather_active(there, rows * features), features, wanted), host);
      const auto transposed = there.t().contiguous().t();
      check_same(on_device(gather_active(transposed, rows * features), features, wanted), host);
    }
  }
}

TEST_CASE("on a GPU, sessions see what the tensors say") {
  if (no_gpu()) return;
  check_session(kReluSource);
  check_session(kTopKSource);
}

TEST_CASE("on a GPU, sessions see what the tensors say on a stream of the program's own") {
  if (no_gpu()) return;
  const c10::Device device(at::kCUDA, 0);
  const auto own = c10::impl::VirtualGuardImpl(at::kCUDA).getStreamFromGlobalPool(device, false);
  const c10::StreamGuard guard(own);
  check_session(kReluSource);
}

TEST_CASE("on a GPU, training with taps is the same to the last bit") {
  if (no_gpu()) return;
  for (const char* source : {kReluSource, kTopKSource, kJumpReluSource}) {
    const auto plain = trained_on_gpu(source);
    if (!equal_to_the_last_bit(plain, trained_on_gpu(source))) {
      MESSAGE("training without taps is not the same twice: not compared");
      continue;
    }
    const Folder folder;
    auto* session = new Session(config_for(folder), "test");
    session->start();
    const auto tapped = trained_on_gpu(source);
    session->settle();
    CHECK(session->sites().at(0).second.steps_collected == 20);
    CHECK(equal_to_the_last_bit(plain, tapped));
    session->finish();
  }
}
