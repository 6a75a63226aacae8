// Several threads in one recording: every row is counted once, what is kept is what a plain sort of all rows gives, and
// nobody waits for ever.
#include <doctest/doctest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <set>

#include "plugin/store/store_reader.h"
#include "tests/captured_errors.h"
#include "tests/plugin/crowd.h"
#include "tests/plugin/session_witness.h"
#include "tests/reliability/fault_record.h"

using namespace saetap;
using namespace saetap::testing;

namespace {

constexpr std::size_t kKept = 5;

Config crowd_config(const Folder& folder) {
  auto config = config_for(folder);
  config.max_samples_per_feature = static_cast<std::int64_t>(kKept);
  config.random_samples_per_feature = 8;
  return config;
}

torch::jit::Module sae_of_type(const std::string& type) {
  return sae_module(type, kReluSource, kWidth, kFeatures);
}

// One call, with gradients or without; the features.
at::Tensor call(torch::jit::Module& sae, std::int64_t rows, bool train) {
  const at::AutoGradMode grad(train);
  const auto returned = sae.forward({at::randn({rows, kWidth})}).toTuple()->elements();
  if (train) returned[0].toTensor().sum().backward();
  return returned[1].toTensor().detach();
}

std::map<std::string, int> numbers_of(const StoreReader& store) {
  std::map<std::string, int> numbers;
  for (const auto& stored : store.sites()) numbers[stored.site.name] = stored.site.id;
  return numbers;
}

// `seen`: all rows of the site, in any order.
void check_kept(const StoreReader& store, int site, const at::Tensor& seen) {
  const auto statistics = store.statistics(site, Scope::all_time);
  std::size_t wrong = 0;
  for (std::int64_t f = 0; f < kFeatures; ++f) {
    const auto column = seen.select(1, f);
    const auto active = static_cast<std::uint64_t>(column.gt(0).sum().item<std::int64_t>());
    wrong += statistics[static_cast<std::size_t>(f)].active != active ? 1 : 0;
    const auto top = std::get<0>(at::topk(column, kKept));
    const auto samples = store.samples(site, static_cast<std::uint32_t>(f), Scope::all_time);
    REQUIRE(samples.size() == kKept);
    for (std::size_t i = 0; i < kKept; ++i) {
      wrong += samples[i].activation != top[static_cast<std::int64_t>(i)].item<float>() ? 1 : 0;
    }
  }
  CHECK(wrong == 0);
}

SiteCounts counts_of(const std::vector<std::pair<Site, SiteCounts>>& sites, const std::string& name) {
  for (const auto& [site, counts] : sites) {
    if (site.name == name) return counts;
  }
  return {};
}

}  // namespace

TEST_CASE("SAEs on threads of their own, checkpoints and told tokens meanwhile: each site is exact") {
  const Watchdog watchdog("SAEs on threads of their own");
  constexpr int kThreads = 4, kCalls = 60;
  const Folder folder;
  auto* session = new Session(crowd_config(folder), "test");  // never destroyed, as in a process
  session->start();
  std::vector<std::vector<at::Tensor>> seen(kThreads);
  std::atomic<int> failed_saves{0};
  int checkpoints = 0;
  {
    Meanwhile saving([&] { failed_saves += session->checkpoint() ? 0 : 1; });
    // Fits no call: there are never so many rows.
    Meanwhile telling([&] {
      const std::vector<std::int32_t> tokens(1000, 5);
      session->set_tokens({tokens, 10, {}}, {});
    });
    crowd(kThreads, [&](int number) {
      auto sae = sae_of_type("SAE" + std::to_string(number));
      for (int i = 0; i < kCalls; ++i) {
        seen[static_cast<std::size_t>(number)].push_back(call(sae, 1 + (i * 7 + number) % 40, i % 3 == 0));
      }
    });
    checkpoints = saving.stop();
  }
  CHECK(checkpoints > 0);
  CHECK(failed_saves == 0);
  const auto sites = session->sites();
  session->finish();
  const StoreReader store(folder.path());
  const auto numbers = numbers_of(store);
  for (int number = 0; number < kThreads; ++number) {
    const auto name = "SAE" + std::to_string(number) + ".forward.48";
    const auto all = at::cat(seen[static_cast<std::size_t>(number)]);
    const auto counts = counts_of(sites, name);
    CHECK(counts.rows_collected == static_cast<std::uint64_t>(all.size(0)));
    CHECK(counts.calls == kCalls);
    CHECK(counts.steps == kCalls / 3);
    REQUIRE(numbers.count(name) == 1);
    check_kept(store, numbers.at(name), all);
  }
  record_fault("threads", "checkpoints and told tokens during calls of 4 SAEs on 4 threads",
               static_cast<std::size_t>(checkpoints), "nothing");
}

