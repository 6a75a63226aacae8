#include "plugin/store/store_tables.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <map>

#include "plugin/store/store_format.h"

namespace saetap {
namespace {

constexpr std::int64_t kWidest = std::int64_t{1} << 24;

std::string format_float(float value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", static_cast<double>(value));  // nine digits bring every float back
  return text;
}

class Meta {
 public:
  explicit Meta(const Database& database) : path_(database.path()) {
    Statement select = database.prepare("SELECT key, value FROM meta");
    while (select.step()) {
      if (values_.emplace(select.text(0), select.text(1)).second) continue;
      throw StoreError(path_ + ": the store is damaged (a key of meta twice)");
    }
  }

  bool has(const std::string& key) const { return values_.contains(key); }

  std::string text(const std::string& key) const {
    const auto found = values_.find(key);
    if (found == values_.end()) throw StoreError(path_ + ": the store is damaged (no " + key + " in meta)");
    return found->second;
  }

  template <typename Number>
  Number number(const std::string& key) const {
    const std::string value = text(key);
    Number number{};
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc() || end != value.data() + value.size()) {
      throw StoreError(path_ + ": the store is damaged (" + key + " in meta is no number)");
    }
    return number;
  }

 private:
  std::string path_;
  std::map<std::string, std::string> values_;
};

StoredSite read_site(const Statement& row, const std::string& path) {
  StoredSite stored_site;
  Site& site = stored_site.site;
  site.id = static_cast<int>(row.integer(0));
  site.name = row.text(1);
  site.module_type = row.text(2);
  site.method = row.text(3);
  site.description = row.text(4);
  site.features = row.integer(5);
  site.d_in = row.integer(6);
  site.d_out = row.integer(7);
  const auto within = [](std::int64_t value, std::int64_t most) { return value >= 0 && value <= most; };
  if (!within(row.integer(0), std::numeric_limits<int>::max() - 1) || !within(site.features, kMostFeatures) ||
      !within(site.d_in, kWidest) || !within(site.d_out, kWidest)) {
    throw StoreError(path + ": the store is damaged (impossible size of a site)");
  }
  stored_site.counts = {unstored(row.integer(8)),  unstored(row.integer(9)),  unstored(row.integer(10)),
                        unstored(row.integer(11)), unstored(row.integer(12)), unstored(row.integer(13)),
                        unstored(row.integer(14)), unstored(row.integer(15))};
  stored_site.tracing = {row.text(16), row.text(17)};
  stored_site.has_decoder = row.integer(18) != 0;
  return stored_site;
}

void cover(ScopeFacts& facts, const ScopeFacts& part) {
  const bool empty = facts.eligible == 0;
  facts.first_step = empty ? part.first_step : std::min(facts.first_step, part.first_step);
  facts.last_step = std::max(facts.last_step, part.last_step);
  facts.eligible += part.eligible;
}

void read_scopes(const Database& database, StoredSite& stored_site) {
  Statement select = database.prepare("SELECT part, first_step, last_step, eligible FROM part WHERE site = ?");
  select.bind(0, std::int64_t{stored_site.site.id});
  std::size_t parts = 0;
  while (select.step()) {
    if (++parts > kPartKinds) throw StoreError(database.path() + ": the store is damaged (more parts than there are)");
    const ScopeFacts part{unstored(select.integer(1)), unstored(select.integer(2)), unstored(select.integer(3))};
    if (part.eligible == 0) continue;
    cover(stored_site.all_time, part);
    if (select.text(0) != part_name(PartKind::past)) cover(stored_site.recent, part);
  }
}

std::optional<ImportedFrom> imported_from(const Meta& meta) {
  if (!meta.has("imported_scope")) return std::nullopt;
  return ImportedFrom{meta.text("imported_scope") == "all_time" ? Scope::all_time : Scope::recent,
                      std::max<std::int64_t>(0, meta.number<std::int64_t>("imported_top_features")),
                      std::max<std::int64_t>(0, meta.number<std::int64_t>("imported_samples_per_feature"))};
}

}  // namespace

