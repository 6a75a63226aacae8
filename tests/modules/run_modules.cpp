// Runs exported modules under the hook API of libsaetap.so, as a C++ program would, and writes down what was hooked,
// whether it is what the decoder consumes, and whether training stayed the same to the last bit.
//   run_modules FOLDER RESULTS.json      FOLDER holds manifest.json; see tests/modules/check_modules.py
#include <ATen/autocast_mode.h>
#include <torch/script.h>

#include <fstream>
#include <iostream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>

#include "hooks/forward_hook.h"

namespace {

using nlohmann::json;

constexpr int kCalls = 3;           // the executor profiles for two calls and runs its optimised plan from the third on
constexpr int kTrainingSteps = 50;  // where the manifest does not say fewer

std::string file_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path + ": cannot be read");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

c10::IValue unpickled(const std::string& path) {
  const auto bytes = file_bytes(path);
  return torch::jit::pickle_load(std::vector<char>(bytes.begin(), bytes.end()));
}

std::vector<at::Tensor> tensors_of(const c10::IValue& value) {
  if (value.isTensor()) return {value.toTensor()};
  std::vector<at::Tensor> tensors;
  if (value.isTensorList()) return value.toTensorVector();
  if (value.isList()) {
    for (const auto& element : value.toListRef()) {
      const auto inner = tensors_of(element);
      tensors.insert(tensors.end(), inner.begin(), inner.end());
    }
  } else if (value.isTuple()) {
    for (const auto& element : value.toTupleRef().elements()) {
      const auto inner = tensors_of(element);
      tensors.insert(tensors.end(), inner.begin(), inner.end());
    }
  } else if (value.isGenericDict()) {
    for (const auto& entry : value.toGenericDict()) {
      const auto inner = tensors_of(entry.value());
      tensors.insert(tensors.end(), inner.begin(), inner.end());
    }
  }
  return tensors;
}

class Case {
 public:
  Case(std::string folder, const json& described) : folder_(std::move(folder)), described_(described) {
    for (const auto& tensor : tensors_of(load("inputs"))) inputs_.emplace_back(tensor);
    const bool recorded = described_.contains("decoder_input") && !described_.at("decoder_input").is_null();
    const auto* expected = recorded ? "decoder_input" : "features";
    if (!described_.at(expected).is_null()) expected_ = tensors_of(load(expected));
  }

  json run() {
    json result{{"name", described_.at("name")}};
    try {
      observe(result);
      if (described_.at("trains").get<bool>() && result.at("outcome") == "hooked") train(result);
    } catch (const std::exception& error) {
      result["outcome"] = "failed";
      result["reason"] = std::string(error.what()).substr(0, 600);
    }
    return result;
  }

 private:
  c10::IValue load(const char* key) const { return unpickled(folder_ + "/" + described_.at(key).get<std::string>()); }
  torch::jit::Module module() const {
    return torch::jit::load(folder_ + "/" + described_.at("file").get<std::string>());
  }
  std::string method() const { return described_.at("method").get<std::string>(); }

  c10::IValue call(torch::jit::Module& module) const {
    const bool autocast = described_.value("autocast", false);
    at::autocast::set_autocast_enabled(at::kCPU, autocast);
    auto returned = module.get_method(method())(inputs_);
    at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(at::kCPU, false);
    return returned;
  }

