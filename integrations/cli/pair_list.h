// Many pairs of similar features, to a file or a pipe without having their text in memory.
#pragma once

#include <ostream>
#include <span>
#include <vector>

#include "integrations/analysis/similar_pairs.h"
#include "integrations/cli/json_text.h"

namespace saetap::cli {

using NearestLists = std::vector<std::vector<Neighbor>>;

// With a first line: first,second,similarity.
void write_csv(std::ostream& out, std::span<const SimilarPair> pairs);
// feature,rank,nearest,similarity; ranks count from 1.
void write_csv(std::ostream& out, const NearestLists& lists);

// `head` with one more field: "pairs", or "nearest" (docs/json_output.md).
void write_json(std::ostream& out, const Json& head, std::span<const SimilarPair> pairs);
void write_json(std::ostream& out, const Json& head, const NearestLists& lists);

}  // namespace saetap::cli
