#include "plugin/session/resumption.h"

#include <algorithm>
#include <filesystem>

#include "plugin/log.h"

namespace saetap {

CollectorOptions Resumption::begin(const Config& config, const CollectorOptions& asked) {
  const std::string& path = writer_.path();
  std::error_code failed;
  if (!std::filesystem::exists(path, failed) || std::filesystem::file_size(path, failed) == 0) {
    log(LogLevel::info, "resume        there is no " + path + " yet: it is begun");
    return asked;
  }
  try {
    ResumedStore store(path);
    // Text that is in the store already cannot be kept out of it any more, nor can what was left out be had.
    if (store.facts().redact != name_of(config.redact)) {
      throw StoreError(path + ": was recorded with redact \"" + store.facts().redact + "\"");
    }
    std::vector<std::string> differences;
    const CollectorOptions options = store.options(asked, differences);
    for (const std::string& difference : differences) log(LogLevel::warning, "resume        " + difference);
    std::uint64_t steps = 0;
    for (const StoredSite& site : store.sites()) steps = std::max(steps, site.counts.steps);
    log(LogLevel::info, "resumed   " + path + ": " + std::to_string(steps) + " steps, saved " + store.facts().saved);
    store_ = std::move(store);
    return options;
  } catch (const std::exception& error) {
    log(LogLevel::error, "not resumed   " + std::string(error.what()) + "; a new store is begun");
    return asked;
  }
}

bool Resumption::has_name(const std::string& name) const {
  if (!store_) return false;
  const auto& sites = store_->sites();
  return std::any_of(sites.begin(), sites.end(), [&](const StoredSite& one) { return one.site.name == name; });
}

int Resumption::first_free_id() const {
  int id = 0;
  if (!store_) return id;
  for (const StoredSite& one : store_->sites()) id = std::max(id, one.site.id + 1);
  return id;
}

void Resumption::take_up(const Site& site, SampleCollector& collector) {
  const StoredSite* before = find(site);
  if (!store_ || given_up_) return;
  try {
    if (!ours_) writer_.go_on(store_->stamp());
    ours_ = true;
    if (before == nullptr) return;
    store_->take_up(site, collector);
    writer_.took_up_site();
    taken_up_.insert(site.id);
  } catch (const std::exception& error) {
    given_up_ = true;
    collector.forget(site);
    writer_.begin_anew(before == nullptr ? 0 : before->counts.steps);
    log(LogLevel::error, "not resumed   " + std::string(error.what()) + "; a new store is begun");
  }
}

std::vector<std::string> Resumption::left_alone() const {
  std::vector<std::string> lines;
  if (!store_ || !ours_ || given_up_) return lines;
  for (const StoredSite& one : store_->sites()) {
    if (taken_up_.contains(one.site.id)) continue;
    lines.push_back(one.site.name + " did not come again in the resumed run; the store keeps it as it was");
  }
  return lines;
}

}  // namespace saetap