  // Calls with gradients, without, and in inference mode: how often each site was seen, and what. Inference mode gets a
  // module of its own: LibTorch itself fails where one that was optimised for gradients is called in it.
  void observe(json& result) {
    auto hooked = module();
    auto inferring = module();
    saetap::HookOptions options{method(), described_.value("value", "")};
    saetap::ForwardHook hook, inference_hook;
    std::map<std::string, std::vector<at::Tensor>> seen;
    std::mutex keeping;  // what a module forks runs on several threads
    const auto keep = [&](const saetap::HookEvent& event) {
      auto features = dense(event);
      const std::lock_guard lock(keeping);
      seen[event.site.value].push_back(std::move(features));
    };
    try {
      hook = saetap::register_forward_hook(hooked, options, keep);
      inference_hook = saetap::register_forward_hook(inferring, options, keep);
    } catch (const std::invalid_argument& error) {
      result["outcome"] = "not hooked";
      result["reason"] = error.what();
      return;
    }
    result["outcome"] = "hooked";
    for (const auto& site : hook.sites()) {
      result["sites"].push_back({{"value", site.value},
                                 {"activation", site.activation},
                                 {"pair", site.pair},
                                 {"features", site.features},
                                 {"d_in", site.d_in},
                                 {"d_out", site.d_out},
                                 {"groups", site.groups}});
    }
    int calls = 0;
    for (int i = 0; i < kCalls; ++i, ++calls) call(hooked);
    {
      const at::NoGradGuard no_grad;
      for (int i = 0; i < kCalls; ++i, ++calls) call(hooked);
    }
    {
      const c10::InferenceMode inference;
      for (int i = 0; i < kCalls; ++i, ++calls) call(inferring);
    }
    compare(result, seen, calls);
  }

  static at::Tensor dense(const saetap::HookEvent& event) {
    if (!event.indices.defined()) {
      return event.activations.layout() == at::kStrided ? event.activations.clone() : event.activations.to_dense();
    }
    auto sizes = event.activations.sizes().vec();
    sizes.back() = event.site.features;
    return at::zeros(sizes, event.activations.options())
        .scatter_add(-1, event.indices.to(at::kLong), event.activations);
  }

  void compare(json& result, const std::map<std::string, std::vector<at::Tensor>>& seen, int calls) {
    // Decoded part by part, the parts are expected one by one; they are hooked as one.
    if (expected_.size() > 1 && result["sites"].size() == 1) expected_ = {at::cat(expected_, -1)};
    std::size_t events = 0;
    std::vector<bool> matched(expected_.size(), false);
    double difference = 0;
    bool equal = true;
    for (const auto& site : result["sites"]) {
      const auto found = seen.find(site["value"].get<std::string>());
      if (found == seen.end() || found->second.empty()) continue;
      events += found->second.size();
      // The expected tensor that this site is nearest to, by its first call.
      std::size_t best = 0;
      double nearest = INFINITY;
      for (std::size_t i = 0; i < expected_.size(); ++i) {
        const auto distance = distance_between(found->second.front(), expected_[i]);
        if (distance < nearest) std::tie(best, nearest) = std::pair(i, distance);
      }
      if (expected_.empty()) continue;
      matched[best] = true;
      for (const auto& features : found->second) {
        difference = std::max(difference, distance_between(features, expected_[best]));
        const auto [tapped, wanted] = alike(features, expected_[best]);
        equal = equal && tapped.sizes() == wanted.sizes() && at::equal(tapped, wanted);
      }
    }
    result["events_per_call"] = static_cast<double>(events) / calls;
    result["difference"] = std::isfinite(difference) ? json(difference) : json("other shape");
    result["equal"] = equal;
    result["expected"] = expected_.size();
    result["expected_found"] = std::count(matched.begin(), matched.end(), true);
  }

  // Leading dimensions do not matter: some modules flatten them before they decode.
  static at::Tensor as_matrix(const at::Tensor& features) { return features.reshape({-1, features.size(-1)}); }

  // Under autocast a product may round what it is given: then both are compared as the narrower of the two has them.
  static std::pair<at::Tensor, at::Tensor> alike(const at::Tensor& tapped, const at::Tensor& expected) {
    const auto a = as_matrix(tapped), b = as_matrix(expected);
    if (a.scalar_type() == b.scalar_type()) return {a, b};
    const auto narrower = a.element_size() < b.element_size() ? a.scalar_type() : b.scalar_type();
    return {a.to(narrower), b.to(narrower)};
  }

