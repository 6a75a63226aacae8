// Scales of plots over whatever numbers a store may hold, and text from anywhere in SVG and CSV.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <sstream>
#include <string>

#include "integrations/report/plot_page.h"
#include "integrations/report/plot_scale.h"
#include "integrations/report/point_table.h"
#include "integrations/report/svg_text.h"

using saetap::PlotScale;
using saetap::TickText;

namespace {

std::vector<std::string> labels(const PlotScale& scale, TickText text) {
  std::vector<std::string> labels;
  for (const auto& tick : scale.ticks(text)) {
    if (!tick.label.empty()) labels.push_back(tick.label);
  }
  return labels;
}

using Labels = std::vector<std::string>;

// What every axis needs, whatever it is of.
void check_sound(const PlotScale& scale) {
  REQUIRE(std::isfinite(scale.lowest()));
  REQUIRE(std::isfinite(scale.highest()));
  REQUIRE(scale.lowest() < scale.highest());
  CHECK(scale.share(scale.lowest()) == 0);
  CHECK(scale.share(scale.highest()) == 1);
  const auto ticks = scale.ticks(TickText::number);
  CHECK(ticks.size() <= 120);
  double before = -1;
  std::size_t labelled = 0;
  for (const auto& tick : ticks) {
    const double share = scale.share(tick.value);
    CHECK(share > before);
    CHECK(share <= 1);
    before = share;
    if (tick.label.empty()) continue;
    ++labelled;
    CHECK(std::abs(std::stod(tick.label) - tick.value) <= 1e-5 * std::max(std::abs(scale.lowest()), scale.highest()));
  }
  CHECK(labelled >= 2);
  CHECK(labelled <= 10);
}

}  // namespace

TEST_CASE("ticks stand at round values, and scales end at them") {
  CHECK(labels(PlotScale::linear(0.03, 0.97), TickText::number) == Labels{"0", "0.2", "0.4", "0.6", "0.8", "1"});
  CHECK(labels(PlotScale::linear(0, 4096), TickText::count) ==
        Labels{"0", "1,000", "2,000", "3,000", "4,000", "5,000"});
  CHECK(labels(PlotScale::linear(0, 3), TickText::count) == Labels{"0", "1", "2", "3"});  // no half features
  CHECK(labels(PlotScale::linear(0, 0.1), TickText::percent) == Labels{"0 %", "2 %", "4 %", "6 %", "8 %", "10 %"});
  CHECK(labels(PlotScale::exactly(-0.33, 0.3), TickText::number) == Labels{"-0.2", "0", "0.2"});
  CHECK(labels(PlotScale::logarithmic(0.00013, 0.4), TickText::percent) == Labels{"0.01 %", "0.1 %", "1 %", "10 %"});
  CHECK(labels(PlotScale::logarithmic(3, 40), TickText::number) == Labels{"2", "5", "10", "20", "50"});
  CHECK(labels(PlotScale::logarithmic(1e-5, 1e-3), TickText::number) ==
        Labels{"1e-5", "2e-5", "5e-5", "0.0001", "0.0002", "0.0005", "0.001"});
}

TEST_CASE("any two numbers make a sound scale") {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const std::vector<double> odd{0,     -0.0,      1,          -1,  1e-45,     5e-324, 1.7e308,   -1.7e308,
                                1e300, kInfinity, -kInfinity, NAN, 3.4028e38, 0.1,    1 + 1e-15, 123456789012345678.0};
  for (const double one : odd) {
    for (const double other : odd) {
      CAPTURE(one);
      CAPTURE(other);
      check_sound(PlotScale::linear(one, other));
      check_sound(PlotScale::logarithmic(one, other));
    }
  }
  std::mt19937 random(7);
  std::uniform_real_distribution<double> exponent(-40, 38);
  for (int i = 0; i < 2000; ++i) {
    const double one = std::pow(10, exponent(random)), other = std::pow(10, exponent(random));
    CAPTURE(one);
    CAPTURE(other);
    check_sound(PlotScale::linear(-one, other));
    check_sound(PlotScale::logarithmic(one, other));
    check_sound(PlotScale::logarithmic(one, one * 1.3));
  }
}

TEST_CASE("what lies outside of a scale is at its end") {
  for (const auto& scale : {PlotScale::linear(1, 2), PlotScale::logarithmic(1, 2)}) {
    CHECK(scale.share(-5) == 0);
    CHECK(scale.share(1e300) == 1);
    CHECK(scale.share(NAN) == 0);
  }
}

TEST_CASE("text in SVG is text, whatever it is") {
  CHECK(saetap::svg_escaped("<a b=\"c\">&'") == "&lt;a b=&quot;c&quot;&gt;&amp;&#39;");
  CHECK(saetap::svg_escaped(std::string("\0\x01\x1b\n\x7f", 5)) == "\\x00\\x01\\x1B↵\\x7F");
  CHECK(saetap::svg_escaped("\xEF\xBF\xBE|\xEF\xBF\xBF|\xFF") == "\uFFFD|\uFFFD|\uFFFD");
  CHECK(saetap::svg_escaped("漢字 é") == "漢字 é");
  CHECK(saetap::svg_number(1.005) == "1");
  CHECK(saetap::svg_number(-0.001) == "0");
  CHECK(saetap::svg_number(12.5) == "12.5");
  CHECK(saetap::svg_number(NAN) == "0");
  CHECK(saetap::svg_number(-1e300) == "-1000000");
}

TEST_CASE("a table is CSV as RFC 4180 has it") {
  std::ostringstream out;
  saetap::write_csv(out, {.columns = {{"name", ""}, {"size", "mm, \"net\""}},
                          .rows = {{std::string("a,\"b\"\n=c"), 7.53f},
                                   {std::string("=1+1"), std::monostate{}},
                                   {std::string("\xFF"), double{NAN}},
                                   {std::int64_t{-3}, std::uint64_t{1} << 63}}});
  CHECK(
      out.str() ==
      "name,\"size [mm, \"\"net\"\"]\"\r\n\"a,\"\"b\"\"↵=c\",7.53\r\n'=1+1,\r\n\uFFFD,\r\n-3,9223372036854775808\r\n");
}

TEST_CASE("lines are as wide as there is room for, and words are whole unless they are wider") {
  const double five = saetap::text_width("xxxxx", 3);
  CHECK(saetap::wrapped("aa bb  cc\ndd", five, 3) == Labels{"aa bb", "cc dd"});
  CHECK(saetap::wrapped("aaaaaaaaaa b", five, 3) == Labels{"aaaa…", "b"});
  CHECK(saetap::wrapped("", five, 3).empty());
  CHECK(saetap::wrapped("of 66.7 %", saetap::text_width("of 66.7", 3), 3) == Labels{"of 66.7 %"});
}
