#include <doctest/doctest.h>

#include <limits>
#include <vector>

#include "plugin/collect/windows.h"

using namespace saetap;

TEST_CASE("growing windows are a quarter longer each, in whole steps") {
  // By hand: 32, 40, 50, 62 (50 + 12), 77 (62 + 15), 96 (77 + 19).
  const std::vector<std::uint64_t> ends{32, 72, 122, 184, 261, 357};
  const WindowRule rule;
  std::uint64_t first = 0;
  for (std::uint64_t number = 0; number < ends.size(); ++number) {
    const Window window{number, first, ends[number]};
    CHECK(window_of(rule, first) == window);
    CHECK(window_of(rule, ends[number] - 1) == window);
    first = ends[number];
  }
}

TEST_CASE("windows follow one another without a gap up to very late steps") {
  const WindowRule rule;
  Window window = window_of(rule, 0);
  while (window.end_step < 1'000'000'000'000ull) {
    const Window next = window_of(rule, window.end_step);
    REQUIRE(next.number == window.number + 1);
    REQUIRE(next.first_step == window.end_step);
    window = next;
  }
  CHECK(window_of(rule, std::numeric_limits<std::uint64_t>::max()).first_step > 0);
}

TEST_CASE("fixed windows have one length, and a single one never ends") {
  const WindowRule fixed{WindowRule::Kind::fixed, 10};
  CHECK(window_of(fixed, 0) == Window{0, 0, 10});
  CHECK(window_of(fixed, 9) == Window{0, 0, 10});
  CHECK(window_of(fixed, 30) == Window{3, 30, 40});
  const WindowRule single{WindowRule::Kind::single, 0};
  CHECK(window_of(single, 1'000'000'000).number == 0);
  CHECK(window_of(single, 1'000'000'000).end_step == std::numeric_limits<std::uint64_t>::max());
}
