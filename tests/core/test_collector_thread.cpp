// The collector's thread: order, room, failures; and that batches handled late keep what batches handled at once keep.
#include <doctest/doctest.h>
#include <signal.h>

#include <atomic>
#include <random>
#include <stdexcept>

#include "plugin/collect/bar_board.h"
#include "plugin/collect/collected_batch.h"
#include "plugin/collect/collector_thread.h"
#include "tests/core/pipeline.h"

using namespace saetap;
using saetap::testing::KnownSequences;
using saetap::testing::Pipeline;
using saetap::testing::Row;

namespace {

void ignore(const std::string&) {}

// Random batches of a few features: places that come round again, ties, steps that jump over windows.
struct RandomBatch {
  std::uint64_t step;
  std::vector<Row> rows;
  std::vector<TokenPosition> positions;
};

std::vector<RandomBatch> random_batches(std::mt19937& random, std::int64_t features, KnownSequences& sequences) {
  std::vector<SequenceId> texts;
  for (int i = 0; i < 5; ++i) {
    std::vector<std::int32_t> tokens(10 + random() % 200);
    for (auto& token : tokens) token = static_cast<std::int32_t>(random() % 1000);
    texts.push_back(sequences.add(tokens));
  }
  std::vector<RandomBatch> batches;
  std::uint64_t step = 0;
  for (int i = 0; i < 40; ++i, step += random() % 5 == 0 ? random() % 50 : random() % 3) {
    RandomBatch batch{step, {}, {}};
    for (std::size_t row = 0; row < 1 + random() % 8; ++row) {
      Row values(static_cast<std::size_t>(features));
      for (auto& value : values) value = random() % 3 == 0 ? static_cast<float>(random() % 64) / 8 - 2 : 0;
      batch.rows.push_back(values);
      const auto text = texts[random() % texts.size()];
      batch.positions.push_back({text, static_cast<std::uint32_t>(random() % sequences.tokens(text).size())});
    }
    batches.push_back(std::move(batch));
  }
  return batches;
}

// As the session does it: scanned here with whatever bars are known, kept over there.
class LatePipeline {
 public:
  LatePipeline(std::int64_t features, CollectorOptions options, std::size_t room)
      : collector_(options, {}), thread_(room, ignore) {
    site_.features = features;
    collector_.on_attach(site_);
    board_.publish(collector_.bars(site_, 0), collector_.context_size());
  }

  void batch(const RandomBatch& given, const TokenSource& sequences) {
    auto batch = std::make_shared<CollectedBatch>();
    batch->site = &site_;
    batch->step = given.step;
    batch->rows = batch->eligible = static_cast<std::int64_t>(given.rows.size());
    batch->positions = given.positions;
    BarBoard::Bars bars;
    board_.read(given.step, bars);
    std::vector<float> dense;
    for (const auto& row : given.rows) dense.insert(dense.end(), row.begin(), row.end());
    std::vector<std::uint32_t> hashes;
    for (const auto& at : given.positions) hashes.push_back(static_cast<std::uint32_t>(place_hash(at) >> 32));
    batch->sums.resize(static_cast<std::size_t>(site_.features));
    batch->found.resize(1);
    scan_features(DenseActivations{dense.data(), batch->rows, site_.features, site_.features}, {0, site_.features},
                  {nullptr, bars.activation.empty() ? nullptr : bars.activation.data(),
                   bars.hash.empty() ? nullptr : bars.hash.data(), hashes.data()},
                  batch->sums.data(), batch->found[0]);
    batch->keep_tokens(sequences);
    thread_.wait_for_room(std::chrono::hours(1));
    thread_.post(batch->bytes(), [this, batch] {
      collector_.on_batch(batch->view());
      board_.publish(collector_.bars(site_, batch->step), collector_.context_size());
    });
  }

  const SampleCollector& collected() {
    thread_.drain();
    return collector_;
  }

