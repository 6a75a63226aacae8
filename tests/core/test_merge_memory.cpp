// Merging takes no more memory for wide stores than for narrow ones, and for each store only a little.
#include <doctest/doctest.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
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
  ::malloc_trim(0);  // else it would first use up what tests before this one have left
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

struct Sizes {
  unsigned stores;
  std::int64_t features;
  std::uint32_t samples;  // of a feature in a window
};

// A store in which every feature has its k samples, of texts that no other store has.
void write_store(const std::string& path, unsigned number, const Sizes& sizes) {
  CollectorOptions options;
  options.max_samples_per_feature = sizes.samples;
  options.random_samples_per_feature = sizes.samples / 2;
  options.sample_context_size = 2;
  options.window_rule = {WindowRule::Kind::fixed, 2};
  Pipeline pipeline(sizes.features, options);
  pipeline.header.run_id = "run-" + std::to_string(number);
  pipeline.header.rank = {number, 64, "launch"};
  pipeline.writer = std::make_unique<StoreWriter>(path, pipeline.header);
  std::mt19937 random(number);
  for (std::uint64_t step = 0; step < 7; ++step) {
    std::vector<std::int32_t> text;
    std::vector<Row> rows;
    // Half of a window's tokens activate a feature, and there are half as many again as it needs.
    for (std::uint32_t token = 0; token < sizes.samples * 3 / 2; ++token) {
      text.push_back(static_cast<std::int32_t>(random() % 30000));
      Row row(static_cast<std::size_t>(sizes.features));
      for (float& value : row) value = random() % 2 == 0 ? static_cast<float>(random() % 1000) / 100 : 0;
      rows.push_back(std::move(row));
    }
    pipeline.sequence(step, text, rows);
    if (step % 2 == 1 || step == 6) pipeline.checkpoint(step == 6);
  }
}

double mebibytes_of(const std::string& path) {
  return static_cast<double>(std::filesystem::file_size(path)) / (1 << 20);
}

struct Taken {
  double memory = 0;   // MiB, besides the process itself
  double read = 0;     // MiB of stores
  double written = 0;  // MiB of the merged one
};

Taken merged(const Sizes& sizes) {
  const TemporaryFolder folder;
  std::vector<std::string> inputs;
  Taken taken;
  for (unsigned number = 0; number < sizes.stores; ++number) {
    inputs.push_back(folder.file("rank" + std::to_string(number) + ".saetap"));
    (void)peak_of([&] { write_store(inputs.back(), number, sizes); });
    taken.read += mebibytes_of(inputs.back());
  }
  taken.memory = peak_of([&] { merge_stores(inputs, folder.file("merged.saetap")); }) - peak_of([] {});
  taken.written = mebibytes_of(folder.file("merged.saetap"));
  const StoreReader merged(folder.file("merged.saetap"));
  REQUIRE(merged.runs().size() == sizes.stores);
  REQUIRE(merged.samples(0, static_cast<std::uint32_t>(sizes.features - 1), Scope::all_time).size() == sizes.samples);
  return taken;
}

// Sanitizers take memory of their own for all that is touched.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)  // GCC's word for it, and clang's
constexpr bool kMeasurable = false;
#elif defined(__has_feature)
constexpr bool kMeasurable = !__has_feature(address_sanitizer);
#else
constexpr bool kMeasurable = true;
#endif

}  // namespace

TEST_CASE("merging takes memory neither for features nor for samples, and a little for each store" *
          doctest::skip(!kMeasurable)) {
  const Sizes sizes = saetap::testing::long_form() ? Sizes{64, 65536, 8} : Sizes{2, 16000, 32};
  const Taken taken = merged(sizes);
  MESSAGE(sizes.stores, " stores of ", sizes.features, " features: ", taken.read, " MiB are read and ", taken.written,
          " MiB written with ", taken.memory, " MiB");
  // The cache of the store that is written, the list of texts that samples need, and of each store a cache.
  constexpr double kOfMerged = 64 + 16, kOfStore = 2;
  const double bound = 1.3 * (kOfMerged + kOfStore * sizes.stores);
  // With all that is read in memory, or all that is written, it would be beyond that.
  REQUIRE(taken.read > 2 * bound);
  REQUIRE(taken.written + kOfStore * sizes.stores > bound);
  CHECK(taken.memory < bound);
  saetap::testing::record_fault("ranks",
                                std::to_string(sizes.stores) + " stores of " + std::to_string(sizes.features) +
                                    " features are merged in less than half of the memory that they take on disk",
                                1, "nothing");
}
