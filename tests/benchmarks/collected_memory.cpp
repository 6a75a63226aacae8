// Memory of what is kept after 25.6 million tokens, and the time of its checkpoints; each case in a process of its own.
//
//   collected_memory --folder FOLDER [--json FILE] [--only CASE]
//
// FOLDER is for stores, which are removed again. Memory is what is resident of the process, less what was before there
// was a collector, after free pages were given back (malloc_trim). The batches' own memory is not in it.
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <future>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "plugin/store/store_writer.h"
#include "tests/benchmarks/synthetic_run.h"

namespace {

using namespace saetap;
using namespace saetap::benchmarks;
using Clock = std::chrono::steady_clock;
using nlohmann::json;

constexpr std::uint64_t kSteps = 1000;
constexpr std::uint64_t kRows = 25'600;  // of a step: 200 sequences of 128 tokens
constexpr std::uint64_t kReadings[]{4, 39, 391, kSteps};

struct Case {
  std::string name;
  std::string what;
  std::int64_t features = 16384;
  std::uint32_t k = 100;
  std::uint32_t random = 64;
  std::int64_t sequence_tokens = 128;
  std::int64_t rows_of_sequence = 128;
  double active_around = 0;
  bool growing_windows = false;  // with saves as it goes; otherwise one window, and none
  // Most of what comes and goes on the way is left out: what is kept at the end is the same, and comes sooner, but
  // memory has fewer holes by then (a tenth less was seen).
  bool end_alone = true;
  bool checkpoints = false;
  std::optional<double> wanted_mb = {};  // issue 6
};

std::vector<Case> all_cases() {
  const std::string sequences = "200,000 sequences";
  return {
      {.name = "16k", .what = sequences, .end_alone = false, .checkpoints = true, .wanted_mb = 150},
      {.name = "64k", .what = sequences, .features = 65536, .end_alone = false, .checkpoints = true, .wanted_mb = 450},
      {.name = "16k-growing",
       .what = sequences + ", the default: growing windows, saved when one closes and every 100 steps",
       .growing_windows = true,
       .end_alone = false,
       .wanted_mb = 150},
      {.name = "16k-no-random", .what = sequences, .random = 0, .wanted_mb = 150},
      {.name = "16k-apart", .what = "every row of another sequence", .rows_of_sequence = 1, .wanted_mb = 150},
      {.name = "64k-apart",
       .what = "every row of another sequence",
       .features = 65536,
       .rows_of_sequence = 1,
       .wanted_mb = 450},
      {.name = "16k-around", .what = sequences + ", with the activations around", .active_around = 3},
      {.name = "64k-around",
       .what = sequences + ", with the activations around",
       .features = 65536,
       .active_around = 3},
      {.name = "16k-long", .what = "25,000 sequences", .sequence_tokens = 1024, .rows_of_sequence = 1024},
      {.name = "4k", .what = sequences, .features = 4096},
      {.name = "16k-k10", .what = sequences, .k = 10},
      {.name = "16k-k1000", .what = sequences, .k = 1000},
  };
}

double resident_mb() {
  malloc_trim(0);
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stod(line.substr(6)) * 1024 / 1e6;
  }
  throw std::runtime_error("no VmRSS in /proc/self/status");
}

