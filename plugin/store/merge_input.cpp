#include "plugin/store/merge_input.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <tuple>

#include "plugin/store/decoder_likeness.h"
#include "plugin/store/opened_file.h"
#include "plugin/store/store_tables.h"
#include "plugin/trace/row_hash.h"

namespace saetap {
namespace {

// Another one once somebody else has written to the file.
std::int64_t version_of(const Database& database) {
  Statement select = database.prepare("PRAGMA data_version");
  return select.step() ? select.integer(0) : 0;
}

void check_runs(const MergeInputs& inputs) {
  std::map<std::string, std::string> paths;
  for (const auto& input : inputs) {
    for (const StoredRun& run : input->runs) {
      const auto [found, first] = paths.emplace(run.run_id, input->database.path());
      if (first) continue;
      throw StoreError(input->database.path() + ": holds run " + run.run_id + ", which " + found->second +
                       " holds, too: merged, it would count twice");
    }
  }
}

// Keys under which something else would have been kept. Of the numbers of samples the smallest holds for all.
void check_configs(const MergeInputs& inputs) {
  const MergeInput& first = *inputs.front();
  const auto check = [&](const MergeInput& input, const char* key, const auto& value, const auto& expected) {
    if (value == expected) return;
    throw StoreError(input.database.path() + ": was recorded with another " + key + " than " + first.database.path() +
                     "; only stores of one config can be merged");
  };
  for (const auto& input : inputs) {
    const RunFacts &run = input->facts, &expected = first.facts;
    check(*input, "sample_window_steps", run.sample_window_steps, expected.sample_window_steps);
    check(*input, "sample_activation_threshold", run.sample_activation_threshold, expected.sample_activation_threshold);
    check(*input, "sample_context_size", run.sample_context_size, expected.sample_context_size);
    check(*input, "sample_collection_freq", run.sample_collection_freq, expected.sample_collection_freq);
    check(*input, "redact", run.redact, expected.redact);
    check(*input, "activation_scale, phases or tokens", run.counted, expected.counted);
    check(*input, "max_samples_per_sequence", run.max_samples_per_sequence, expected.max_samples_per_sequence);
    check(*input, "collapse_near_duplicates", run.collapse_near_duplicates, expected.collapse_near_duplicates);
  }
}

// Ranks that were started together, or one after the other with the same stores, have the name of a start in common.
// Yesterday's eight and today's four may lie in the same folders.
void check_starts(const MergeInputs& inputs) {
  const auto starts_of = [](const MergeInput& input) {
    std::set<std::string> starts;
    for (const StoredRun& run : input.runs) {
      if (run.ranks > 1) starts.insert(run.launch);
    }
    return starts;
  };
  std::set<std::string> known;
  std::vector<const MergeInput*> others;
  for (const auto& input : inputs) {
    if (!starts_of(*input).empty()) others.push_back(input.get());
  }
  const auto joins = [&](const MergeInput* input) {
    const auto starts = starts_of(*input);
    const bool shared = std::any_of(starts.begin(), starts.end(), [&](const auto& one) { return known.contains(one); });
    if (shared || known.empty()) known.insert(starts.begin(), starts.end());
    return shared || known == starts;
  };
  for (std::size_t before = others.size() + 1; others.size() < before;) {
    before = others.size();
    std::erase_if(others, joins);
  }
  if (others.empty()) return;
  throw StoreError(others.front()->database.path() + ": is a rank of another start of the program than " +
                   inputs.front()->database.path() + "; saetap merge --mix merges them all the same");
}

// The same for the same runs, however they were merged.
std::string name_of_runs(const MergeInputs& inputs) {
  std::vector<std::string> names;
  for (const auto& input : inputs) {
    for (const StoredRun& run : input->runs) names.push_back(run.run_id);
  }
  std::sort(names.begin(), names.end());
  std::string all;
  for (const std::string& name : names) all += name + "\n";
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(row_hash(all.data(), all.size())));
  return text;
}

// `first` where both say something else.
void agree(std::string& first, const std::string& other) {
  if (first.empty()) first = other;
}

void add(SiteCounts& all, const SiteCounts& one) {
  all.steps = std::max(all.steps, one.steps);  // ranks step together
  all.steps_collected = std::max(all.steps_collected, one.steps_collected);
  all.rows_seen += one.rows_seen;
  all.rows_collected += one.rows_collected;
  all.rows_excluded += one.rows_excluded;
  all.rows_resolved += one.rows_resolved;
  all.calls += one.calls;
  all.rows_ambiguous += one.rows_ambiguous;
}

MergedSite merge_site(const std::vector<MergedSite::Source>& sources, MergeOf of) {
  MergedSite merged{sources.front().stored->site, {}, {}, sources};
  const MergedSite::Source* best_traced = &sources.front();
  const auto compared = [of](const MergedSite::Source& one) {
    return of == MergeOf::one_training ? stored_compared_rows(one.input->database, one.stored->site)
                                       : std::vector<float>();
  };
  std::vector<float> first_decoder;
  for (const auto& source : sources) {
    const Site &site = source.stored->site, &first = merged.site;
    if (std::tie(site.features, site.d_in, site.d_out) != std::tie(first.features, first.d_in, first.d_out)) {
      throw StoreError(source.input->database.path() + ": its site " + site.name + " has other widths than that of " +
                       sources.front().input->database.path());
    }
    const std::vector<float> decoder = compared(source);
    if (&source == &sources.front()) first_decoder = decoder;
    if (!are_akin(first_decoder, decoder, site.d_out)) {
      throw StoreError(source.input->database.path() + ": its site " + site.name + " is another SAE than that of " +
                       sources.front().input->database.path() +
                       " (their decoders differ): feature 5 of the one is not feature 5 of the other; saetap merge " +
                       "--mix merges them all the same");
    }
    add(merged.counts, source.stored->counts);
    if (source.stored->counts.rows_resolved > best_traced->stored->counts.rows_resolved) best_traced = &source;
  }
  merged.tracing = best_traced->stored->tracing;
  return merged;
}

}  // namespace

