#include "integrations/cli/shaded_excerpt.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace saetap::cli {
namespace {

class Shading {
 public:
  Shading(const ShownSample& sample, float largest, const Colors& colors)
      : sample_(sample), largest_(std::abs(largest)), colors_(colors) {}

  [[nodiscard]] std::string token(std::size_t i, std::string_view text) const { return colors_.shaded(text, share(i)); }

 private:
  [[nodiscard]] double share(std::size_t i) const {
    const auto& along = sample_.along;
    if (i == sample_.excerpt.activating) return size_of(sample_.sample.activation);
    return i < along.size() && along[i] ? size_of(*along[i]) : 0;
  }
  [[nodiscard]] double size_of(float activation) const {
    return largest_ > 0 ? std::abs(double{activation}) / largest_ : 0;
  }

  const ShownSample& sample_;
  double largest_;
  const Colors& colors_;
};

// The end of the text before the token, of which `cut` bytes are not shown.
std::string shaded_before(const Excerpt& excerpt, std::size_t cut, const Shading& shading) {
  std::string text;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < excerpt.activating; ++i) {
    const std::string_view piece = excerpt.pieces[i];
    const std::size_t gone = std::min(piece.size(), cut - std::min(cut, bytes));
    text += shading.token(i, piece.substr(gone));
    bytes += piece.size();
  }
  return text.append(excerpt.before.size() - std::max(bytes, cut), ' ');  // those that the token begins with
}

std::string shaded_after(const Excerpt& excerpt, std::size_t room, const Shading& shading) {
  std::string text;
  for (std::size_t i = excerpt.activating + 1; i < excerpt.pieces.size() && room > 0; ++i) {
    const std::string_view piece = std::string_view(excerpt.pieces[i]).substr(0, room);
    text += shading.token(i, piece);
    room -= piece.size();
  }
  return text;
}

// Bytes that are not UTF-8 may have been made visible otherwise piece by piece.
bool pieces_fit(const Excerpt& excerpt) {
  const std::size_t bytes =
      std::accumulate(excerpt.pieces.begin(), excerpt.pieces.end(), std::size_t{0},
                      [](std::size_t sum, const std::string& piece) { return sum + piece.size(); });
  return bytes == excerpt.before.size() + excerpt.token.size() + excerpt.after.size();
}

}  // namespace

std::string shaded_excerpt(const ShownSample& sample, std::optional<std::size_t> columns, float largest,
                           const Colors& colors) {
  const Excerpt& excerpt = sample.excerpt;
  if (!excerpt.known || !colors.on() || !pieces_fit(excerpt)) {
    return columns ? marked(excerpt, *columns) : marked(excerpt);
  }
  const ShownText shown = columns ? shown_text(excerpt, *columns) : shown_text(excerpt);
  const Shading shading(sample, largest, colors);
  std::string text = shown.from_start ? "" : kEllipsis;
  text += shaded_before(excerpt, excerpt.before.size() - shown.before.size(), shading);
  text += "«" + colors.bold(shading.token(excerpt.activating, shown.token)) + "»";
  text += shaded_after(excerpt, shown.after.size(), shading);
  return shown.to_end ? text : text + kEllipsis;
}

}  // namespace saetap::cli
