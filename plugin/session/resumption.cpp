#include "plugin/session/resumption.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string_view>

#include "plugin/log.h"
#include "plugin/session/run_identity.h"

namespace saetap {

namespace {

// "Sae.forward.8#1" and "Sae.forward.8@2" -> "Sae.forward.8"
std::string_view without_number(std::string_view name) {
  return name.substr(0, name.find_first_of("#@"));
}

// A job that is started again may come while the one before it still saves.
ResumedStore opened_when_free(const std::string& path) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (true) {
    try {
      return ResumedStore(path);
    } catch (const SqliteError& error) {
      if (!error.is_busy() || std::chrono::steady_clock::now() > until) throw;
    }
  }
}

}  // namespace

CollectorOptions Resumption::begin(const Config& config, const CollectorOptions& asked) {
  const std::string& path = writer_.path();
  std::error_code failed;
  if (!std::filesystem::exists(path, failed) || std::filesystem::file_size(path, failed) == 0) {
    log(LogLevel::info, "resume        there is no " + path + " yet: it is begun");
    return asked;
  }
  try {
    ResumedStore store = opened_when_free(path);
    // Text that is in the store already cannot be kept out of it any more, nor can what was left out be had.
    if (store.facts().redact != name_of(config.redact)) {
      throw StoreError(path + ": was recorded with redact \"" + store.facts().redact + "\"");
    }
    if (store.facts().counted != counted_text(config)) {
      throw StoreError(path + ": was recorded with " + store.facts().counted);
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

const StoredSite* Resumption::find(Site& site, const std::function<std::vector<float>()>& decoder) {
  if (!store_ || given_up_) return nullptr;
  const std::string own = site.name;
  std::vector<const StoredSite*> of_name;
  if (const StoredSite* stored = store_->find(own)) of_name.push_back(stored);
  // Others of its class may have come before it this time. A site that the program declares has the name that it says.
  const bool declared = site.method.empty();
  for (const StoredSite& stored : store_->sites()) {
    if (!declared && stored.site.name != own && without_number(stored.site.name) == without_number(own))
      of_name.push_back(&stored);
  }
  const std::vector<float> directions = of_name.empty() ? std::vector<float>() : decoder();
  for (const StoredSite* stored : of_name) {
    if (names_.contains(stored->site.name) || !store_->is_same(*stored, site, directions)) continue;
    site.name = stored->site.name;
    names_.insert(site.name);
    return stored;
  }
  for (int place = 2; store_->find(site.name) != nullptr || names_.contains(site.name); ++place) {
    site.name = own + "@" + std::to_string(place);
  }
  names_.insert(site.name);
  if (site.name != own) {
    log(LogLevel::warning, "resume        " + own +
                               " in the store is another SAE (its shape or its decoder differs): " +
                               "this one is kept beside it as " + site.name);
  }
  return nullptr;
}

bool Resumption::take_over() {
  if (!store_ || given_up_ || ours_) return ours_;
  try {
    writer_.go_on(store_->stamp());
    ours_ = true;
  } catch (const std::exception& error) {
    given_up_ = true;
    log(LogLevel::error, "not resumed   " + std::string(error.what()));
  }
  return ours_;
}

std::optional<SiteCounts> Resumption::counts_before(const Site& site) const {
  if (given_up_ || !taken_up_.contains(site.id)) return std::nullopt;
  return store_->find(site.name)->counts;
}

int Resumption::first_free_id() const {
  int id = 0;
  if (!store_) return id;
  for (const StoredSite& one : store_->sites()) id = std::max(id, one.site.id + 1);
  return id;
}

void Resumption::take_up(const Site& site, SampleCollector& collector) {
  if (!store_ || given_up_) return;
  const StoredSite* before = store_->find(site.name);
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