template <typename Work>
double seconds_of(const Work& work) {
  const auto begin = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

class Measured {
 public:
  Measured(const Case& wanted, const std::filesystem::path& folder)
      : case_(wanted),
        run_({.features = wanted.features,
              .rows = static_cast<std::int64_t>(kRows),
              .sequence_tokens = wanted.sequence_tokens,
              .rows_of_sequence = wanted.rows_of_sequence,
              .active_around = wanted.active_around,
              .histogram_in_every_batch = false}),
        writer_((folder / "samples.saetap").string(), run_header()),
        before_mb_(resident_mb()),
        collector_(options_of(wanted), [this](const SampleCollector& collector, const CheckpointEvent& event) {
          writer_.save(collector, event);
          return true;
        }) {
    collector_.on_attach(run_.site());
  }

  json measure() {
    json result{{"name", case_.name},         {"what", case_.what},
                {"features", case_.features}, {"k", case_.k},
                {"random", case_.random},     {"sequence_tokens", case_.sequence_tokens},
                {"tokens", kSteps * kRows}};
    if (case_.wanted_mb) result["wanted_mb"] = *case_.wanted_mb;
    fill(result);
    if (case_.checkpoints) result["checkpoints"] = time_checkpoints();
    return result;
  }

 private:
  static RunHeader run_header() {
    RunHeader header;
    header.run_id = "benchmark";
    header.program = "collected_memory";
    return header;
  }

  static CollectorOptions options_of(const Case& wanted) {
    CollectorOptions options;
    options.max_samples_per_feature = wanted.k;
    options.random_samples_per_feature = wanted.random;
    if (!wanted.growing_windows) options.window_rule = {WindowRule::Kind::single};
    return options;
  }

  void fill(json& result) {
    double seconds = 0;
    for (; step_ < kSteps;) {
      const Batch batch = run_.next(bars(), step_);
      seconds += seconds_of([&] { collector_.on_batch(batch); });
      ++step_;
      const bool due = collector_.wants_save() || step_ % 100 == 0;
      if (case_.growing_windows && due) collector_.on_checkpoint({});
      for (const std::uint64_t reading : kReadings) {
        if (step_ == reading && (!case_.end_alone || step_ == kSteps))
          result["growth"].push_back({{"tokens", step_ * kRows}, {"mb", used_mb()}});
      }
    }
    result["mb"] = result["growth"].back()["mb"];
    result["counted_mb"] = static_cast<double>(collector_.bytes()) / 1e6;  // as max_memory_mb takes it
    result["fill_seconds"] = seconds;
  }

  // With end_alone, what only thrice as many samples as are kept reach.
  CandidateBars bars() {
    const CandidateBars asked = collector_.bars(run_.site(), step_);
    if (!case_.end_alone) return asked;
    const double values = static_cast<double>(kSteps * kRows * static_cast<std::uint64_t>(run_.shape().active)) /
                          static_cast<double>(case_.features);
    const auto lowest = static_cast<float>(std::log(values / (3 * case_.k)));
    const auto highest_hash = static_cast<std::uint32_t>(3 * case_.random / values * 0x1p32);
    activation_bars_.assign(asked.activation.begin(), asked.activation.end());
    for (float& bar : activation_bars_) bar = std::max(bar, lowest);
    hash_bars_.assign(asked.hash.begin(), asked.hash.end());
    for (std::uint32_t& bar : hash_bars_) bar = std::min(bar, highest_hash);
    return {activation_bars_, hash_bars_};
  }

  double used_mb() {
    run_.forget();
    return resident_mb() - before_mb_;
  }

  json time_checkpoints() {
    json times;
    const auto save = [&](const CheckpointEvent& event) {
      return seconds_of([&] { collector_.on_checkpoint(event); });
    };
    times["first_s"] = save({});
    times["file_mb"] = static_cast<double>(std::filesystem::file_size(writer_.path())) / 1e6;
    times["mb_after"] = used_mb();
    times["unchanged_s"] = save({});
    change_one_percent();
    times["one_percent_s"] = save({});
    CheckpointEvent event;
    event.decoder_directions = [](const Site& site) {
      return HalfMatrix(static_cast<std::size_t>(site.features * site.d_out), 0x3C00);
    };
    times["with_decoder_s"] = save(event);  // and nothing else new
    return times;
  }

  // About ten new samples, the strongest, for every hundredth feature.
  void change_one_percent() {
    const double active =
        static_cast<double>(kRows) * static_cast<double>(run_.shape().active) / static_cast<double>(case_.features);
    std::vector<float> bars(static_cast<std::size_t>(case_.features), INFINITY);
    for (std::size_t feature = 0; feature < bars.size(); feature += 100) {
      bars[feature] = static_cast<float>(std::log(active / 10));
    }
    const Batch batch = run_.next_candidates({bars, {}}, step_++);
    for (Candidate& one : run_.found()[0].candidates) one.activation += 1000;
    collector_.on_batch(batch);
  }

  Case case_;
  SyntheticRun run_;
  StoreWriter writer_;
  std::uint64_t step_ = 0;
  std::vector<float> activation_bars_;
  std::vector<std::uint32_t> hash_bars_;
  double before_mb_;
  SampleCollector collector_;
};

// In this process, which does nothing else.
json measure(const Case& wanted, const std::filesystem::path& folder) {
  const auto own = folder / ("memory-" + std::to_string(getpid()));
  std::filesystem::create_directories(own);
  json result = Measured(wanted, own).measure();
  std::filesystem::remove_all(own);
  return result;
}

json measure_in_a_child(const std::string& name, const std::string& folder) {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  const std::string command = "'" + program + "' --folder '" + folder + "' --child " + name;
  FILE* output = popen(command.c_str(), "r");
  if (output == nullptr) throw std::runtime_error("cannot run " + program);
  std::string text;
  char piece[4096];
  while (const std::size_t count = std::fread(piece, 1, sizeof piece, output)) text.append(piece, count);
  if (pclose(output) != 0) throw std::runtime_error(name + " failed");
  return json::parse(text);
}

// Two at a time, but where checkpoints are timed.
json measure_all(const std::vector<Case>& cases, const std::string& folder) {
  std::vector<json> measured(cases.size());
  std::atomic<std::size_t> next = 0;
  const auto run = [&](std::size_t i) {
    measured[i] = measure_in_a_child(cases[i].name, folder);
    std::fprintf(stderr, "%s: %.0f MB\n", cases[i].name.c_str(), measured[i]["mb"].get<double>());
  };
  while (next < cases.size() && cases[next].checkpoints) run(next++);
  const auto run_rest = [&] {
    for (std::size_t i = next++; i < cases.size(); i = next++) run(i);
  };
  auto other = std::async(std::launch::async, run_rest);
  run_rest();
  other.get();
  return measured;
}

}  // namespace

int main(int argc, char** argv) {
  std::string folder, file, only, child;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--folder") folder = argv[i + 1];
    if (name == "--json") file = argv[i + 1];
    if (name == "--only") only = argv[i + 1];
    if (name == "--child") only = child = argv[i + 1];
  }
  auto cases = all_cases();
  if (!only.empty()) std::erase_if(cases, [&](const Case& one) { return one.name != only; });
  if (folder.empty() || cases.empty()) {
    std::fputs("collected_memory --folder FOLDER [--json FILE] [--only CASE]\n", stderr);
    return 2;
  }
  const std::string text = child.empty() ? measure_all(cases, folder).dump(1) : measure(cases[0], folder).dump();
  if (file.empty()) std::cout << text << "\n";
  if (!file.empty()) std::ofstream(file) << text << "\n";
  return 0;
}
