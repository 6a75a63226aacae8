// A program that trains for long: two trainers with a language model each, modules that are loaded and let go of beside
// them, recording that stops and starts again. It says what it takes of the system while it does.
//
//   soak SECONDS RESTART_SECONDS PLUGIN CONFIG.json
//
// stdout: "sample SECONDS RESIDENT_KIB THREADS FILES" four times a second, and "recorded ROWS" for each recording that
// ended: the rows that went through SAEs meanwhile. RESTART_SECONDS 0: one recording from begin to end.
#include <dlfcn.h>
#include <malloc.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/plugin/script_modules.h"

namespace {

using Clock = std::chrono::steady_clock;
using namespace saetap::testing;

constexpr std::int64_t kWidth = 32, kFeatures = 256, kVocabulary = 500, kRows = 64;

// The C interface, from the library at `path`.
struct Plugin {
  explicit Plugin(const char* path) : library(dlopen(path, RTLD_NOW)) {
    if (library == nullptr) {
      std::fprintf(stderr, "soak: %s\n", dlerror());
      std::exit(2);
    }
    init = reinterpret_cast<int (*)(const char*)>(dlsym(library, "saetap_plugin_init"));
    stop = reinterpret_cast<int (*)()>(dlsym(library, "saetap_stop"));
    checkpoint = reinterpret_cast<int (*)()>(dlsym(library, "saetap_checkpoint"));
    last_error = reinterpret_cast<const char* (*)()>(dlsym(library, "saetap_last_error"));
  }
  void check(int status, const char* what) const {
    if (status == 0) return;
    std::fprintf(stderr, "soak: %s: %s\n", what, last_error());
    std::exit(3);
  }

  void* library;
  int (*init)(const char*) = nullptr;
  int (*stop)() = nullptr;
  int (*checkpoint)() = nullptr;
  const char* (*last_error)() = nullptr;
};

std::string read_file(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Steps are taken under a shared lock: recordings end between them, so that the rows of each are known.
std::shared_mutex steps;
std::atomic<bool> paused{false};  // who waits for the lock alone would wait for ever
std::atomic<std::uint64_t> rows{0};
std::atomic<bool> over{false};

std::shared_lock<std::shared_mutex> next_step() {
  while (paused) std::this_thread::yield();
  return std::shared_lock(steps);
}

void train(int number) {
  torch::manual_seed(number);
  auto model = prefix_model(kVocabulary, kWidth);
  auto sae = sae_module("Soaked" + std::to_string(number), number == 0 ? kReluSource : kTopKSource, kWidth, kFeatures);
  while (!over) {
    const auto step = next_step();
    const auto tokens = at::randint(1, kVocabulary, {kRows / 16, 16}, at::kLong);
    at::Tensor x;
    {
      const at::NoGradGuard no_grad;
      x = model.forward({tokens}).toTupleRef().elements()[0].toTensor().reshape({-1, kWidth});
      x = x.index_select(0, at::randperm(kRows, at::kLong));
    }
    (run(sae, x, 0) - x).pow(2).mean().backward();
    rows += kRows;
    const at::NoGradGuard no_grad;
    for (const auto& parameter : sae.parameters()) {
      parameter.sub_(parameter.grad(), 1e-4);
      parameter.mutable_grad().reset();
    }
  }
}

void reload() {
  const auto bytes = saved_bytes(sae_module("Reloaded", kJumpReluSource, kWidth, kFeatures));
  const at::NoGradGuard no_grad;
  while (!over) {
    {
      const auto step = next_step();
      auto sae = loaded(bytes);
      run(sae, at::randn({8, kWidth}), 0);
      rows += 8;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

void save(const Plugin& plugin) {
  while (!over) {
    {
      const auto step = next_step();
      plugin.check(plugin.checkpoint(), "checkpoint");
    }
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
}

// Ends a recording while trainers and modules stay as they are.
void end_recording(const Plugin& plugin) {
  paused = true;
  const std::unique_lock no_step(steps);
  plugin.check(plugin.stop(), "stop");
  std::printf("recorded %llu\n", static_cast<unsigned long long>(rows.exchange(0)));
  std::fflush(stdout);
}

std::size_t entries_of(const char* folder) {
  const std::filesystem::directory_iterator entries(folder);
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

// Of what is in use: memory that was freed goes back first.
void say_sample(double seconds) {
  malloc_trim(0);
  std::ifstream statm("/proc/self/statm");
  long size = 0, resident = 0;
  statm >> size >> resident;
  std::printf("sample %.1f %ld %zu %zu\n", seconds, resident * (sysconf(_SC_PAGESIZE) / 1024),
              entries_of("/proc/self/task"), entries_of("/proc/self/fd"));
  std::fflush(stdout);
}

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const double seconds = std::atof(argv[1]), restart_seconds = std::atof(argv[2]);
  const Plugin plugin(argv[3]);
  const auto config = read_file(argv[4]);
  plugin.check(plugin.init(config.c_str()), "start");
  std::vector<std::thread> threads;
  for (int number = 0; number < 2; ++number) threads.emplace_back(train, number);
  threads.emplace_back(reload);
  threads.emplace_back(save, std::cref(plugin));
  const auto begin = Clock::now();
  auto started = begin;
  while (seconds_since(begin) < seconds) {
    std::this_thread::sleep_for(std::chrono::milliseconds(250));
    say_sample(seconds_since(begin));
    if (restart_seconds == 0 || seconds_since(started) < restart_seconds) continue;
    end_recording(plugin);
    plugin.check(plugin.init(config.c_str()), "start again");
    paused = false;
    started = Clock::now();
  }
  over = true;
  for (auto& thread : threads) thread.join();
  end_recording(plugin);
}
