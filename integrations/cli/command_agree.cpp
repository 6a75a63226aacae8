#include <algorithm>
#include <iostream>
#include <memory>
#include <span>

#include "integrations/analysis/site_agreement.h"
#include "integrations/analysis/site_pairs.h"
#include "integrations/analysis/visible_text.h"
#include "integrations/cli/agreement_text.h"
#include "integrations/cli/commands.h"
#include "integrations/cli/failure.h"
#include "integrations/cli/json_text.h"
#include "integrations/cli/opened_store.h"
#include "integrations/cli/progress.h"
#include "integrations/cli/shared_options.h"

namespace saetap::cli {
namespace {

struct AgreeRequest {
  std::string training;
  std::string final_pass;
  std::string site;        // of the training; empty: all that have a counterpart
  std::string final_site;  // its counterpart; empty: as they pair
  std::size_t top = 0;
  bool all_time = false;
  bool json = false;
};

void note(const std::string& line) {
  std::cerr << "saetap: " << visible(line) << '\n';
}

// The one asked for, or all.
std::span<const StoredSite> sites_of(const StoreReader& store, const std::string& wanted) {
  const std::span<const StoredSite> all(store.sites());
  if (all.empty() || !wanted.empty()) return all.subspan(chosen_site(store, wanted), 1);
  return all;
}

void say_how_paired(const AgreeRequest& request, const SitePair& pair) {
  const bool asked = !request.site.empty() && !request.final_site.empty();
  if (pair.by == PairedBy::name || asked) return;
  note(pair.first->site.name + " is compared with " + pair.second->site.name +
       (pair.by == PairedBy::alone ? ", which is all there is" : ", the only one of its shape") +
       "; --site and --final-site choose others");
}

std::vector<SitePair> paired(const AgreeRequest& request, const StoreReader& training, const StoreReader& final_pass) {
  const auto sites = sites_of(training, request.site), final_sites = sites_of(final_pass, request.final_site);
  const std::vector<SitePair> pairs = pair_sites(sites, final_sites);
  if (pairs.empty()) {
    throw Failure(Status::not_there, "no site of " + training.path() + " has the name, or alone the shape, of one of " +
                                         final_pass.path() + ": " + list_of_sites(sites) + "; " +
                                         list_of_sites(final_sites) + " (--site and --final-site choose)");
  }
  for (const SitePair& pair : pairs) say_how_paired(request, pair);
  for (const StoredSite& stored : sites) {
    const bool has_pair =
        std::any_of(pairs.begin(), pairs.end(), [&](const auto& one) { return one.first == &stored; });
    if (!has_pair) note("nothing in " + final_pass.path() + " is the site " + stored.site.name);
  }
  return pairs;
}

// What alone makes two stores differ.
void say_what_differs(const StoreReader& training, const StoreReader& final_pass) {
  const RunFacts &run = training.run(), &last = final_pass.run();
  const bool known = !run.imported && !last.imported;  // a samples.json does not say it
  if (known && run.counted != last.counted) {
    note("the stores differ in what an activation is or which count, and so in part for that: " + run.counted + "; " +
         last.counted);
  }
  if (run.most_alike() != last.most_alike() || run.collapse_near_duplicates != last.collapse_near_duplicates) {
    note(
        "the stores differ in how many samples may be alike (max_samples_per_sequence, collapse_near_duplicates), and "
        "so in part for that");
  }
}

void check_text(const CommonText& sequences, const StoreReader& training, const StoreReader& final_pass,
                const std::string& site) {
  if (sequences.both > 0) return;
  for (const auto& [count, store] : {std::pair(sequences.training, &training), {sequences.final_pass, &final_pass}}) {
    if (count > 0) continue;
    throw Failure(Status::bad_input,
                  store->path() + ": no sample of " + site + " has a token that is known, so no place can be compared");
  }
  throw Failure(Status::bad_input, training.path() + " and " + final_pass.path() + " have no sequence in common at " +
                                       site + ": the second has to be of the text that the first was trained on, cut " +
                                       "into the same sequences");
}

void agree(const AgreeRequest& request) {
  const StoreReader training(request.training), final_pass(request.final_pass);
  StoredWindows windows(request.training);
  const Scope listed = chosen_scope(training, request.all_time);
  if (!std::ranges::all_of(final_pass.sites(), &StoredSite::all_time_readable)) {
    throw Failure(Status::not_there, final_pass.path() +
                                         ": was made of a samples.json of the pass's recent steps, and all of FINAL is "
                                         "compared: export it with --all-time");
  }
  for (const StoreReader* store : {&training, &final_pass}) note_import(*store);
  std::vector<ComparedSites> compared;
  const std::vector<SitePair> pairs = paired(request, training, final_pass);
  say_what_differs(training, final_pass);
  for (const SitePair& pair : pairs) {
    Progress progress("features compared", static_cast<std::size_t>(pair.first->site.features));
    const SiteOf first{training, *pair.first}, second{final_pass, *pair.second};
    ComparedSites sites{first,
                        second,
                        compare_sites(first, windows, second, listed, [&](std::size_t done) { progress.update(done); }),
                        {}};
    check_text(sites.agreement.sequences, training, final_pass, pair.first->site.name);
    sites.least = least_agreeing(std::move(sites.agreement.features), request.top);
    compared.push_back(std::move(sites));
  }
  if (windows.changed()) {
    throw Failure(Status::bad_input, training.path() + ": was saved while it was read; try again, or read a copy");
  }
  if (request.json) {
    print_json(json_of(compared, listed));
  } else {
    print_agreement(compared, listed);
  }
}

}  // namespace

void add_agree(CLI::App& program) {
  auto request = std::make_shared<AgreeRequest>();
  CLI::App* sub = program.add_subcommand(
      "agree", "How far what was kept during training agrees with a pass over the same text under the final weights");
  sub->add_option("TRAINING", request->training, "Store of the training: a .saetap file, or its folder")->required();
  sub->add_option("FINAL", request->final_pass, "Store of the pass under the final weights (saetap collect)")
      ->required();
  sub->add_option("--top", request->top, "How many features to list, those that agree least first")
      ->check(at_least(0))
      ->capture_default_str();
  sub->add_flag("--all-time", request->all_time, "List features by the whole run, not by its most recent part");
  sub->add_option("--site", request->site, "A site of TRAINING (default: all that FINAL has, too)")
      ->type_name("N|NAME");
  sub->add_option("--final-site", request->final_site, "The site of FINAL to compare with (default: of the same name)")
      ->type_name("N|NAME");
  add_json_option(*sub, request->json);
  sub->footer("Example: saetap agree activation_samples final_samples --top 20");
  sub->callback([request] { agree(*request); });
}

}  // namespace saetap::cli