namespace {

// Which sequences each site's rows were brought back to.
class SequencesOfSites : public Callback {
 public:
  void on_batch(const Batch& batch) override {
    for (const auto& at : batch.positions) ++rows[batch.site.name][at.sequence];
  }
  std::map<std::string, std::map<SequenceId, int>> rows;
};

}  // namespace

TEST_CASE("two trainers in one process, a language model each: no row goes to the other's text") {
  const Watchdog watchdog("two trainers");
  constexpr int kTrainers = 2, kSteps = 30;
  const Folder folder;
  auto* session = new Session(crowd_config(folder), "test");
  const auto witness = std::make_shared<SequencesOfSites>();
  session->add_callback("witness", witness);
  session->start();
  std::vector<std::set<SequenceId>> texts(kTrainers);
  crowd(kTrainers, [&](int number) {
    auto model = prefix_model(kVocabulary, kWidth);
    {
      const at::NoGradGuard no_grad;
      model.attr("embedding").toTensor().add_(0.25 * (1 + number));
    }
    auto sae = sae_of_type("Trainer" + std::to_string(number));
    for (int step = 0; step < kSteps; ++step) {
      const auto tokens = at::randint(1, kVocabulary, {6, 9}, at::kLong);
      for (std::int64_t s = 0; s < tokens.size(0); ++s) {
        const auto ids = tokens[s].to(at::kInt).contiguous();
        texts[static_cast<std::size_t>(number)].insert(sequence_id({ids.const_data_ptr<std::int32_t>(), 9}));
      }
      at::Tensor rows;
      {
        const at::NoGradGuard no_grad;
        rows = model.forward({tokens}).toTuple()->elements()[0].toTensor().reshape({-1, kWidth});
      }
      run(sae, rows.index_select(0, at::randperm(rows.size(0), at::kLong)), 0).sum().backward();
    }
  });
  const auto sites = session->sites();
  session->finish();
  for (int number = 0; number < kTrainers; ++number) {
    const auto name = "Trainer" + std::to_string(number) + ".forward.48";
    const auto counts = counts_of(sites, name);
    CHECK(counts.rows_seen == kSteps * 54);
    CHECK(counts.rows_resolved == counts.rows_seen);
    int strange = 0, rows = 0;
    for (const auto& [sequence, times] : witness->rows[name]) {
      strange += texts[static_cast<std::size_t>(number)].count(sequence) == 0 ? times : 0;
      rows += times;
    }
    CHECK(strange == 0);
    CHECK(rows == kSteps * 54);
  }
  record_fault("threads", "two trainers in one process", kTrainers * kSteps, "nothing");
}

TEST_CASE("24 threads call one module: every result is right and every row is counted") {
  const Watchdog watchdog("24 threads");
  constexpr int kThreads = 24, kCalls = 25;
  const Folder folder;
  auto sae = sae_of_type("ReluSAE");
  auto* session = new Session(crowd_config(folder), "test");
  session->start();
  std::vector<std::vector<at::Tensor>> seen(kThreads);
  std::atomic<int> wrong{0};
  crowd(kThreads, [&](int number) {
    const at::NoGradGuard no_grad;
    auto own = sae;
    const auto x = at::randn({1 + number % 5, kWidth});
    const auto weights = own.attr("W_enc").toTensor();
    const auto features =
        at::relu(at::matmul(x - own.attr("b_dec").toTensor(), weights) + own.attr("b_enc").toTensor());
    for (int i = 0; i < kCalls; ++i) {
      const auto now = run(own, x, 1);
      wrong += at::equal(now, features) ? 0 : 1;
      seen[static_cast<std::size_t>(number)].push_back(now);
    }
  });
  CHECK(wrong == 0);
  std::vector<at::Tensor> all;
  for (const auto& of_thread : seen) all.insert(all.end(), of_thread.begin(), of_thread.end());
  const auto rows = at::cat(all);
  const auto sites = session->sites();
  session->finish();
  REQUIRE(sites.size() == 1);
  CHECK(sites[0].second.calls == kThreads * kCalls);
  CHECK(sites[0].second.rows_seen == static_cast<std::uint64_t>(rows.size(0)));
  check_kept(StoreReader(folder.path()), 0, rows);
  record_fault("threads", "24 threads in one module", kThreads * kCalls, "nothing");
}