 private:
  Site site_;
  SampleCollector collector_;
  BarBoard board_;
  CollectorThread thread_;
};

}  // namespace

TEST_CASE("batches handled late on another thread keep what batches handled at once keep") {
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    const std::int64_t features = 1 + random() % 30;
    CollectorOptions options;
    options.max_samples_per_feature = 1 + random() % 6;
    options.sample_activation_threshold = seed % 2 == 0 ? 0.0f : 0.5f;
    const WindowRule::Kind kinds[]{WindowRule::Kind::growing, WindowRule::Kind::fixed, WindowRule::Kind::single};
    options.window_rule = {kinds[seed % 3], 1 + random() % 20};
    Pipeline at_once(features, options);
    const auto batches = random_batches(random, features, at_once.sequences);
    LatePipeline late(features, options, seed % 2 == 0 ? 1 : 1 << 20);  // a queue of one batch, and of many
    for (const auto& batch : batches) {
      at_once.batch(batch.step, batch.rows, batch.positions);
      late.batch(batch, at_once.sequences);
    }
    const auto& expected = at_once.collector.sites().at(0);
    const auto& kept = late.collected().sites().at(0);
    for (const PartKind kind : {PartKind::past, PartKind::closed, PartKind::open}) {
      REQUIRE((kept.part(kind) == nullptr) == (expected.part(kind) == nullptr));
      if (kept.part(kind) == nullptr) continue;
      REQUIRE(kept.part(kind)->statistics == expected.part(kind)->statistics);
      REQUIRE(kept.part(kind)->eligible == expected.part(kind)->eligible);
      REQUIRE(kept.part(kind)->histograms == expected.part(kind)->histograms);
      for (std::uint32_t feature = 0; feature < features; ++feature) {
        REQUIRE(kept.part(kind)->random_samples.samples(feature) ==
                expected.part(kind)->random_samples.samples(feature));
        REQUIRE(kept.part(kind)->samples.strongest(feature) == expected.part(kind)->samples.strongest(feature));
      }
    }
  }
}

TEST_CASE("tasks run in order, one that throws is told and the others go on") {
  std::vector<std::string> failures;
  std::vector<int> order;
  {
    CollectorThread thread(1 << 20, [&](const std::string& what) { failures.push_back(what); });
    for (int i = 0; i < 100; ++i) {
      thread.post(10, [&order, i] {
        order.push_back(i);
        if (i == 50) throw std::runtime_error("on purpose");
        if (i == 60) throw 7;
      });
    }
  }  // runs what was posted
  REQUIRE(order.size() == 100);
  for (int i = 0; i < 100; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
  CHECK(failures == std::vector<std::string>{"on purpose", "unknown"});
}

TEST_CASE("who asks for room waits while the queue is full, and nothing is dropped") {
  std::atomic<bool> go = false;
  std::atomic<int> done = 0;
  CollectorThread thread(100, ignore);
  const auto post = [&](std::size_t bytes) {
    CHECK(thread.wait_for_room(std::chrono::hours(1)));
    thread.post(bytes, [&] {
      while (!go) std::this_thread::yield();
      ++done;
    });
  };
  post(60);
  post(1000);  // there is room, and then much less
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    go = true;
  });
  for (int i = 0; i < 10; ++i) post(30);
  CHECK(thread.drain());
  later.join();
  CHECK(done == 12);
  CHECK(thread.waits().count >= 1);
  CHECK(thread.waits().seconds > 0);
  CHECK(thread.peak_bytes() == 1060);
}

TEST_CASE("who asks for room is told when nothing moves, and goes on when it does") {
  std::atomic<bool> go = false;
  CollectorThread thread(100, ignore);
  thread.post(100, [&] {
    while (!go) std::this_thread::yield();
  });
  CHECK_FALSE(thread.wait_for_room(std::chrono::milliseconds(0)));
  CHECK(thread.waits().count == 0);  // only looked
  CHECK_FALSE(thread.wait_for_room(std::chrono::milliseconds(5)));
  CHECK(thread.waits().count == 1);
  go = true;
  CHECK(thread.wait_for_room(std::chrono::hours(1)));
  thread.post(75, [] {});
  CHECK(thread.wait_for_room(std::chrono::hours(1)));
}