RunFacts read_run_facts(const Database& database) {
  const Meta meta(database);
  RunFacts run;
  run.format_version = static_cast<int>(kFormatVersion);
  run.run_id = meta.text("run_id");
  run.checkpoint = meta.number<std::uint64_t>("checkpoint");
  run.saetap_version = meta.text("saetap_version");
  run.libtorch_version = meta.text("libtorch_version");
  run.program = meta.text("program");
  run.started = meta.text("started");
  run.saved = meta.text("saved");
  run.finished = meta.text("finished") == "1";
  run.tokenizer = meta.text("tokenizer");
  run.redact = meta.text("redact");
  run.counted = meta.text("counted");
  run.max_samples_per_feature = meta.number<std::uint32_t>("max_samples_per_feature");
  run.random_samples_per_feature = meta.number<std::uint32_t>("random_samples_per_feature");
  run.kept_samples_per_feature = meta.number<std::uint32_t>("kept_samples_per_feature");
  run.kept_random_samples_per_feature = meta.number<std::uint32_t>("kept_random_samples_per_feature");
  run.max_samples_per_sequence = meta.number<std::uint32_t>("max_samples_per_sequence");
  run.collapse_near_duplicates = meta.text("collapse_near_duplicates") == "1";
  run.sample_context_size = meta.number<std::uint32_t>("sample_context_size");
  run.sample_activation_threshold = meta.number<float>("sample_activation_threshold");
  if (run.sample_context_size > kMostContext || run.max_samples_per_feature > kMostSamples ||
      run.random_samples_per_feature > kMostSamples || !(run.sample_activation_threshold >= 0) ||
      !std::isfinite(run.sample_activation_threshold)) {
    throw StoreError(database.path() + ": the store is damaged (impossible keys in meta)");
  }
  run.sample_collection_freq = meta.number<std::uint64_t>("sample_collection_freq");
  run.sample_window_steps = meta.text("sample_window_steps");
  run.max_memory_mb = meta.number<std::uint64_t>("max_memory_mb");
  run.lost_before = meta.number<std::uint64_t>("lost_before");
  run.imported = imported_from(meta);
  return run;
}

void check_collected(const RunFacts& run, const std::string& path) {
  if (!run.imported) return;
  throw StoreError(path + ": was made of a samples.json, which holds only some of the features and samples of a run: " +
                   "it can be read, and not be gone on with or merged");
}

void write_run_facts(Database& database, const RunFacts& run) {
  Statement insert = database.prepare("INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)");
  const auto put = [&](std::string_view key, std::string_view value) { insert.bind(0, key).bind(1, value).run(); };
  const auto put_number = [&](std::string_view key, std::uint64_t value) { put(key, std::to_string(value)); };
  put("run_id", run.run_id);
  put_number("checkpoint", run.checkpoint);
  put("saetap_version", run.saetap_version);
  put("libtorch_version", run.libtorch_version);
  put("program", run.program);
  put("started", run.started);
  put("saved", run.saved);
  put("finished", run.finished ? "1" : "0");
  put("tokenizer", run.tokenizer);
  put("redact", run.redact);
  put("counted", run.counted);
  put_number("max_samples_per_feature", run.max_samples_per_feature);
  put_number("random_samples_per_feature", run.random_samples_per_feature);
  put_number("kept_samples_per_feature", run.kept_samples_per_feature);
  put_number("kept_random_samples_per_feature", run.kept_random_samples_per_feature);
  put_number("max_samples_per_sequence", run.max_samples_per_sequence);
  put("collapse_near_duplicates", run.collapse_near_duplicates ? "1" : "0");
  put_number("sample_context_size", run.sample_context_size);
  put("sample_activation_threshold", format_float(run.sample_activation_threshold));
  put_number("sample_collection_freq", run.sample_collection_freq);
  put("sample_window_steps", run.sample_window_steps);
  put_number("max_memory_mb", run.max_memory_mb);
  put_number("lost_before", run.lost_before);
  if (!run.imported) return;
  put("imported_scope", run.imported->scope == Scope::recent ? "recent" : "all_time");
  put("imported_top_features", std::to_string(run.imported->top_features));
  put("imported_samples_per_feature", std::to_string(run.imported->samples_per_feature));
}