MergeInput::MergeInput(const std::string& path)
    : database(open_to_read(store_path(path))),
      version(version_of(database)),
      facts(read_run_facts(database)),
      runs(read_runs(database)),
      sites(read_sites(database)) {
  check_collected(facts, database.path());
  // Dozens may be open at once, and each is read from end to end.
  database.execute("PRAGMA cache_size = -2048");
}

void MergeInput::check_unchanged() const {
  if (version_of(database) == version) return;
  throw StoreError(database.path() + ": its program saved while it was merged; try again");
}

MergeInputs open_inputs(const std::vector<std::string>& paths, MergeOf of) {
  MergeInputs inputs;
  for (const std::string& path : paths) inputs.push_back(std::make_unique<MergeInput>(path));
  check_runs(inputs);
  const auto key = [](const MergeInput& input) {
    return std::pair(input.runs.empty() ? 0 : input.runs.front().rank, input.facts.run_id);
  };
  std::sort(inputs.begin(), inputs.end(), [&](const auto& a, const auto& b) { return key(*a) < key(*b); });
  check_configs(inputs);
  if (of == MergeOf::one_training) check_starts(inputs);
  return inputs;
}

RunFacts merged_facts(const MergeInputs& inputs) {
  RunFacts all = inputs.front()->facts;
  all.run_id = name_of_runs(inputs);
  all.checkpoint = 1;
  all.saetap_version = SAETAP_VERSION;
  for (const auto& input : inputs) {
    const RunFacts& run = input->facts;
    agree(all.tokenizer, run.tokenizer);
    all.started = std::min(all.started, run.started);
    all.saved = std::max(all.saved, run.saved);
    all.finished = all.finished && run.finished;
    all.max_samples_per_feature = std::min(all.max_samples_per_feature, run.max_samples_per_feature);
    all.kept_samples_per_feature = std::min(all.kept_samples_per_feature, run.kept_samples_per_feature);
    all.random_samples_per_feature = std::min(all.random_samples_per_feature, run.random_samples_per_feature);
    all.kept_random_samples_per_feature =
        std::min(all.kept_random_samples_per_feature, run.kept_random_samples_per_feature);
    all.max_memory_mb = std::max(all.max_memory_mb, run.max_memory_mb);
    all.lost_before = std::max(all.lost_before, run.lost_before);
  }
  return all;
}

std::vector<MergedSite> merge_sites(const MergeInputs& inputs, MergeOf of) {
  std::map<std::string, std::vector<MergedSite::Source>> by_name;
  for (const auto& input : inputs) {
    for (const StoredSite& site : input->sites) by_name[site.site.name].push_back({input.get(), &site});
  }
  std::vector<std::pair<int, MergedSite>> ordered;
  for (const auto& [name, sources] : by_name) {
    int id = sources.front().stored->site.id;
    for (const auto& source : sources) id = std::min(id, source.stored->site.id);
    ordered.emplace_back(id, merge_site(sources, of));
  }
  std::stable_sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<MergedSite> merged;
  for (auto& [id, site] : ordered) {
    site.site.id = static_cast<int>(merged.size());
    merged.push_back(std::move(site));
  }
  return merged;
}

}  // namespace saetap