TEST_CASE("copies of a module on a thread each are sites of their own, each exact") {
  const Watchdog watchdog("copies of a module");
  constexpr int kThreads = 6, kCalls = 40;
  const Folder folder;
  const auto original = sae_of_type("ReluSAE");
  auto* session = new Session(crowd_config(folder), "test");
  session->start();
  std::mutex mutex;
  std::map<std::uint64_t, at::Tensor> by_rows;  // each thread's calls have a number of rows of their own
  std::vector<torch::jit::Module> copies;
  for (int number = 0; number < kThreads; ++number) copies.push_back(original.deepcopy());
  crowd(kThreads, [&](int number) {
    std::vector<at::Tensor> seen;
    for (int i = 0; i < kCalls; ++i)
      seen.push_back(call(copies[static_cast<std::size_t>(number)], 3 + number, i % 2 == 0));
    const auto all = at::cat(seen);
    const std::lock_guard lock(mutex);
    by_rows[static_cast<std::uint64_t>(all.size(0))] = all;
  });
  const auto sites = session->sites();
  session->finish();
  REQUIRE(sites.size() == kThreads);
  const StoreReader store(folder.path());
  for (const auto& [site, counts] : sites) {
    CAPTURE(site.name);
    CHECK(counts.calls == kCalls);
    REQUIRE(by_rows.count(counts.rows_seen) == 1);
    check_kept(store, site.id, by_rows[counts.rows_seen]);
  }
}

TEST_CASE("recording stops and starts again while threads are inside the module: stores are whole, results right") {
  const Watchdog watchdog("stop and start during calls");
  constexpr int kCallers = 6;
  const int turns = long_form() ? 300 : 25;
  auto sae = sae_of_type("ReluSAE");
  std::atomic<bool> over{false};
  std::atomic<int> wrong{0};
  std::atomic<std::uint64_t> begun{0}, done{0};  // rows
  std::thread callers([&] {
    crowd(kCallers, [&](int) {
      const at::NoGradGuard no_grad;
      auto own = sae;
      const auto x = at::randn({4, kWidth});
      const auto expected = run(own, x, 0);
      while (!over) {
        begun += 4;
        wrong += at::equal(run(own, x, 0), expected) ? 0 : 1;
        done += 4;
      }
    });
  });
  for (int turn = 0; turn < turns; ++turn) {
    const Folder folder;
    auto* session = new Session(crowd_config(folder), "test");
    const auto before = begun.load();
    session->start();
    while (session->sites().empty() || session->sites()[0].second.calls < 20) std::this_thread::yield();
    const auto at_least = session->sites()[0].second.rows_seen;
    session->finish();
    const auto counts = session->sites().at(0).second;
    const auto at_most = begun.load() - before + kCallers * 4;
    const StoreReader store(folder.path());
    CHECK(store.run().finished);
    // All that the taps saw is in the store, and it is what the callers did.
    CHECK(store.sites().at(0).counts.rows_seen == counts.rows_seen);
    CHECK(store.sites()[0].all_time.eligible == counts.rows_seen);
    CHECK(counts.rows_seen >= at_least);
    CHECK(counts.rows_seen <= at_most);
  }
  over = true;
  callers.join();
  CHECK(wrong == 0);
  record_fault("threads", "stop and start again while 6 threads are inside the module", static_cast<std::size_t>(turns),
               "nothing that came before the stop");
}

