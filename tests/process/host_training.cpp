#include "host_training.h"

#include <cstdio>
#include <cstring>
#include <filesystem>

namespace {

constexpr std::int64_t kWidth = 16, kVocabulary = 200;

constexpr auto kModelSource = R"(
def forward(self, ids):
    return torch.embedding(self.table, ids) + self.places[:ids.size(1)]
)";

constexpr auto kSaeSource = R"(
def forward(self, x):
    values, indices = torch.topk(torch.matmul(x - self.b_dec, self.W_enc) + self.b_enc, 4, -1)
    features = torch.zeros([x.size(0), self.W_enc.size(1)]).scatter(-1, indices, values)
    return torch.matmul(features, self.W_dec) + self.b_dec, features
)";

torch::jit::Module language_model() {
  torch::jit::Module model("TinyModel");
  model.register_parameter("table", at::randn({kVocabulary, kWidth}), false);
  model.register_parameter("places", at::randn({Training::kLength, kWidth}), false);
  model.define(kModelSource);
  return model;
}

torch::jit::Module autoencoder(std::int64_t features) {
  torch::jit::Module sae("TinySae");
  const auto weight = [&](const char* name, at::Tensor value) {
    sae.register_parameter(name, value.set_requires_grad(true), false);
  };
  weight("W_enc", at::randn({kWidth, features}) / 4);
  weight("b_enc", at::zeros({features}));
  weight("W_dec", at::randn({features, kWidth}) / 4);
  weight("b_dec", at::zeros({kWidth}));
  sae.define(kSaeSource);
  return sae;
}

}  // namespace

Training::Training(std::int64_t features, const std::string& saved) : model_("none"), sae_("none") {
  torch::manual_seed(11);
  model_ = language_model();
  if (!saved.empty() && std::filesystem::exists(saved)) {
    sae_ = torch::jit::load(saved);
    return;
  }
  sae_ = autoencoder(features);
  if (!saved.empty()) sae_.save(saved);
}

void Training::step(std::int64_t n) {
  const auto ids = (at::arange(kRows) * 7 + n * 13).remainder(kVocabulary).view({kSequences, kLength});
  const auto rows = model_.forward({ids}).toTensor().detach().view({kRows, kWidth});
  const auto reconstruction = sae_.forward({rows}).toTuple()->elements()[0].toTensor();
  const auto loss = (reconstruction - rows).square().sum(-1).mean();
  loss.backward();
  loss_ = loss.item<double>();
  const at::NoGradGuard no_grad;
  for (auto weight : sae_.parameters()) {
    weight.sub_(weight.grad(), 0.01);
    weight.mutable_grad().reset();
  }
}

void Training::call() {
  const at::NoGradGuard no_grad;
  sae_.forward({at::ones({kRows, kWidth})});
}

std::string Training::state() const {
  std::uint64_t hash = 0xCBF29CE484222325;  // FNV-1a
  const auto add = [&](const void* bytes, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
      hash = (hash ^ static_cast<const unsigned char*>(bytes)[i]) * 0x100000001B3;
    }
  };
  add(&loss_, sizeof loss_);
  for (const auto& weight : sae_.parameters()) add(weight.const_data_ptr(), weight.nbytes());
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return text;
}
