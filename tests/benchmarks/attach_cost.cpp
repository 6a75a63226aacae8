// What attaching costs: meeting a model of twelve layers with a TopK SAE on each, and a call that has no site.
#include <chrono>
#include <cstdio>
#include <sstream>
#include <vector>

#include "hooks/discover.h"

namespace {

using namespace saetap;
using Clock = std::chrono::steady_clock;

constexpr int kLayers = 12;
constexpr int kWidth = 64;
constexpr int kFeatures = 1024;

double milliseconds_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

class Everything : public hooks::Listener {
 public:
  hooks::Wanted on_meeting(const hooks::Meeting& meeting) override {
    hooks::Wanted wanted;
    for (std::size_t i = 0; i < meeting.sites.size(); ++i) {
      if (meeting.sites[i].certain) wanted.sites.push_back(i);
    }
    found = wanted.sites.size();
    return wanted;
  }
  void on_failure(const std::string& what) override { std::printf("failed: %s\n", what.c_str()); }
  void on_features(const hooks::FeatureEvent&) noexcept override {}
  void on_stream(const hooks::StreamEvent&) noexcept override {}
  std::size_t found = 0;
};

void add_weight(torch::jit::Module& module, const std::string& name, std::int64_t in, std::int64_t out) {
  module.register_parameter(name, at::randn({in, out}) / std::sqrt(static_cast<double>(in)), false);
}

// Attention, a feed-forward block, and an SAE on the stream after each layer.
torch::jit::Module layered_model() {
  torch::jit::Module module("LayeredModel");
  std::ostringstream source;
  source << "def forward(self, x):\n    loss = torch.zeros([1])\n";
  for (int layer = 0; layer < kLayers; ++layer) {
    const auto id = std::to_string(layer);
    for (const char* name : {"q", "k", "v", "o"}) add_weight(module, name + id, kWidth, kWidth);
    add_weight(module, "up" + id, kWidth, 4 * kWidth);
    add_weight(module, "down" + id, 4 * kWidth, kWidth);
    add_weight(module, "W_enc" + id, kWidth, kFeatures);
    add_weight(module, "W_dec" + id, kFeatures, kWidth);
    source << "    a = torch.softmax(torch.matmul(torch.matmul(x, self.q" << id << "), torch.matmul(x, self.k" << id
           << ").transpose(-2, -1)), -1)\n"
           << "    x = x + torch.matmul(torch.matmul(a, torch.matmul(x, self.v" << id << ")), self.o" << id << ")\n"
           << "    x = x + torch.matmul(torch.gelu(torch.matmul(torch.layer_norm(x, [" << kWidth << "]), self.up" << id
           << ")), self.down" << id << ")\n"
           << "    p = torch.matmul(x, self.W_enc" << id << ")\n"
           << "    v, i = torch.topk(torch.relu(p), 8, -1)\n"
           << "    f = torch.zeros_like(p).scatter(-1, i, v)\n"
           << "    loss = loss + (torch.matmul(f, self.W_dec" << id << ") - x).pow(2).mean()\n";
  }
  source << "    return x, loss\n";
  module.define(source.str());
  return module;
}

double call_microseconds(torch::jit::Module& module, const std::vector<c10::IValue>& inputs) {
  constexpr int kCalls = 20'000;
  const auto begin = Clock::now();
  for (int call = 0; call < kCalls; ++call) module.forward(inputs);
  return milliseconds_since(begin) * 1000 / kCalls;
}

}  // namespace

int main() {
  const at::NoGradGuard no_grad;
  auto& discovery = hooks::Discovery::of_process();
  Everything listener;

  auto model = layered_model();
  model.forward({at::randn({2, 16, kWidth})});  // compiled: what is measured is ours
  discovery.add(listener);
  const auto begin = Clock::now();
  discovery.meet(*model._ivalue(), model.get_method("forward").function());
  std::printf("meeting a model of %d layers: %.1f ms, %zu sites\n", kLayers, milliseconds_since(begin), listener.found);
  discovery.remove(listener);

  torch::jit::Module identity("Identity");
  identity.define("def forward(self, x):\n    return x\n");
  const std::vector<c10::IValue> inputs{at::randn({4})};
  call_microseconds(identity, inputs);
  double with = 0, without = 0;
  constexpr int kTurns = 10;  // by turns, in one process
  for (int turn = 0; turn < kTurns; ++turn) {
    without += call_microseconds(identity, inputs) / kTurns;
    discovery.add(listener);
    with += call_microseconds(identity, inputs) / kTurns;
    discovery.remove(listener);
  }
  std::printf("a call without a site: %.2f us, observed %.2f us, %.2f us more\n", without, with, with - without);
}
