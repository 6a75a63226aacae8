// The trainer of train_sae.cpp with a plugin loader of its own: plugin_trainer CONFIG.json [key=value ...]
//
// Its config names plugins, {"plugins": ["libsaetap.so"], …}. Each is given the whole text of the config and takes from
// it the keys that are its own. Of a plugin lib<name>.so that is by the function <name>_plugin_init.
#include "training.h"

#include <dlfcn.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <filesystem>
#include <iterator>

namespace {

constexpr int kOff = 1;  // what a plugin answers that the config does not ask for

std::string file_text(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A plugin is no reason not to train.
void load_plugin(const std::string& path, const std::string& config) {
  void* library = dlopen(path.c_str(), RTLD_NOW);
  if (library == nullptr) {
    std::fprintf(stderr, "plugin_trainer: no plugin: %s\n", dlerror());
    return;
  }
  const std::string file = std::filesystem::path(path).stem();
  const std::string name = file.rfind("lib", 0) == 0 ? file.substr(3) : file;
  const auto init = reinterpret_cast<int (*)(const char*)>(dlsym(library, (name + "_plugin_init").c_str()));
  if (init == nullptr) {
    std::fprintf(stderr, "plugin_trainer: %s has no %s_plugin_init\n", path.c_str(), name.c_str());
    return;
  }
  const int status = init(config.c_str());
  if (status == 0 || status == kOff) return;
  const auto why = reinterpret_cast<const char* (*)()>(dlsym(library, (name + "_last_error").c_str()));
  std::fprintf(stderr, "plugin_trainer: %s: %s\n", path.c_str(), why != nullptr ? why() : "it failed");
}

}  // namespace

int main(int argc, char** argv) {
  return run_trainer("plugin_trainer", [&] {
    const TrainingConfig config = read_config(argc, argv);
    const std::string text = file_text(argv[1]);
    for (const auto& plugin : nlohmann::json::parse(text).value("plugins", std::vector<std::string>())) {
      load_plugin(plugin, text);
    }
    ActivationsStore activations(config.activations);
    Trainer trainer(config);
    for (std::int64_t step = 0; step < config.steps; ++step) {
      const at::Tensor x = activations.get_batch();
      trainer.step(x, x);
    }
    trainer.finish();
  });
}
