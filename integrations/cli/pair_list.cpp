#include "integrations/cli/pair_list.h"

#include <algorithm>

namespace saetap::cli {
namespace {

// The object without its closing brace, open for one more field.
void begin_json(std::ostream& out, const Json& head, const char* field) {
  std::string text = head.dump(2, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
  text.erase(text.find_last_of('\n'));
  out << text << ",\n  \"" << field << "\": [";
}

Json json_of(const SimilarPair& pair) {
  return {{"first", pair.first}, {"second", pair.second}, {"similarity", as_printed(pair.similarity)}};
}

Json json_of(const Neighbor& neighbor) {
  return {{"feature", neighbor.feature}, {"similarity", as_printed(static_cast<float>(neighbor.cosine))}};
}

}  // namespace

void write_csv(std::ostream& out, std::span<const SimilarPair> pairs) {
  out << "first,second,similarity\n";
  for (const SimilarPair& pair : pairs) out << pair.first << ',' << pair.second << ',' << pair.similarity << '\n';
}

void write_csv(std::ostream& out, const NearestLists& lists) {
  out << "feature,rank,nearest,similarity\n";
  for (std::size_t feature = 0; feature < lists.size(); ++feature) {
    std::size_t rank = 0;
    for (const Neighbor& one : lists[feature]) {
      out << feature << ',' << ++rank << ',' << one.feature << ',' << one.cosine << '\n';
    }
  }
}

void write_json(std::ostream& out, const Json& head, std::span<const SimilarPair> pairs) {
  begin_json(out, head, "pairs");
  const char* before = "\n    ";
  for (const SimilarPair& pair : pairs) {
    out << before << json_of(pair).dump();
    before = ",\n    ";
  }
  out << "\n  ]\n}\n";
}

void write_json(std::ostream& out, const Json& head, const NearestLists& lists) {
  begin_json(out, head, "nearest");
  const char* before = "\n    ";
  for (std::size_t feature = 0; feature < lists.size(); ++feature) {
    if (lists[feature].empty()) continue;
    Json nearest = Json::array();
    for (const Neighbor& one : lists[feature]) nearest.push_back(json_of(one));
    out << before << Json{{"feature", feature}, {"nearest", std::move(nearest)}}.dump();
    before = ",\n    ";
  }
  out << "\n  ]\n}\n";
}

}  // namespace saetap::cli
