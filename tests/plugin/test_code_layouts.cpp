// Features as programs hold them: in pieces of larger tensors, in other number formats, sparse. Held against sums of
// the same tensors by LibTorch.
#include <doctest/doctest.h>

#include "tests/plugin/session_witness.h"

using namespace saetap;
using namespace saetap::testing;

namespace {

// What enters the decoder, and what does the decoding.
std::string source(const std::string& code, const std::string& decode) {
  return R"(
def forward(self, x):
    pre = torch.relu(torch.matmul(x - self.b_dec, self.W_enc) + self.b_enc)
    features = )" +
         code + R"(
    return )" +
         decode + R"( + self.b_dec, features
)";
}

struct Layout {
  std::string name;
  std::string source;
  std::vector<int64_t> input;
  at::ScalarType type = at::kFloat;
};

void check(const Layout& layout) {
  CAPTURE(layout.name);
  Folder folder;
  auto* session = new Session(config_for(folder), "test");  // never destroyed, as in a process
  const auto witness = add_witness(*session);
  session->start();
  at::manual_seed(4);
  auto sae = sae_module("SAE", layout.source, kWidth, kFeatures);
  sae.to(layout.type);
  for (int step = 0; step < 3; ++step) {
    const auto x = at::randn(layout.input).to(layout.type);
    auto code = sae.forward({x}).toTuple()->elements()[1].toTensor().detach();
    if (code.layout() != at::kStrided) code = code.to_dense();
    const auto rows = code.reshape({-1, kFeatures}).to(at::kDouble);
    REQUIRE(witness->batches().size() == static_cast<std::size_t>(step) + 1);
    const auto& batch = witness->batches().back();
    std::vector<std::vector<float>> candidates(kFeatures);
    for (const auto& one : batch.candidates) {
      CHECK(one.activation == static_cast<float>(rows[one.row][one.feature].item<double>()));
      candidates[one.feature].push_back(one.activation);
    }
    for (int64_t f = 0; f < kFeatures; ++f) {
      const auto of = rows.select(1, f);
      const auto& sums = batch.sums[static_cast<std::size_t>(f)];
      CHECK(sums.active == of.ne(0).sum().item<int64_t>());
      CHECK(sums.sum == doctest::Approx(of.sum().item<double>()));
      CHECK(sums.max == static_cast<float>(of.max().item<double>()));
      CHECK(static_cast<int64_t>(candidates[static_cast<std::size_t>(f)].size()) >= of.ge(0.5).sum().item<int64_t>());
    }
  }
  session->finish();
}

const auto kMatmul = "torch.matmul(features, self.W_dec)";

}  // namespace

TEST_CASE("features in pieces of larger tensors are read where they lie") {
  check({"a matrix", source("pre", kMatmul), {40, kWidth}});
  check({"sequences without their first token", source("pre[:, 1:]", kMatmul), {5, 9, kWidth}});
  check({"sequences without their last tokens", source("pre[:, :-3]", kMatmul), {5, 9, kWidth}});
  check({"every second sequence", source("pre[::2]", kMatmul), {5, 9, kWidth}});
  check({"one token of each sequence", source("pre[:, 3:4]", kMatmul), {5, 9, kWidth}});
  check({"sequences inside", source("pre.transpose(0, 1)", kMatmul), {5, 9, kWidth}});
  check({"four dimensions", source("pre[:, :, 1:]", kMatmul), {2, 3, 5, kWidth}});
  check({"features apart", source("torch.stack([pre, pre], -1)[..., 0]", kMatmul), {5, 9, kWidth}});
}

TEST_CASE("features of every number format are read as they are") {
  for (const auto type : {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16}) {
    check({at::toString(type), source("pre", kMatmul), {40, kWidth}, type});
    check({at::toString(type), source("pre[:, 1:]", kMatmul), {5, 9, kWidth}, type});
  }
}

TEST_CASE("sparse features are read from their entries") {
  check({"COO", source("pre.to_sparse()", "torch.mm(features, self.W_dec)"), {40, kWidth}});
  check({"CSR", source("pre.to_sparse_csr()", "torch.mm(features, self.W_dec)"), {40, kWidth}});
}
