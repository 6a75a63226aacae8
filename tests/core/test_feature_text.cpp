// A feature's page on a terminal: shading and the picture of its distribution.
#include <doctest/doctest.h>

#include <regex>

#include "integrations/cli/feature_text.h"
#include "integrations/cli/histogram_text.h"
#include "integrations/cli/shaded_excerpt.h"
#include "integrations/report/statistic_text.h"
#include "tests/core/tokenizer_file.h"

using saetap::ActivationHistogram;
using saetap::cli::histogram_lines;

namespace {

// "a", " b", "é" in two tokens, "é" in one, and a byte that is half a character.
constexpr const char* kBytes =
    R"({"added_tokens": [], "decoder": {"type": "ByteLevel"}, "model": {"type": "BPE", "vocab":
  {"a": 0, "Ġb": 1, "Ã": 2, "©": 3, "Ã©": 4, "Ċ": 5}}})";

std::string without_colors(const std::string& text) {
  return std::regex_replace(text, std::regex("\x1b\\[[0-9;]*m"), "");
}

saetap::ShownSample shown(std::vector<std::int32_t> ids, std::size_t activating, const saetap::Tokenizer& tokenizer) {
  saetap::ShownSample sample;
  sample.sample.activation = 4;
  sample.along.assign(ids.size(), 1.0f);
  sample.excerpt = saetap::excerpt_of(
      {.tokens = std::move(ids), .activating = activating, .at_start = true, .at_end = false}, 99, 99, &tokenizer);
  return sample;
}

}  // namespace

TEST_CASE("the pieces of an excerpt are its text, and shading changes nothing but colours, however it is cut") {
  const saetap::TokenizerFile file(kBytes);
  const auto tokenizer = file.load();
  const saetap::cli::Colors colors("always");
  const std::vector<std::int32_t> ids{0, 1, 2, 3, 1, 4, 5, 1, 0, 2};
  for (std::size_t activating = 0; activating < ids.size(); ++activating) {
    const saetap::ShownSample sample = shown(ids, activating, *tokenizer);
    std::string joined;
    for (const std::string& piece : sample.excerpt.pieces) joined += piece;
    CHECK(sample.excerpt.pieces.size() == ids.size());
    CHECK(joined == sample.excerpt.before + sample.excerpt.token + sample.excerpt.after);
    for (std::size_t columns = 1; columns < 30; ++columns) {
      const std::string shaded = saetap::cli::shaded_excerpt(sample, columns, 4, colors);
      CHECK(shaded.find("\x1b[") != std::string::npos);
      CHECK(without_colors(shaded) == saetap::marked(sample.excerpt, columns));
    }
    CHECK(without_colors(saetap::cli::shaded_excerpt(sample, std::nullopt, 4, colors)) ==
          saetap::marked(sample.excerpt));
  }
}

TEST_CASE("the stronger, the further along the shades; nothing for what is not active") {
  const saetap::cli::Colors colors("always");
  CHECK(colors.shaded("x", 0) == "x");
  CHECK(colors.shaded("x", 0.01) == "\x1b[38;5;16;48;5;230mx\x1b[0m");
  CHECK(colors.shaded("x", 1) == "\x1b[38;5;16;48;5;203mx\x1b[0m");
  CHECK(colors.shaded("x", 7) == colors.shaded("x", 1));
  CHECK(colors.shaded("  x", 1) == "  " + colors.shaded("x", 1));
  CHECK(colors.shaded("  ", 1) == "  ");
  CHECK(saetap::cli::Colors("never").shaded("x", 1) == "x");
}

TEST_CASE("the picture of a distribution has the shape of its counts") {
  // Bins of 127 * 4 are those from 1 on: 8, 4, 0 and 1 values.
  const auto lines = histogram_lines(ActivationHistogram::of(127 * 4, {8, 4, 0, 1}), /*blocks=*/false);
  REQUIRE(lines.size() == 6);
  CHECK(lines[0] == "  61.5 %|###");
  CHECK(lines[1] == "        |###");
  CHECK(lines[2] == "        |######");
  CHECK(lines[3] == "        |######   ###");
  CHECK(lines[4] == "       0++-----------+");
  CHECK(lines[5] == "         1.00        2.00");
  const auto blocks = histogram_lines(ActivationHistogram::of(127 * 4, {8, 4, 0, 1}), /*blocks=*/true);
  CHECK(blocks[0] == "  61.5 %│███");
  CHECK(blocks[3] == "        │██████   ▄▄▄");
  CHECK(histogram_lines({}, true).empty());
}

TEST_CASE("a distribution over more octaves than there is room for is put together") {
  std::vector<std::uint64_t> counts(1000, 3);
  const auto lines = histogram_lines(ActivationHistogram::of(7, counts), true);
  for (const std::string& line : lines) CHECK(line.size() < 400);
  CHECK(lines.size() == 6);
  // Every column is as high as the others but for those at the ends.
  CHECK(lines[3].find(' ', 9) == std::string::npos);
}

TEST_CASE("figures of tokens are short") {
  CHECK(saetap::p_text(3.2e-41) == "3e-41");
  CHECK(saetap::p_text(0.0213) == "0.021");
  CHECK(saetap::p_text(1) == "1");
  CHECK(saetap::p_text(0) == "< 1e-300");
  CHECK(saetap::lift_text(0.82) == "0.8 times");
  CHECK(saetap::lift_text(9.96) == "10.0 times");
  CHECK(saetap::lift_text(212.4) == "212 times");
  CHECK(saetap::lift_text(12345.6) == "12,346 times");
}
