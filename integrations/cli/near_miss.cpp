#include "integrations/cli/near_miss.h"

#include "plugin/edit_distance.h"

namespace saetap::cli {

std::string did_you_mean(std::string_view word, std::span<const std::string> known) {
  constexpr std::size_t kLongest = 64;  // no word of ours is
  if (word.empty() || word.size() > kLongest) return "";
  const std::string* nearest = nullptr;
  std::size_t least = 1 + (word.size() + 2) / 3;  // two neighbours exchanged are two changes
  for (const std::string& one : known) {
    constexpr std::size_t kTelling = 4;  // "--to" begins --top and --tokenizer, "--tok" one of them
    const bool begins = word.size() >= kTelling && one.starts_with(word);
    const std::size_t changes = begins ? 1 : edit_distance(word, one);
    if (changes >= least) continue;
    least = changes;
    nearest = &one;
  }
  return nearest == nullptr ? "" : "; did you mean " + *nearest + "?";
}

}  // namespace saetap::cli
