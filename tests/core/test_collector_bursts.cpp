// Checkpoints and the end of a recording while several threads bring batches: as the session wires it, without
// LibTorch, so that ThreadSanitizer can watch.
#include <doctest/doctest.h>

#include <atomic>
#include <mutex>
#include <random>
#include <thread>

#include "plugin/collect/bar_board.h"
#include "plugin/collect/callback_set.h"
#include "plugin/collect/collected_batch.h"
#include "plugin/collect/collector_thread.h"
#include "tests/core/pipeline.h"
#include "tests/reliability/fault_record.h"

using namespace saetap;
using saetap::testing::KnownSequences;
using saetap::testing::record_fault;
using saetap::testing::TemporaryFolder;

namespace {

constexpr std::int64_t kFeatures = 40;
constexpr int kThreads = 4;

struct Row {
  std::vector<float> values;
  TokenPosition at;
};

// A site of each thread, one lock for all, callbacks on a thread of their own.
class Recording {
 public:
  explicit Recording(std::size_t room)
      : writer_(folder_.file("samples.saetap"), {"run", "2.13.0", "./train", "2026-11-22T19:00:00Z", "", 1}),
        callbacks_([](const std::string&) {}),
        thread_(room, [](const std::string&) {}) {
    CollectorOptions options;
    options.max_samples_per_feature = 4;
    options.sample_activation_threshold = 0;
    options.window_rule = {WindowRule::Kind::fixed, 16};
    collector_ = std::make_shared<SampleCollector>(options, [this](const auto& kept, const CheckpointEvent& event) {
      writer_.save(kept, event);
      ++saves;
      return true;
    });
    callbacks_.add("top_samples", collector_);
    for (int i = 0; i < kThreads; ++i) {
      auto& site = sites_[static_cast<std::size_t>(i)];
      site.id = i;
      site.name = "sae" + std::to_string(i);
      site.features = kFeatures;
      boards_.push_back(std::make_shared<BarBoard>());
      thread_.post(0, [this, &site, board = boards_.back()] {
        callbacks_.attach(site);
        board->publish(callbacks_.bars(site, 0), callbacks_.context_size());
      });
    }
    thread_.drain();
  }

  // False once it is over.
  bool batch(int number, std::uint64_t step, const std::vector<Row>& rows, const TokenSource& tokens) {
    const std::lock_guard lock(mutex_);
    if (finished_) return false;
    const auto& site = sites_[static_cast<std::size_t>(number)];
    const auto board = boards_[static_cast<std::size_t>(number)];
    std::shared_ptr<CollectedBatch> batch = pool_.take();
    batch->site = &site;
    batch->step = step;
    batch->rows = batch->eligible = static_cast<std::int64_t>(rows.size());
    batch->positions.clear();
    std::vector<float> dense;
    std::vector<std::uint32_t> hashes;
    for (const auto& row : rows) {
      batch->positions.push_back(row.at);
      dense.insert(dense.end(), row.values.begin(), row.values.end());
      hashes.push_back(static_cast<std::uint32_t>(place_hash(row.at) >> 32));
    }
    board->read(step, bars_);
    batch->sums.resize(kFeatures);
    batch->found.resize(1);
    batch->contexts.clear();
    scan_features(DenseActivations{dense.data(), batch->rows, kFeatures, kFeatures}, {0, kFeatures},
                  {nullptr, bars_.activation.empty() ? nullptr : bars_.activation.data(),
                   bars_.hash.empty() ? nullptr : bars_.hash.data(), hashes.data()},
                  batch->sums.data(), batch->found[0]);
    batch->keep_tokens(tokens);
    thread_.wait_for_room(std::chrono::hours(1));
    thread_.post(batch->bytes(), [this, batch, board] {
      callbacks_.batch(batch->view());
      board->publish(callbacks_.bars(*batch->site, batch->step), callbacks_.context_size());
    });
    return true;
  }

  void checkpoint() {
    const std::lock_guard lock(mutex_);
    if (finished_) return;
    save(false);
    thread_.drain();
  }

  void finish() {
    const std::lock_guard lock(mutex_);
    finished_ = true;
    save(true);
    thread_.post(0, [this] { callbacks_.finish(); });
    thread_.drain();
  }

  [[nodiscard]] StoreReader store() const { return StoreReader(folder_.path()); }

  std::atomic<int> saves{0};

 private:
  void save(bool last) {
    thread_.post(0, [this, last] {
      callbacks_.checkpoint({last,
                             [](const Site&) { return SiteCounts{}; },
                             [](const Site&) { return HalfMatrix{}; },
                             [](const Site&) { return TraceReport{}; },
                             {}});
    });
  }

