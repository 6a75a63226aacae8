#include "integrations/cli/agreement_text.h"

#include <array>
#include <cstdio>
#include <iostream>
#include <string>

#include "integrations/analysis/visible_text.h"
#include "integrations/cli/table.h"
#include "plugin/number_text.h"

namespace saetap::cli {
namespace {

constexpr const char* kNone = "–";

// "0.74", "-0.10".
std::string figure_text(double figure) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.2f", figure);
  return text.data();
}

std::string figure_text(const std::optional<double>& figure) {
  return figure ? figure_text(*figure) : kNone;
}

std::string name_of(const PartAgreement& part) {
  if (part.kind == "history") return "window " + std::to_string(*part.window);
  if (part.window) return "window " + std::to_string(*part.window) + ", " + part.kind;
  return part.kind == "all_time" ? "all time" : part.kind;
}

std::string steps_text(const ScopeFacts& span) {
  return std::to_string(span.first_step) + " to " + std::to_string(span.last_step);
}

// Median, mean, over how many features.
void add_spread(std::vector<std::string>& cells, const Spread& spread) {
  const bool any = spread.features > 0;
  cells.push_back(any ? figure_text(spread.median) : kNone);
  cells.push_back(any ? figure_text(spread.mean) : "");
  cells.push_back(any ? count_text(spread.features) : "");
}

std::uint64_t final_tokens(const ComparedSites& sites) {
  return sites.final_pass.stored.all_time.eligible;
}

// Above all of it the text came more than once, and which share of it a part saw is not known.
std::string share_text(const ScopeFacts& span, std::uint64_t final_tokens) {
  const double share = share_of(span.eligible, final_tokens);
  return share > 1 ? figure_text(share) + " times" : percent_text(share);
}

void print_parts(const ComparedSites& sites) {
  using enum Align;
  Table table({left, left, right, right, right, right, right, right, right, right, right, right, right, right});
  table.add({"", "steps", "tokens", "features", "top 10", "mean", "of", "found", "mean", "of", "ranks", "mean", "of",
             "densities"});
  for (const PartAgreement& part : sites.agreement.parts) {
    std::vector<std::string> cells{name_of(part), steps_text(part.span), share_text(part.span, final_tokens(sites)),
                                   count_text(part.features)};
    for (const Spread& spread : {part.top_overlap, part.found, part.correlation}) add_spread(cells, spread);
    cells.push_back(figure_text(part.densities));
    table.add(std::move(cells));
  }
  table.print();
}

void print_least(const ComparedSites& sites, Scope listed) {
  using enum Align;
  if (sites.least.empty()) return;
  std::cout << "\nthe features that agree least" << (listed == Scope::all_time ? ", all time" : ", recent steps")
            << '\n';
  const ScopeFacts& span = listed == Scope::all_time ? sites.training.stored.all_time : sites.training.stored.recent;
  Table table({right, right, right, right, right, right, right});
  table.add({"feature", "found", "top 10", "ranks", "places", "density", "final density"});
  for (const FeatureAgreement& one : sites.least) {
    table.add({std::to_string(one.feature), figure_text(one.found), figure_text(one.top_overlap),
               figure_text(one.correlation), std::to_string(one.common_places),
               percent_text(share_of(one.training_active, span.eligible)),
               percent_text(share_of(one.final_active, final_tokens(sites)))});
  }
  table.print();
}

// Of the collected rows; nothing: an imported store does not have it.
std::optional<double> resolved_share(const SiteOf& of) {
  if (of.store.run().imported) return std::nullopt;
  return share_of(of.stored.counts.rows_resolved, of.stored.counts.rows_collected);
}

std::string of_store(const char* which, const SiteOf& of) {
  const double resolved = resolved_share(of).value_or(1);
  const Scope scope = of.stored.all_time_readable ? Scope::all_time : Scope::recent;
  return which + scope_text(of.stored, scope, of.store.run().lost_before) +
         (resolved < 1 ? "; " + percent_text(resolved) + " of the rows resolved to their token" : "");
}

void print_head(const ComparedSites& sites) {
  const CommonText& text = sites.agreement.sequences;
  std::cout << visible(sites.training.stored.site.name) << '\n'
            << of_store("training   ", sites.training) << '\n'
            << of_store("final      ", sites.final_pass) << '\n'
            << "sequences  " << count_text(text.both) << " have samples in both, "
            << count_text(text.training - text.both) << " in the training alone, "
            << count_text(text.final_pass - text.both) << " in the final pass alone\n"
            << (text.training > text.both ? "           what the training alone has counts as not found: top 10 and "
                                            "found are lower for it\n\n"
                                          : "\n");
}

void print_legend(const ComparedSites& sites) {
  const std::string kept = count_text(sites.final_pass.store.run().kept_samples_per_feature);
  std::cout << "\ntokens     counted, as a share of the final pass's: what the mean of \"top 10\" would be if nothing "
               "had changed "
               "since and no text came twice\n"
            << "top 10     share of a feature's ten strongest places in the final pass that are among the part's ten: "
               "median, mean, of so many features\n"
            << "found      share of the part's ten that are among the " << kept << " that the final pass keeps\n"
            << "ranks      rank correlation (Spearman) of the activations at places in both random samples\n"
            << "densities  rank correlation, over features, of how often each was active\n";
}

Json json_of(const Spread& spread, std::uint64_t features) {
  Json object{
      {"features", spread.features}, {"too_few", features - spread.features}, {"median", nullptr}, {"mean", nullptr}};
  if (spread.features > 0) {
    object["median"] = spread.median;
    object["mean"] = spread.mean;
  }
  return object;
}

Json json_of(const std::optional<double>& figure) {
  return figure ? Json(*figure) : Json();
}

Json json_of(const PartAgreement& part, std::uint64_t tokens) {
  Json object{{"kind", part.kind}};
  if (part.window) object["window"] = *part.window;
  object.update({{"first_step", part.span.first_step},
                 {"last_step", part.span.last_step},
                 {"tokens", part.span.eligible},
                 {"share_of_final", share_of(part.span.eligible, tokens)},
                 {"features", part.features},
                 {"top_overlap", json_of(part.top_overlap, part.features)},
                 {"found", json_of(part.found, part.features)},
                 {"rank_correlation", json_of(part.correlation, part.features)},
                 {"density_correlation", json_of(part.densities)}});
  return object;
}

Json json_of(const FeatureAgreement& one) {
  return {{"feature", one.feature},
          {"top_overlap", json_of(one.top_overlap)},
          {"found", json_of(one.found)},
          {"rank_correlation", json_of(one.correlation)},
          {"common_places", one.common_places},
          {"active_tokens", one.training_active},
          {"final_active_tokens", one.final_active}};
}

Json json_of(const ComparedSites& sites, Scope listed) {
  Json object{{"site", sites.training.stored.site.name},
              {"final_site", sites.final_pass.stored.site.name},
              {"features", sites.training.stored.site.features},
              {"final_tokens", final_tokens(sites)},
              {"resolved", json_of(resolved_share(sites.training))},
              {"final_resolved", json_of(resolved_share(sites.final_pass))},
              {"sequences", sites.agreement.sequences.training},
              {"final_sequences", sites.agreement.sequences.final_pass},
              {"common_sequences", sites.agreement.sequences.both},
              {"parts", Json::array()},
              {"listed", listed == Scope::all_time ? "all_time" : "recent"},
              {"least_agreeing", Json::array()}};
  for (const PartAgreement& part : sites.agreement.parts) object["parts"].push_back(json_of(part, final_tokens(sites)));
  for (const FeatureAgreement& one : sites.least) object["least_agreeing"].push_back(json_of(one));
  return object;
}

}  // namespace

void print_agreement(const std::vector<ComparedSites>& compared, Scope listed) {
  for (const ComparedSites& sites : compared) {
    if (&sites != &compared.front()) std::cout << '\n';
    print_head(sites);
    print_parts(sites);
    print_least(sites, listed);
  }
  print_legend(compared.front());
}

Json json_of(const std::vector<ComparedSites>& compared, Scope listed) {
  Json object{{"store", compared.front().training.store.path()},
              {"final_store", compared.front().final_pass.store.path()},
              {"sites", Json::array()}};
  for (const ComparedSites& sites : compared) object["sites"].push_back(json_of(sites, listed));
  return object;
}

}  // namespace saetap::cli