std::vector<StoredRun> read_runs(const Database& database) {
  Statement select = database.prepare(
      "SELECT run_id, rank, ranks, launch, program, started, saved, finished, steps FROM run "
      "ORDER BY rank, started, run_id");
  std::vector<StoredRun> runs;
  while (select.step()) {
    runs.push_back({select.text(0), unstored(select.integer(1)), unstored(select.integer(2)), select.text(3),
                    select.text(4), select.text(5), select.text(6), select.integer(7) != 0,
                    unstored(select.integer(8))});
  }
  return runs;
}

void write_run(Database& database, const StoredRun& run) {
  Statement insert = database.prepare("INSERT OR REPLACE INTO run VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)");
  insert.bind(0, run.run_id).bind(1, stored(run.rank)).bind(2, stored(run.ranks)).bind(3, run.launch);
  insert.bind(4, run.program).bind(5, run.started).bind(6, run.saved);
  insert.bind(7, std::int64_t{run.finished}).bind(8, stored(run.steps)).run();
}

void write_site(Database& database, const Site& site, const SiteCounts& counts, const StoredTracing& tracing) {
  Statement insert =
      database.prepare("INSERT OR REPLACE INTO site VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  insert.bind(0, std::int64_t{site.id}).bind(1, site.name).bind(2, site.module_type).bind(3, site.method);
  insert.bind(4, site.description).bind(5, site.features).bind(6, site.d_in).bind(7, site.d_out);
  insert.bind(8, stored(counts.steps)).bind(9, stored(counts.steps_collected)).bind(10, stored(counts.rows_seen));
  insert.bind(11, stored(counts.rows_collected)).bind(12, stored(counts.rows_excluded));
  insert.bind(13, stored(counts.rows_resolved)).bind(14, stored(counts.calls));
  insert.bind(15, stored(counts.rows_ambiguous)).bind(16, tracing.source).bind(17, tracing.stream).run();
}

std::vector<StoredSite> read_sites(const Database& database) {
  Statement select = database.prepare(
      "SELECT id, name, module_type, method, description, features, d_in, d_out, steps, steps_collected, rows_seen, "
      "rows_collected, rows_excluded, rows_resolved, calls, rows_ambiguous, token_source, token_stream, EXISTS(SELECT "
      "1 FROM decoder WHERE site = site.id) "
      "FROM site ORDER BY id");
  std::vector<StoredSite> sites;
  while (select.step()) {
    sites.push_back(read_site(select, database.path()));
    if (sites.size() > 1 && sites.back().site.id <= sites[sites.size() - 2].site.id) {
      throw StoreError(database.path() + ": the store is damaged (a site twice)");
    }
  }
  for (StoredSite& stored_site : sites) read_scopes(database, stored_site);
  return sites;
}

TokenRun read_token_run(Statement& segments, const Sample& sample, std::uint32_t before, std::uint32_t after) {
  const SegmentRange range = context_segments(sample.position, before, after);
  const std::uint64_t own = sample.position / kSegmentTokens;
  segments.bind(0, stored(sample.sequence)).bind(1, std::int64_t{range.first}).bind(2, std::int64_t{range.last});
  TokenRun run;
  for (std::uint64_t most = std::uint64_t{range.last} - range.first + 1; most > 0 && segments.step(); --most) {
    const std::uint64_t begin = unstored(segments.integer(0)) * kSegmentTokens;
    const std::uint64_t end = run.first + run.tokens.size();
    if (begin != end || run.tokens.empty()) {
      if (begin > own * kSegmentTokens) break;  // behind a gap: not part of this context
      run.tokens.clear();
      run.first = begin;
    }
    const std::span<const std::byte> bytes = segments.blob(2);
    const std::size_t count = std::min<std::size_t>(bytes.size() / sizeof(std::int32_t), kSegmentTokens);
    const std::size_t kept = run.tokens.size();
    run.tokens.resize(kept + count);
    if (count > 0) std::memcpy(run.tokens.data() + kept, bytes.data(), count * sizeof(std::int32_t));
    run.length = unstored(segments.integer(1));
  }
  segments.reset();
  return run;
}

}  // namespace saetap