  TemporaryFolder folder_;
  StoreWriter writer_;
  std::array<Site, kThreads> sites_;
  std::vector<std::shared_ptr<BarBoard>> boards_;
  CallbackSet callbacks_;
  std::shared_ptr<SampleCollector> collector_;
  BarBoard::Bars bars_;
  BatchPool pool_;
  std::mutex mutex_;
  bool finished_ = false;
  CollectorThread thread_;  // last: its tasks use all of the above
};

std::vector<Row> random_rows(std::mt19937& random, SequenceId sequence, std::uint32_t& position) {
  std::vector<Row> rows(1 + random() % 6);
  for (auto& row : rows) {
    row.values.resize(kFeatures);
    for (auto& value : row.values) value = random() % 4 == 0 ? static_cast<float>(random() % 100000) / 1000 : 0;
    row.at = {sequence, position++};
  }
  return rows;
}

// Each feature's strongest four of all rows.
std::vector<std::vector<float>> strongest(const std::vector<Row>& rows) {
  std::vector<std::vector<float>> all(kFeatures);
  for (const auto& row : rows) {
    for (std::size_t f = 0; f < row.values.size(); ++f) {
      if (row.values[f] != 0) all[f].push_back(row.values[f]);
    }
  }
  for (auto& values : all) {
    std::sort(values.begin(), values.end(), std::greater<>());
    values.resize(std::min<std::size_t>(values.size(), 4));
  }
  return all;
}

void check_store(const StoreReader& store, const std::vector<std::vector<Row>>& kept) {
  REQUIRE(store.sites().size() == kThreads);
  for (int number = 0; number < kThreads; ++number) {
    const auto& rows = kept[static_cast<std::size_t>(number)];
    CHECK(store.sites()[static_cast<std::size_t>(number)].all_time.eligible == rows.size());
    const auto expected = strongest(rows);
    for (std::uint32_t f = 0; f < kFeatures; ++f) {
      std::vector<float> values;
      for (const auto& sample : store.samples(number, f, Scope::all_time)) values.push_back(sample.activation);
      CHECK(values == expected[f]);
    }
  }
}

// Threads that bring batches until the recording is over; what was taken of each.
std::vector<std::vector<Row>> burst(Recording& recording, int most_calls, std::atomic<int>& calls) {
  std::vector<std::vector<Row>> kept(kThreads);
  std::vector<std::thread> threads;
  for (int number = 0; number < kThreads; ++number) {
    threads.emplace_back([&, number] {
      std::mt19937 random(static_cast<unsigned>(number));
      KnownSequences sequences;
      const auto sequence = sequences.add(std::vector<std::int32_t>(100000, number));
      std::uint32_t position = 0;
      for (int step = 0; step < most_calls; ++step) {
        auto rows = random_rows(random, sequence, position);
        if (!recording.batch(number, static_cast<std::uint64_t>(step), rows, sequences)) return;
        ++calls;
        auto& all = kept[static_cast<std::size_t>(number)];
        all.insert(all.end(), std::make_move_iterator(rows.begin()), std::make_move_iterator(rows.end()));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  return kept;
}

}  // namespace

TEST_CASE("checkpoints while four threads bring batches lose nothing") {
  std::size_t tries = 0;
  for (const std::size_t room : {std::size_t{1}, std::size_t{1} << 20}) {
    Recording recording(room);
    std::atomic<bool> over{false};
    std::atomic<int> calls{0};
    std::thread saving([&] {
      while (!over) recording.checkpoint();
    });
    const auto kept = burst(recording, 60, calls);
    over = true;
    saving.join();
    recording.finish();
    CHECK(calls == kThreads * 60);
    CHECK(recording.saves >= 2);
    check_store(recording.store(), kept);
    ++tries;
  }
  record_fault("threads", "a checkpoint during a burst: one after the other while 4 threads bring batches", tries,
               "nothing");
}

TEST_CASE("a recording that ends while four threads bring batches has all that was taken") {
  constexpr int kTurns = 10;
  for (int turn = 0; turn < kTurns; ++turn) {
    Recording recording(turn % 2 == 0 ? 1 : 1 << 20);
    std::atomic<int> calls{0};
    std::thread stopping([&] {
      while (calls < 20 * (turn + 1)) std::this_thread::yield();
      recording.finish();
    });
    const auto kept = burst(recording, 100000, calls);
    stopping.join();
    check_store(recording.store(), kept);
  }
  record_fault("threads", "a recording ends during a burst of 4 threads", kTurns, "nothing of what was taken");
}