TEST_CASE("modules that are loaded, trained and destroyed on other threads: every row is counted, sites go on") {
  const Watchdog watchdog("modules that come and go");
  constexpr int kThreads = 3, kLives = 12, kCalls = 3;
  const Folder folder;
  const auto bytes = saved_bytes(sae_of_type("ReluSAE"));
  auto* session = new Session(crowd_config(folder), "test");
  session->start();
  auto staying = sae_of_type("StayingSAE");
  std::vector<at::Tensor> of_staying;
  crowd(kThreads + 1, [&](int number) {
    if (number == kThreads) {
      for (int i = 0; i < kLives * kCalls; ++i) of_staying.push_back(call(staying, 10, i % 2 == 0));
      return;
    }
    for (int life = 0; life < kLives; ++life) {
      auto sae = loaded(bytes);
      for (int i = 0; i < kCalls; ++i) call(sae, 5, i % 2 == 0);
    }
  });
  const auto sites = session->sites();
  session->finish();
  std::uint64_t rows = 0;
  for (const auto& [site, counts] : sites) rows += site.module_type == "ReluSAE" ? counts.rows_seen : 0;
  CHECK(rows == kThreads * kLives * kCalls * 5);
  // One for each module that was alive at once.
  CHECK(sites.size() <= kThreads + 1);
  const StoreReader store(folder.path());
  check_kept(store, numbers_of(store).at("StayingSAE.forward.48"), at::cat(of_staying));
  record_fault("threads", "modules loaded and destroyed on 3 threads during a recording", kThreads * kLives, "nothing");
}

namespace {

class Slow : public Callback {
 public:
  void on_batch(const Batch& batch) override {
    std::this_thread::sleep_for(std::chrono::microseconds(300));
    rows += batch.rows;
  }
  std::int64_t rows = 0;
};

class ThrowingLater : public Callback {
 public:
  void on_batch(const Batch&) override {
    if (++calls == 20) throw std::runtime_error("on purpose");
  }
  int calls = 0;
};

// What a callback must not do, and what must not hang all the same.
class CallsBack : public Callback {
 public:
  explicit CallsBack(Session& session) : session_(session) {}
  void on_batch(const Batch&) override {
    refused += session_.settle() ? 0 : 1;
    refused += session_.checkpoint() ? 0 : 1;
    session_.set_token_text({});
    session_.set_tokens({}, {});
    session_.finish();
  }
  int refused = 0;

 private:
  Session& session_;
};

}  // namespace

TEST_CASE(
    "callbacks that are slow, that throw, or that call the session, while 8 threads post: nothing hangs or is lost") {
  const Watchdog watchdog("callbacks");
  constexpr int kThreads = 8, kCalls = 50;
  const Folder folder;
  auto* session = new Session(crowd_config(folder), "test");
  const auto slow = std::make_shared<Slow>();
  const auto throwing = std::make_shared<ThrowingLater>();
  const auto calls_back = std::make_shared<CallsBack>(*session);
  session->add_callback("slow", slow);
  session->add_callback("throwing", throwing);
  session->add_callback("calls back", calls_back);
  session->start();
  std::vector<std::vector<at::Tensor>> seen(kThreads);
  auto sae = sae_of_type("ReluSAE");
  {
    const CapturedErrors errors;
    crowd(kThreads, [&](int number) {
      const at::NoGradGuard no_grad;
      auto own = sae;
      for (int i = 0; i < kCalls; ++i) {
        seen[static_cast<std::size_t>(number)].push_back(run(own, at::randn({1 + number, kWidth}), 1));
      }
    });
    CHECK(session->checkpoint());
  }
  std::vector<at::Tensor> all;
  for (const auto& of_thread : seen) all.insert(all.end(), of_thread.begin(), of_thread.end());
  const auto rows = at::cat(all);
  const auto sites = session->sites();
  session->finish();
  CHECK(sites.at(0).second.rows_seen == static_cast<std::uint64_t>(rows.size(0)));
  CHECK(slow->rows == rows.size(0));
  CHECK(throwing->calls == 20);
  CHECK(calls_back->refused == 2 * kThreads * kCalls);
  check_kept(StoreReader(folder.path()), 0, rows);
  record_fault("threads", "callbacks that are slow, throw, or call the session, while 8 threads post",
               kThreads * kCalls, "nothing");
}
