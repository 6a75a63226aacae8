#include "integrations/cli/json_text.h"

#include <array>
#include <charconv>
#include <cstdio>
#include <iostream>

#include "plugin/number_text.h"

namespace saetap::cli {
namespace {

// As text: 64 bits do not survive readers that keep numbers as doubles.
std::string hexadecimal(SequenceId sequence) {
  std::array<char, 20> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(sequence));
  return text.data();
}

}  // namespace

double as_printed(float value) {
  std::array<char, 32> text{};
  const auto written = std::to_chars(text.data(), text.data() + text.size(), value);
  double shortest = 0;
  std::from_chars(text.data(), written.ptr, shortest);
  return shortest;
}

Json json_of_scope(const StoredSite& site, Scope scope) {
  const ScopeFacts& facts = scope == Scope::recent ? site.recent : site.all_time;
  return {{"kind", scope == Scope::recent ? "recent" : "all_time"},
          {"first_step", facts.first_step},
          {"last_step", facts.last_step},
          {"tokens", facts.eligible},
          {"share_of_collected", share_of(facts.eligible, site.all_time.eligible)}};
}

Json json_of_statistics(const FeatureStatistics& statistics, std::uint64_t eligible) {
  const bool any = statistics.active > 0;
  return {{"density", statistics.density(eligible)},
          {"max", as_printed(statistics.max)},
          {"mean", any ? Json(statistics.mean()) : Json()},
          {"std", any ? Json(statistics.standard_deviation()) : Json()},
          {"active_tokens", statistics.active}};
}

Json json_of_tokens(std::span<const TokenCount> tokens, const Tokenizer* tokenizer) {
  Json list = Json::array();
  for (const TokenCount& counted : tokens) {
    Json entry{{"id", counted.token}, {"count", counted.count}};
    if (tokenizer) entry["text"] = token_text(counted.token, tokenizer);
    list.push_back(std::move(entry));
  }
  return list;
}

Json json_of_sample(const Sample& sample, const Excerpt& excerpt) {
  Json object{{"activation", as_printed(sample.activation)},
              {"step", sample.step},
              {"sequence", hexadecimal(sample.sequence)},
              {"position", sample.position}};
  if (!excerpt.known) return object;
  object["before"] = excerpt.before;
  object["token"] = excerpt.token;
  object["after"] = excerpt.after;
  object["from_start"] = excerpt.from_start;
  object["to_end"] = excerpt.to_end;
  object["ids"] = excerpt.ids;
  object["activating"] = excerpt.activating;
  return object;
}

Json json_of_activations(std::span<const std::optional<float>> along) {
  Json list = Json::array();
  for (const auto& activation : along) list.push_back(activation ? Json(as_printed(*activation)) : Json());
  return list;
}

void write_json(std::ostream& out, const Json& object) {
  out << object.dump(2, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace) << '\n';
}

void print_json(const Json& object) {
  write_json(std::cout, object);
}

}  // namespace saetap::cli
