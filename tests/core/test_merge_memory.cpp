// Merging takes no more memory for wide stores than for narrow ones, and for each store only a little.
#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <random>

#include "plugin/store/store_merge.h"
#include "tests/core/pipeline.h"
#include "tests/reliability/fault_record.h"

using namespace saetap;
using saetap::testing::Pipeline;
using saetap::testing::Row;
using saetap::testing::TemporaryFolder;

namespace {

// Most memory that a process of its own had while it did this, in MiB.
double peak_of(const std::function<void()>& work) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    work();
    ::_exit(0);
  }
  int status = 0;
  rusage usage{};
  REQUIRE(::wait4(child, &status, 0, &usage) == child);
  REQUIRE(WIFEXITED(status));
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

// A store in which every feature has its k samples, of texts that no other store has.
void write_store(const std::string& path, unsigned number, std::int64_t features) {
  CollectorOptions options;
  options.max_samples_per_feature = 8;
  options.random_samples_per_feature = 4;
  options.sample_context_size = 2;
  options.window_rule = {WindowRule::Kind::fixed, 2};
  Pipeline pipeline(features, options);
  pipeline.header.run_id = "run-" + std::to_string(number);
  pipeline.header.rank = {number, 64, "launch"};
  pipeline.writer = std::make_unique<StoreWriter>(path, pipeline.header);
  std::mt19937 random(number);
  for (std::uint64_t step = 0; step < 7; ++step) {
    std::vector<std::int32_t> text;
    std::vector<Row> rows;
    for (int token = 0; token < 12; ++token) {
      text.push_back(static_cast<std::int32_t>(random() % 30000));
      Row row(static_cast<std::size_t>(features));
      for (float& value : row) value = random() % 2 == 0 ? static_cast<float>(random() % 1000) / 100 : 0;
      rows.push_back(std::move(row));
    }
    pipeline.sequence(step, text, rows);
    pipeline.checkpoint(step == 6);
  }
}

// What merging takes besides the process itself.
double peak_of_merge(unsigned stores, std::int64_t features) {
  const TemporaryFolder folder;
  std::vector<std::string> inputs;
  for (unsigned number = 0; number < stores; ++number) {
    inputs.push_back(folder.file("rank" + std::to_string(number) + ".saetap"));
    (void)peak_of([&] { write_store(inputs.back(), number, features); });
  }
  const double peak = peak_of([&] { merge_stores(inputs, folder.file("merged.saetap")); }) - peak_of([] {});
  const StoreReader merged(folder.file("merged.saetap"));
  REQUIRE(merged.runs().size() == stores);
  REQUIRE(merged.samples(0, static_cast<std::uint32_t>(features - 1), Scope::all_time).size() == 8);
  return peak;
}

// Sanitizers take memory of their own for all that is touched.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr bool kMeasurable = false;
#else
constexpr bool kMeasurable = true;
#endif

}  // namespace

TEST_CASE("merging takes memory neither for features nor for samples, and a little for each store" *
          doctest::skip(!kMeasurable)) {
  const bool wide = saetap::testing::long_form();
  const unsigned stores = wide ? 64 : 6;
  const std::int64_t features = wide ? 65536 : 3000;
  const double few = peak_of_merge(2, features / 8), many = peak_of_merge(stores, features);
  MESSAGE("2 stores of ", features / 8, " features: ", few, " MiB; ", stores, " of ", features, ": ", many, " MiB");
  // A cache of 2 MiB and its statements for each store, and the cache of the one that is written.
  constexpr double kOfStore = 5, kOfMerged = 120;
  CHECK(many < few + kOfMerged + kOfStore * stores);
  saetap::testing::record_fault("ranks",
                                std::to_string(stores) + " stores of " + std::to_string(features) +
                                    " features are merged in " + std::to_string(static_cast<int>(many) + 1) +
                                    " MiB of memory",
                                1, "nothing");
}