TEST_CASE("a task that takes no memory never waits") {
  std::atomic<bool> go = false;
  CollectorThread thread(100, ignore);
  thread.post(1000, [&] {
    while (!go) std::this_thread::yield();
  });
  thread.post(0, [] {});
  CHECK(thread.waits().count == 0);
  go = true;
  CHECK(thread.drain());
}

TEST_CASE("the collector's thread takes no signal, and does not wait for itself") {
  CollectorThread thread(100, ignore);
  std::atomic<bool> blocked = false, current = false, drained = true;
  thread.post(0, [&] {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    blocked = sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGINT) == 1 && sigismember(&mask, SIGCHLD) == 1;
    current = thread.is_current();
    drained = thread.drain();
  });
  CHECK(thread.drain());
  CHECK(blocked);
  CHECK(current);
  CHECK_FALSE(drained);
  CHECK_FALSE(thread.is_current());
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  CHECK(sigismember(&mask, SIGTERM) == 0);
}

TEST_CASE("bars hold up to their last step; later steps get those of the beginning") {
  BarBoard board;
  const std::vector<float> low{1, 1}, high{5, 6};
  const std::vector<std::uint32_t> wide{9, 9}, narrow{3, 2};
  board.publish({low, wide}, 4);
  BarBoard::Bars bars;
  CHECK(board.read(1000, bars) == 4);
  CHECK(bars.activation == low);
  board.publish({high, narrow, 32}, 7);
  CHECK(board.read(31, bars) == 7);
  CHECK(bars.activation == high);
  CHECK(bars.hash == narrow);
  board.read(32, bars);
  CHECK(bars.activation == low);
  CHECK(bars.hash == wide);
}

TEST_CASE("a batch on its way keeps the text of its candidates' sequences, whatever is forgotten meanwhile") {
  KnownSequences sequences;
  const auto first = sequences.add({1, 2, 3}), second = sequences.add({4, 5}), third = sequences.add({6});
  CollectedBatch batch;
  batch.positions = {{first, 0}, {second, 1}, {first, 2}, {third, 0}, {7, 0}};
  batch.found.resize(2);
  batch.found[0].candidates = {{2, 0, 1.0f}};
  batch.found[1].candidates = {{0, 9, 1.0f}, {3, 9, 1.0f}, {4, 9, 1.0f}};
  batch.keep_tokens(sequences);
  for (const auto id : {first, second, third}) sequences.forget(id);
  const auto kept = [&](SequenceId id) {
    const auto tokens = batch.tokens.tokens(id);
    return std::vector<std::int32_t>(tokens.begin(), tokens.end());
  };
  CHECK(kept(first) == std::vector<std::int32_t>{1, 2, 3});
  CHECK(kept(second).empty());
  CHECK(kept(third) == std::vector<std::int32_t>{6});
  batch.keep_tokens(sequences);
  CHECK(kept(first).empty());  // of the batch before
}

TEST_CASE("what waits can be given up: the task at hand ends, the others are never begun, and what they held is free") {
  std::atomic<bool> begun = false, release = false, other = false;
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = held;
  {
    CollectorThread thread(1000, ignore);
    thread.post(0, [&] {
      begun = true;
      while (!release) std::this_thread::yield();
    });
    thread.post(0, [&other, held = std::move(held)] { other = true; });
    while (!begun) std::this_thread::yield();
    CHECK_FALSE(thread.drain(std::chrono::milliseconds(1)));
    thread.abandon();
    CHECK(watched.expired());
    CHECK_FALSE(thread.drain());  // does not wait for what will never be done
    release = true;
  }
  CHECK_FALSE(other);
}
