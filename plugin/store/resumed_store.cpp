#include "plugin/store/resumed_store.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <tuple>
#include <utility>

#include "plugin/store/decoder_likeness.h"
#include "plugin/store/opened_file.h"
#include "plugin/store/part_rows.h"
#include "plugin/store/store_format.h"
#include "plugin/store/store_tables.h"
#include "plugin/store/token_rows.h"

namespace saetap {
namespace {

// As window_rule_text() wrote it.
WindowRule window_rule_from(const std::string& text, const std::string& path) {
  if (text == "auto") return {};
  WindowRule rule{WindowRule::Kind::fixed, 0};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), rule.fixed_steps);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw StoreError(path + ": the store is damaged (sample_window_steps in meta)");
  }
  if (rule.fixed_steps == 0) rule.kind = WindowRule::Kind::single;
  return rule;
}

SampleLimit limit_of(const RunFacts& facts) {
  if (facts.collapse_near_duplicates) return {SampleLimit::Alike::same_text, 1};
  if (facts.max_samples_per_sequence > 0) return {SampleLimit::Alike::same_sequence, facts.max_samples_per_sequence};
  return {};
}

std::vector<std::uint8_t> ever_active(const Database& database, const Site& site) {
  std::vector<std::uint8_t> active(static_cast<std::size_t>(site.features));
  Statement select = database.prepare("SELECT feature FROM feature WHERE site = ? AND active > 0");
  select.bind(0, std::int64_t{site.id});
  while (select.step()) {
    const auto feature = unstored(select.integer(0));
    if (feature < active.size()) active[feature] = 1;
  }
  return active;
}

// Says once what is wrong with a file that SQLite itself can tell of.
void check_sound(const Database& database) {
  Statement check = database.prepare("PRAGMA quick_check(1)");
  if (check.step() && check.text(0) != "ok") {
    throw StoreError(database.path() + ": the store is damaged (" + check.text(0) + ")");
  }
  // A trigger would run in the program that is recorded.
  Statement others = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger' LIMIT 1");
  if (others.step())
    throw StoreError(database.path() + ": holds a trigger (" + others.text(0) + "), which no store has");
}

}  // namespace

ResumedStore::ResumedStore(std::string path) : path_(std::move(path)) {
  const Database database = open_to_read(path_);
  check_sound(database);
  facts_ = read_run_facts(database);
  check_collected(facts_, path_);
  sites_ = read_sites(database);
  for (const StoredSite& site : sites_) decoders_[site.site.id] = stored_compared_rows(database, site.site);
  stamp_ = {facts_.run_id, facts_.checkpoint, facts_.saved};
  (void)window_rule_from(facts_.sample_window_steps, path_);
}

const StoredSite* ResumedStore::find(const std::string& name) const {
  const auto found =
      std::find_if(sites_.begin(), sites_.end(), [&](const StoredSite& stored) { return stored.site.name == name; });
  return found == sites_.end() ? nullptr : &*found;
}

bool ResumedStore::is_same(const StoredSite& stored, const Site& site, const std::vector<float>& decoder) const {
  const auto shape = [](const Site& one) { return std::tie(one.features, one.d_in, one.d_out); };
  if (shape(stored.site) != shape(site)) return false;
  return are_akin(decoders_.at(stored.site.id), decoder, site.d_out);
}

CollectorOptions ResumedStore::options(const CollectorOptions& asked, std::vector<std::string>& differences) const {
  CollectorOptions options = asked;
  const auto keep = [&](const char* key, auto& value, const auto& begun, bool differs) {
    if (differs) differences.push_back(std::string(key) + " stays as the store was begun");
    value = begun;
  };
  keep("sample_context_size", options.sample_context_size, facts_.sample_context_size,
       facts_.sample_context_size != asked.sample_context_size);
  keep("sample_activation_threshold", options.sample_activation_threshold, facts_.sample_activation_threshold,
       facts_.sample_activation_threshold != asked.sample_activation_threshold);
  keep("sample_window_steps", options.window_rule, window_rule_from(facts_.sample_window_steps, path_),
       facts_.sample_window_steps != window_rule_text(asked.window_rule));
  const SampleLimit limit = limit_of(facts_);
  keep("max_samples_per_sequence or collapse_near_duplicates", options.limit, limit,
       std::tie(limit.alike, limit.most) != std::tie(asked.limit.alike, asked.limit.most));
  const auto fewer = [&](const char* key, std::uint32_t& number, std::uint32_t begun) {
    if (number == 0 && begun > 0) {
      differences.push_back(std::string(key) + " stays " + std::to_string(begun) + ": what was kept stays");
      number = begun;
    }
    if (number > begun)
      differences.push_back(std::string(key) + " stays " + std::to_string(begun) + ": more were not kept before");
    number = std::min(number, begun);
  };
  fewer("max_samples_per_feature", options.max_samples_per_feature, facts_.kept_samples_per_feature);
  fewer("random_samples_per_feature", options.random_samples_per_feature, facts_.kept_random_samples_per_feature);
  return options;
}

void ResumedStore::take_up(const Site& site, SampleCollector& collector) const {
  const Database database = open_to_read(path_);
  const auto row = read_part_row(database, site.id, PartKind::open);
  if (!row) return;
  KeptWindow kept{row->window, row->first_step, row->last_step, row->eligible, {}, ever_active(database, site), {}, {}};
  add_token_counts(database, site.id, PartKind::open, kept.tokens);
  FeatureReader reader(database, site.id, PartKind::open);
  const bool with_groups = facts_.most_alike() != 0;
  kept.feature = [&](std::uint32_t feature, ContextPool& contexts) {
    return reader.read(feature, with_groups, contexts);
  };
  Statement segment = database.prepare("SELECT length, tokens FROM sequence WHERE id = ? AND segment = ?");
  kept.text = [&](const SegmentKey& key) -> std::optional<KeptWindow::Text> {
    segment.bind(0, stored(key.sequence)).bind(1, std::int64_t{key.segment});
    if (!segment.step()) return std::nullopt;
    KeptWindow::Text text{static_cast<std::uint32_t>(segment.integer(0)), {}};
    const auto bytes = segment.blob(1);
    text.tokens.resize(bytes.size() / sizeof(std::int32_t));
    if (!text.tokens.empty()) std::memcpy(text.tokens.data(), bytes.data(), text.tokens.size() * sizeof(std::int32_t));
    segment.reset();
    return text;
  };
  collector.go_on(site, kept);
}

}  // namespace saetap
