// Declared sites beside everything else: resumed stores, accelerators, slow callbacks, and who calls from where.
#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <thread>

#include "plugin/store/store_reader.h"
#include "tests/plugin/session_witness.h"

using namespace saetap;
using namespace saetap::testing;

namespace {

using namespace std::chrono_literals;

DeclaredSite named(const std::string& name) {
  return {name, "", kFeatures, kWidth, kWidth};
}

DeclaredCall some_call(int64_t rows = 8) {
  return {at::relu(at::randn({rows, kFeatures})), {}, {}, Phase::train};
}

// Remembers the order of events.
class Order : public Callback {
 public:
  void on_batch(const Batch& batch) override { events.push_back("batch " + std::to_string(batch.step)); }
  void on_step(const StepEvent& event) override { events.push_back("step " + std::to_string(event.step)); }
  std::vector<std::string> events;
};

// Is told what to do at the end, or with each batch.
class Doing : public Callback {
 public:
  void on_batch(const Batch&) override {
    if (with_batch) with_batch();
  }
  void on_finish() override {
    if (at_end) at_end();
  }
  std::function<void()> with_batch, at_end;
};

}  // namespace

TEST_CASE("a resumed run goes on with the declared site of that very name") {
  const Folder folder;
  auto config = config_for(folder);
  for (const char* name : {"gpt2@layer3", "gpt2@layer5", "gpt2#3", "gpt2@layer3"}) {
    const auto session = std::make_shared<Session>(config, "test");
    session->start();
    session->observe(session->declare(named(name)), some_call());
    REQUIRE(session->finish() == Session::End::done);
    config.resume = true;
  }
  const StoreReader store(folder.path());
  std::map<std::string, std::uint64_t> rows;
  for (const auto& site : store.sites()) rows[site.site.name] = site.counts.rows_seen;
  CHECK(rows == std::map<std::string, std::uint64_t>{{"gpt2@layer3", 16}, {"gpt2@layer5", 8}, {"gpt2#3", 8}});
}

TEST_CASE("on an accelerator, too, a step comes behind its batches") {
  for (const bool told : {false, true}) {
    const Folder folder;
    const auto session = std::make_shared<Session>(config_for(folder), "test");
    const auto order = std::make_shared<Order>();
    session->add_callback("order", order);
    session->take_host_for_device(2);
    session->start();
    const auto site = session->declare(named("sae"));
    if (told) session->end_step();
    for (int step = 0; step < 3; ++step) {
      session->observe(site, some_call());
      if (told) session->end_step();
    }
    session->settle();
    CHECK(order->events == std::vector<std::string>{"batch 0", "step 0", "batch 1", "step 1", "batch 2", "step 2"});
    CHECK(session->finish() == Session::End::done);
  }
}

TEST_CASE("who reads waits for a slow callback, training does not") {
  const Folder folder;
  const auto session = std::make_shared<Session>(config_for(folder), "test");
  const auto slow = std::make_shared<Doing>();
  std::promise<void> reached, go_on;
  auto may_go_on = go_on.get_future().share();
  slow->with_batch = [&, first = true]() mutable {
    if (!std::exchange(first, false)) return;
    reached.set_value();
    may_go_on.wait();
  };
  session->add_callback("slow", slow);
  session->start();
  const auto site = session->declare(named("sae"));
  session->observe(site, some_call());
  reached.get_future().wait();
  std::atomic<bool> read = false;
  std::thread reader(
      [&] { session->look([&](const SampleCollector& collector) { read = collector.sites().size() == 1; }); });
  std::this_thread::sleep_for(100ms);
  // With the lock held by the reader this would not come back before the callback does, which waits for it.
  for (int i = 0; i < 5; ++i) session->observe(site, some_call());
  CHECK_FALSE(read);
  go_on.set_value();
  reader.join();
  CHECK(read);
  CHECK(session->finish() == Session::End::done);
}

TEST_CASE("a callback whose own thread observes is ended without waiting for exit_seconds") {
  for (int turn = 0; turn < 10; ++turn) {
    const Folder folder;
    const auto session = std::make_shared<Session>(config_for(folder), "test");
    const auto helped = std::make_shared<Doing>();
    std::atomic<bool> stop = false;
    session->add_callback("helped", helped);
    session->start();
    const auto site = session->declare(named("sae"));
    session->observe(site, some_call());
    std::thread helper([&] {
      try {
        while (!stop) session->observe(site, some_call());
      } catch (const NotRecording&) {
      }
    });
    helped->at_end = [&] {
      stop = true;
      helper.join();
    };
    std::this_thread::sleep_for(5ms);
    CHECK(session->finish() == Session::End::done);
  }
}

