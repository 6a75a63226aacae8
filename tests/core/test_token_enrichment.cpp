// Tokens against the text; expected values worked out by hand. What SciPy says: tests/analysis/test_statistics.py.
#include <doctest/doctest.h>

#include <numeric>

#include "integrations/analysis/token_enrichment.h"

using saetap::TokenBase;

TEST_CASE("a text's tokens add up, whatever order they come in") {
  const TokenBase text({{7, 3}, {-2, 4}, {7, 2}, {9, 0}}, /*counted=*/12);
  CHECK(text.count(7) == 5);
  CHECK(text.count(-2) == 4);
  CHECK(text.count(9) == 0);
  CHECK(text.count(8) == 0);
  CHECK(text.total() == 9);
  CHECK(text.distinct() == 2);
  CHECK(text.counted() == 12);
}

TEST_CASE("lift is a token's share here over its share of the text, p is corrected by Holm for every token there is") {
  // Of ten tokens in the text, 1 is two, 2 is three, 3 is five; three were drawn.
  const TokenBase text({{1, 2}, {2, 3}, {3, 5}}, 10);
  const std::vector<std::int32_t> drawn{1, 1, 3};
  const auto found = saetap::enriched_tokens(drawn, text);
  REQUIRE(found.size() == 2);
  CHECK(found[0].token == 1);
  CHECK(found[0].count == 2);
  CHECK(found[0].of == 3);
  CHECK(found[0].lift == doctest::Approx((2.0 / 3) / 0.2));
  CHECK(found[0].p == doctest::Approx(3 * 8.0 / 120));  // of 120 ways to draw three, 8 have both; three tests
  CHECK(found[1].token == 3);
  CHECK(found[1].lift == doctest::Approx((1.0 / 3) / 0.5));
  CHECK(found[1].p == 1);  // twice 110 / 120
}

TEST_CASE("a token that an estimate of the text lacks is taken to be there as often as it was drawn") {
  const auto found = saetap::enriched_tokens(std::vector<std::int32_t>{5, 5}, TokenBase({{1, 8}}, 0));
  REQUIRE(found.size() == 1);
  CHECK(found[0].lift == doctest::Approx(8.0 / 2));
  CHECK(found[0].p == doctest::Approx(1.0 / 28));  // one way of 28
}

TEST_CASE("without tokens or without text nothing is enriched") {
  CHECK(saetap::enriched_tokens({}, TokenBase({{1, 8}}, 8)).empty());
  CHECK(saetap::enriched_tokens(std::vector<std::int32_t>{1}, TokenBase({}, 0)).empty());
}

TEST_CASE("tails of all hits add up to one term each") {
  // P(X >= h) - P(X >= h + 1) = P(X = h), and these sum to 1: through the switch between the two sides.
  double sum = 0;
  for (std::uint64_t hits = 0; hits <= 20; ++hits) {
    const double here = saetap::hypergeometric_tail(hits, 20, 30, 100);
    const double next = hits == 20 ? 0 : saetap::hypergeometric_tail(hits + 1, 20, 30, 100);
    CHECK(here >= next);
    sum += here - next;
  }
  CHECK(sum == doctest::Approx(1));
}
