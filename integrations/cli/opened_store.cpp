#include "integrations/cli/opened_store.h"

#include <algorithm>
#include <iostream>
#include <unordered_set>
#include <vector>

#include "integrations/analysis/excerpt.h"
#include "integrations/analysis/visible_text.h"
#include "integrations/cli/failure.h"
#include "integrations/cli/shared_options.h"
#include "plugin/number_text.h"

namespace saetap::cli {
namespace {

void note(const std::string& line) {
  std::cerr << "saetap: " << visible(line) << '\n';
}

std::unique_ptr<Tokenizer> loaded(const std::string& path) {
  try {
    return load_tokenizer(path);
  } catch (const UnsupportedTokenizer& error) {
    note(error.what());
  } catch (const TokenizerError& error) {
    note(std::string(error.what()) + "; token ids are shown instead");
  }
  return nullptr;
}

std::string steps_text(const ScopeFacts& facts) {
  return facts.first_step == facts.last_step
             ? "step " + std::to_string(facts.first_step)
             : "steps " + std::to_string(facts.first_step) + " to " + std::to_string(facts.last_step);
}

}  // namespace

std::unique_ptr<Tokenizer> chosen_tokenizer(const StoreReader& reader, const std::string& wanted) {
  if (!wanted.empty() && reader.run().redact != "tokens") return loaded(wanted);
  const std::string& path = reader.run().tokenizer;
  const auto texts = reader.token_texts();
  if (!texts.empty()) return tokenizer_of_texts(texts, path.empty() ? nullptr : loaded(path));
  if (!path.empty()) return loaded(path);
  const std::string redacted = redaction_text(reader.run());
  if (!redacted.empty()) {
    note(redacted);
    return nullptr;
  }
  note("the run names no tokenizer: token ids are shown (--tokenizer FILE reads the model's)");
  return nullptr;
}

Scope chosen_scope(const StoreReader& reader, bool all_time) {
  const auto& imported = reader.run().imported;
  if (!imported) return all_time ? Scope::all_time : Scope::recent;
  if (all_time && !std::ranges::all_of(reader.sites(), &StoredSite::all_time_readable)) {
    throw Failure(Status::not_there, reader.path() +
                                         ": was made of a samples.json of the run's recent steps: of the others, that "
                                         "--all-time would read, nothing is there");
  }
  return all_time ? Scope::all_time : imported->scope;
}

void note_import(const StoreReader& reader) {
  if (!reader.run().imported) return;
  note(reader.path() +
       " was made of a samples.json: it has the features and samples that are listed there, and nothing of others");
}

void add_store_argument(CLI::App& command, StoreRequest& request) {
  command.add_option("STORE", request.store, "A .saetap file, or the folder that holds samples.saetap")->required();
}

void add_scope_option(CLI::App& command, StoreRequest& request) {
  command.add_flag("--all-time", request.all_time, "Read the whole run, not only its most recent part");
}

void add_site_option(CLI::App& command, StoreRequest& request) {
  command.add_option("--site", request.site, "The site to read, where there are several (default: the first)")
      ->type_name("N|NAME");
}

void add_tokenizer_option(CLI::App& command, StoreRequest& request) {
  add_tokenizer_option(command, request.tokenizer, "as recorded");
}

void add_json_option(CLI::App& command, StoreRequest& request) {
  add_json_option(command, request.json);
}

std::string list_of_sites(std::span<const StoredSite> sites) {
  std::string list;
  for (const StoredSite& stored : sites) {
    list += (list.empty() ? "" : ", ") + std::to_string(stored.site.id) + " (" + stored.site.name + ")";
  }
  return list;
}

std::size_t chosen_site(const StoreReader& reader, const std::string& wanted) {
  const std::vector<StoredSite>& sites = reader.sites();
  if (sites.empty()) {
    throw Failure(Status::not_there, reader.path() + " holds no site: no module with features was met in this run");
  }
  if (wanted.empty()) {
    if (sites.size() > 1) {
      note("reading site " + std::to_string(sites.front().site.id) + " of " + list_of_sites(sites) +
           "; --site chooses another");
    }
    return 0;
  }
  // A number is one: "2" is not the only site with 2 in its name.
  const bool number = std::ranges::all_of(wanted, [](char c) { return c >= '0' && c <= '9'; });
  std::vector<std::size_t> partial;
  for (std::size_t i = 0; i < sites.size(); ++i) {
    if (sites[i].site.name == wanted || std::to_string(sites[i].site.id) == wanted) return i;
    if (!number && sites[i].site.name.find(wanted) != std::string::npos) partial.push_back(i);
  }
  if (partial.size() == 1) return partial.front();
  throw Failure(Status::not_there, (partial.empty() ? "there is no site " : "there is more than one site ") + wanted +
                                       "; the store has " + list_of_sites(sites));
}

OpenedStore open_site(const StoreRequest& request) {
  OpenedStore opened{
      .reader = StoreReader(request.store), .site_index = 0, .scope = Scope::recent, .tokenizer = nullptr};
  opened.scope = chosen_scope(opened.reader, request.all_time);
  note_import(opened.reader);
  opened.site_index = chosen_site(opened.reader, request.site);
  return opened;
}

OpenedStore open_store(const StoreRequest& request) {
  OpenedStore opened = open_site(request);
  opened.tokenizer = chosen_tokenizer(opened.reader, request.tokenizer);
  return opened;
}

std::string scope_text(const StoredSite& site, Scope scope, std::uint64_t lost_before) {
  const ScopeFacts& all = site.all_time;
  if (all.eligible == 0) return "no tokens collected yet";
  if (lost_before > 0 && (scope == Scope::all_time || site.recent.eligible == all.eligible)) {
    return steps_text(all) + ": what was kept of the steps before " + std::to_string(lost_before) +
           " was in a store that went away during the run";
  }
  if (scope == Scope::all_time || site.recent.eligible == all.eligible) {
    return steps_text(all) + ": the whole run, all " + count_text(all.eligible) + " tokens collected";
  }
  return steps_text(site.recent) + " of " + std::to_string(all.first_step) + " to " + std::to_string(all.last_step) +
         ": " + percent_text(share_of(site.recent.eligible, all.eligible)) + " of the tokens collected" +
         (site.all_time_readable ? " (--all-time reads all)" : "");
}

std::uint32_t checked_feature(const StoreReader& reader, const StoredSite& site, Scope scope, std::int64_t feature) {
  if (feature < 0 || feature >= site.site.features) {
    throw Failure(Status::not_there, "there is no feature " + std::to_string(feature) + "; the site has 0 to " +
                                         std::to_string(site.site.features - 1));
  }
  const auto number = static_cast<std::uint32_t>(feature);
  if (reader.run().imported && reader.feature_statistics(site.site.id, number, scope).active == 0) {
    throw Failure(Status::not_there, "feature " + std::to_string(feature) +
                                         " is not in this imported store: the samples.json that it was made of does "
                                         "not list it, or not as active");
  }
  return number;
}

std::uint32_t checked_feature(const OpenedStore& store, std::int64_t feature) {
  return checked_feature(store.reader, store.stored(), store.scope, feature);
}

std::vector<std::uint32_t> asked_features(const StoreReader& reader, const StoredSite& site, Scope scope,
                                          std::span<const std::int64_t> numbers) {
  std::vector<std::uint32_t> features;
  std::unordered_set<std::uint32_t> met;
  for (const std::int64_t number : numbers) {
    const std::uint32_t feature = checked_feature(reader, site, scope, number);
    if (met.insert(feature).second) features.push_back(feature);
  }
  return features;
}

}  // namespace saetap::cli