TEST_CASE("from a callback what would wait for itself is refused") {
  const Folder folder;
  const auto session = std::make_shared<Session>(config_for(folder), "test");
  const auto doing = std::make_shared<Doing>();
  std::vector<std::string> refusals;
  int sites = 0;
  const auto site = std::make_shared<int>(0);
  doing->with_batch = [&] {
    for (const auto& ask : std::vector<std::function<void()>>{
             [&] { session->observe(*site, some_call()); }, [&] { (void)session->declare(named("other")); },
             [&] { session->end_step(); }, [&] { (void)session->sites(); }, [&] { (void)session->place_of(*site); }}) {
      try {
        ask();
        refusals.emplace_back("done");
      } catch (const std::exception& error) {
        refusals.emplace_back(error.what());
      }
    }
    session->look([&](const SampleCollector& collector) { sites = static_cast<int>(collector.sites().size()); });
  };
  session->add_callback("doing", doing);
  session->start();
  *site = session->declare(named("sae"));
  session->observe(*site, some_call());
  session->settle();
  CHECK(refusals == std::vector<std::string>(5, "called from within a callback"));
  CHECK(sites == 1);
  CHECK(session->finish() == Session::End::done);
}

TEST_CASE("a decoder is let go of when its module says so, and is in the store all the same") {
  const Folder folder;
  const auto session = std::make_shared<Session>(config_for(folder), "test");
  session->start();
  const auto site = session->declare(named("sae"));
  auto weight = at::randn({kWidth, kFeatures});
  const auto expected = weight.t().to(at::kHalf).to(at::kFloat).contiguous();
  session->set_decoder(site, weight, true, HoldDecoder::shared);
  session->observe(site, some_call());
  CHECK(weight.use_count() > 1);
  session->release_decoder(site);
  CHECK(weight.use_count() == 1);
  weight = at::Tensor();
  CHECK(session->finish() == Session::End::done);
  const auto* numbers = expected.const_data_ptr<float>();
  CHECK(StoreReader(folder.path()).decoder_directions(0) == std::vector<float>(numbers, numbers + expected.numel()));
}

TEST_CASE("scaled by decoders, a batch before the decoder is refused and the site goes on") {
  const Folder folder;
  auto config = config_for(folder);
  config.activation_scale = ActivationScale::decoder_norm;
  const auto session = std::make_shared<Session>(config, "test");
  session->start();
  const auto site = session->declare(named("sae"));
  CHECK_THROWS_WITH_AS(session->observe(site, some_call()),
                       "site \"sae\": activation_scale is decoder_norm, and its decoder was not set",
                       std::invalid_argument);
  session->set_decoder(site, at::ones({kFeatures, kWidth}) * 0.5, false, HoldDecoder::kept);
  session->observe(site, {at::ones({8, kFeatures}), {}, {}, Phase::train});
  float max = 0;
  session->look(
      [&](const SampleCollector& collector) { max = collector.sites().at(0).part(PartKind::open)->statistics[3].max; });
  CHECK(max == 2.0f);  // half of each of 16 numbers has norm 2
  CHECK(session->finish() == Session::End::done);
}

TEST_CASE("rows of pairs without a pair count as rows") {
  const Folder folder;
  const auto session = std::make_shared<Session>(config_for(folder), "test");
  session->start();
  const auto site = session->declare(named("sae"));
  const auto none = at::zeros({6, 0});
  session->observe(site, {none, none.to(at::kLong), at::randn({6, kWidth}), Phase::train});
  session->observe(site, {at::ones({2, 1}), at::zeros({2, 1}, at::kLong), at::randn({2, kWidth}), Phase::train});
  const auto counts = session->sites().at(0).second;
  CHECK(counts.rows_seen == 8);
  CHECK(counts.rows_collected == 8);
  session->look([&](const SampleCollector& collector) {
    const auto& open = *collector.sites().at(0).part(PartKind::open);
    CHECK(open.eligible == 8);
    CHECK(open.statistics[0].active == 2);
  });
  CHECK(session->finish() == Session::End::done);
}
