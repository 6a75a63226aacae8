#include "tests/provenance/page.h"

#include <algorithm>
#include <cstdio>
#include <sstream>

namespace saetap::testing {

std::string format(const char* pattern, double value) {
  char text[32];
  std::snprintf(text, sizeof text, pattern, value);
  return text;
}

std::string grouped(std::int64_t number) {
  const auto digits = std::to_string(number);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string cell(const Tally& tally) {
  // Never rounded up to all, nor down to none.
  auto share = 100.0 * static_cast<double>(tally.right) / static_cast<double>(tally.text);
  if (tally.right < tally.text) share = std::min(share, 99.99);
  if (tally.right > 0) share = std::max(share, 0.01);
  const bool whole = tally.right == tally.text || tally.right == 0;
  const auto wrong = tally.wrong + tally.claimed;
  std::ostringstream text;
  text << format(whole ? "%.0f %%" : "%.2f %%", share) << " / ";
  if (wrong > 0) {
    text << "**" << grouped(wrong) << "**";
  } else {
    text << "0";
  }
  text << " / " << grouped(tally.ambiguous) << " / " << grouped(tally.unresolved - tally.ambiguous);
  return text.str();
}

std::string failure(const Change& change, const Reading& reading, const Tally& tally) {
  const auto wrong = static_cast<double>(tally.wrong + tally.claimed);
  const auto text = static_cast<double>(tally.text);
  if (change.kind == Change::Kind::exact && (wrong > 0 || tally.right != tally.text))
    return "an exact row is not right";
  if (wrong > 1e-4 * text) return "too many wrong";
  if (change.kind == Change::Kind::changed && static_cast<double>(tally.right) < 0.98 * text) return "too few found";
  // In order they may be known by their order.
  if (change.kind == Change::Kind::guess && !reading.in_order && tally.right > 0) return "a guess";
  return "";
}

}  // namespace saetap::testing