  static double distance_between(const at::Tensor& tapped, const at::Tensor& expected) {
    const auto [a, b] = alike(tapped, expected);
    if (a.sizes() != b.sizes()) return INFINITY;
    if (a.numel() == 0) return 0;
    return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
  }

  // Losses and parameters of some steps of gradient descent, and what the module saves as afterwards.
  struct Training {
    std::vector<at::Tensor> numbers;
    std::string saved;
  };
  Training trained(bool with_hook) const {
    auto trained = module();
    Training training;
    int seen = 0;
    saetap::ForwardHook hook;
    if (with_hook) {
      hook = saetap::register_forward_hook(trained, {method(), described_.value("value", "")},
                                           [&](const saetap::HookEvent&) { ++seen; });
    }
    torch::manual_seed(5);
    const auto parameters = trained.parameters();
    for (int step = 0; step < described_.value("training_steps", kTrainingSteps); ++step) {
      at::Tensor loss;
      for (const auto& tensor : tensors_of(call(trained))) {
        if (!tensor.requires_grad()) continue;
        const auto term = tensor.layout() == at::kStrided ? tensor.to(at::kFloat).pow(2).mean()
                                                          : tensor.to_dense().to(at::kFloat).pow(2).mean();
        loss = loss.defined() ? loss + term : term;
      }
      if (!loss.defined()) break;
      loss.backward();
      training.numbers.push_back(loss.detach().clone());
      const at::NoGradGuard no_grad;
      for (auto parameter : parameters) {
        if (!parameter.grad().defined()) continue;
        parameter.sub_(parameter.grad() * 0.01);
        parameter.mutable_grad() = at::Tensor();
      }
    }
    for (const auto& parameter : parameters) training.numbers.push_back(parameter.detach().clone());
    std::ostringstream saved;
    trained.save(saved);
    training.saved = saved.str();
    return training;
  }

  static bool same(const Training& a, const Training& b) {
    return std::equal(a.numbers.begin(), a.numbers.end(), b.numbers.begin(), b.numbers.end(),
                      [](const at::Tensor& x, const at::Tensor& y) {
                        return at::equal(x, y) || (x.isnan().any().item<bool>() && at::equal(x.isnan(), y.isnan()));
                      });
  }

  // Its code is compressed in the file: what counts is what comes back.
  static bool shows_no_trace(const std::string& saved) {
    std::istringstream file(saved);
    const auto reloaded = torch::jit::load(file);
    for (const auto& module : reloaded.modules()) {
      for (const auto& method : module.get_methods()) {
        if (method.graph()->toString().find("saetap") != std::string::npos) return false;
      }
    }
    return true;
  }

  void train(json& result) const {
    Training without;
    try {
      without = trained(false);
    } catch (const std::exception& error) {
      result["training_fails_by_itself"] = std::string(error.what()).substr(0, 300);
      return;
    }
    const auto with = trained(true);
    result["training_equal"] = same(without, with);
    // A module that differs from itself says nothing of us.
    if (!same(without, with)) result["training_repeatable"] = same(without, trained(false));
    result["checkpoint_clean"] = shows_no_trace(with.saved);
  }

  std::string folder_;
  const json& described_;
  std::vector<c10::IValue> inputs_;
  std::vector<at::Tensor> expected_;
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) {
    std::cerr << "usage: run_modules FOLDER RESULTS.json\n";
    return 2;
  }
  const std::string folder = arguments[1];
  const auto manifest = json::parse(file_bytes(folder + "/manifest.json"));
  json results = json::array();
  for (const auto& described : manifest.at("cases")) {
    try {
      results.push_back(Case(folder, described).run());
    } catch (const std::exception& error) {
      results.push_back({{"name", described.at("name")}, {"outcome", "failed"}, {"reason", error.what()}});
    }
  }
  std::ofstream(arguments[2]) << results.dump(1);
}
