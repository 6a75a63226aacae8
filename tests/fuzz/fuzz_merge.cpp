// A store of which some values are any, merged with a sound one or taken up by a run that goes on with it.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>

#include "plugin/store/resumed_store.h"
#include "plugin/store/store_merge.h"
#include "tests/core/read_everything.h"
#include "tests/fuzz/changed_store.h"

namespace {

using saetap::testing::Pipeline;
using saetap::testing::RichRun;

// Of another run, under the same config.
const std::string& other_store() {
  static RichRun run(3);
  static const std::string path = [] {
    run.header.run_id = "run-2";
    run.train(3, 12);
    return run.folder.file("samples.saetap");
  }();
  return path;
}

[[noreturn]] void fail(const std::string& why) {
  std::cerr << why << '\n';
  std::abort();
}

// What is merged can be read, whatever it was made of; or the reason names one of the files.
void merge(const std::string& path) {
  const std::string merged = path + "-merged";
  const std::string whole[] = {path, other_store(), merged};
  try {
    saetap::merge_stores({path, other_store()}, merged);
  } catch (const saetap::StoreError& error) {
    const std::string reason = error.what();
    const bool named = std::any_of(std::begin(whole), std::end(whole),
                                   [&](const std::string& file) { return reason.starts_with(file); });
    if (!named) fail(reason);
    return;
  }
  for (const std::string& refusal : saetap::testing::read_everything(merged)) fail(refusal);
}

// As a process that goes on with it: its open windows are read, and later ones are saved to it.
void resume(const std::string& path) {
  try {
    const saetap::ResumedStore store(path);
    std::vector<std::string> differences;
    const saetap::CollectorOptions options = store.options(saetap::testing::rich_options(), differences);
    Pipeline next(3, options);
    next.header.run_id = "run-3";
    next.writer = std::make_unique<saetap::StoreWriter>(path, next.header);
    next.writer->go_on(store.stamp());
    const saetap::StoredSite* before = store.find(next.site.name);
    if (before == nullptr) return;
    store.take_up(next.site, next.collector);
    next.writer->took_up_site();
    // On in the open window, and into two later ones.
    const std::uint64_t first = std::max(before->counts.steps, before->recent.last_step + 1);
    for (std::uint64_t step = first; step < first + 9; step += 4) {
      next.sequence(step, {1, 2}, {{1, 0, 3}, {0, 2, 0}});
      next.checkpoint();
    }
  } catch (const saetap::StoreError& error) {
    if (!std::string(error.what()).starts_with(path)) fail(error.what());
  }
  for (const std::string& refusal : saetap::testing::read_everything(path)) {
    if (!refusal.starts_with(path + ": ")) fail(refusal);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  FuzzedDataProvider given(bytes, size);
  const auto read = given.ConsumeBool() ? merge : resume;
  const std::string path = saetap::testing::changed_store(given);
  read(path);
  // What was merged, and what was moved aside.
  for (const auto& file : std::filesystem::directory_iterator(std::filesystem::path(path).parent_path())) {
    std::filesystem::remove(file.path());
  }
  return 0;
}
