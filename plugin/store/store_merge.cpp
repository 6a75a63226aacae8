#include "plugin/store/store_merge.h"

#include <algorithm>

#include "plugin/store/merge_input.h"
#include "plugin/store/merged_parts.h"
#include "plugin/store/merged_text.h"
#include "plugin/store/store_files.h"
#include "plugin/store/store_format.h"
#include "plugin/store/store_tables.h"
#include "plugin/store/unfinished_store.h"

namespace saetap {
namespace {

// Counts features of tables, of which there are about as many as in the inputs.
class Work {
 public:
  Work(const std::vector<MergedSite>& sites, const MergeGoesOn& goes_on) : goes_on_(goes_on) {
    for (const MergedSite& site : sites) total_ += kTables * static_cast<double>(site.site.features);
  }
  void tick() {
    constexpr std::uint64_t kBetween = 64;
    if (++done_ % kBetween != 0 || !goes_on_) return;
    if (!goes_on_(std::min(0.99, static_cast<double>(done_) / total_))) throw MergeStopped("merging takes too long");
  }

 private:
  static constexpr double kTables = kPartKinds + 8;  // the parts, and some windows of history

  const MergeGoesOn& goes_on_;
  double total_ = 1;
  std::uint64_t done_ = 0;
};

// Of the input that trained longest.
void write_decoder(Database& merged, const MergedSite& site) {
  const MergedSite::Source* longest = nullptr;
  for (const MergedSite::Source& source : site.sources) {
    if (!source.stored->has_decoder) continue;
    if (longest == nullptr || source.stored->counts.steps > longest->stored->counts.steps) longest = &source;
  }
  if (longest == nullptr) return;
  Statement select =
      longest->input->database.prepare("SELECT block, directions FROM decoder WHERE site = ? ORDER BY block");
  Statement insert = merged.prepare("INSERT INTO decoder VALUES(?, ?, ?)");
  select.bind(0, std::int64_t{longest->stored->site.id});
  std::int64_t left = site.site.features;
  for (std::int64_t block = 0; select.step(); ++block) {
    const std::int64_t rows = std::min(left, kDecoderBlockFeatures);
    const auto bytes = static_cast<std::int64_t>(select.blob(1).size());
    if (select.integer(0) != block || bytes == 0 || bytes != 2 * rows * site.site.d_out) {
      throw StoreError(longest->input->database.path() + ": the store is damaged (decoder directions of another size)");
    }
    left -= rows;
    insert.bind(0, std::int64_t{site.site.id}).bind(1, block).bind_blob(2, select.blob(1)).run();
  }
  if (left != 0) {
    throw StoreError(longest->input->database.path() + ": the store is damaged (a decoder block is missing)");
  }
}

void write_token_texts(Database& merged, const MergeInputs& inputs) {
  Statement insert = merged.prepare("INSERT OR IGNORE INTO token VALUES(?, ?)");
  for (const auto& input : inputs) {
    Statement select = input->database.prepare("SELECT id, text FROM token ORDER BY id");
    while (select.step()) {
      const std::int64_t id = select.integer(0);
      if (id != static_cast<std::int32_t>(id)) {
        throw StoreError(input->database.path() + ": the store is damaged (the id of a token)");
      }
      insert.bind(0, id).bind_blob(1, select.blob(1)).run();
    }
  }
}

void write_all(Database& merged, const MergeInputs& inputs, const MergeGoesOn& goes_on, MergeOf of) {
  const RunFacts facts = merged_facts(inputs);
  const std::vector<MergedSite> sites = merge_sites(inputs, of);
  write_run_facts(merged, facts);
  for (const auto& input : inputs) {
    for (const StoredRun& run : input->runs) write_run(merged, run);
  }
  const KeptLimits limits{facts.kept_samples_per_feature, facts.kept_random_samples_per_feature, facts.most_alike()};
  MergedText text(merged, facts.sample_context_size);
  Work work(sites, goes_on);
  for (const MergedSite& site : sites) {
    write_site(merged, site.site, site.counts, site.tracing);
    write_decoder(merged, site);
    MergedParts(merged, site, limits, text, [&] { work.tick(); }).write();
  }
  text.write(inputs, [&] { work.tick(); });
  write_token_texts(merged, inputs);
}

}  // namespace

void merge_stores(const std::vector<std::string>& inputs, const std::string& output, const MergeGoesOn& goes_on,
                  MergeOf of) {
  const MergeInputs opened = open_inputs(inputs, of);
  UnfinishedStore unfinished(output);
  {
    Database merged = unfinished.open();
    Transaction transaction(merged);
    create_tables(merged);
    write_all(merged, opened, goes_on, of);
    for (const auto& input : opened) input->check_unchanged();
    transaction.commit();
  }
  unfinished.finish();
}

}  // namespace saetap
