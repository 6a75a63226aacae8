#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "plugin/store/half.h"

using namespace saetap;

// Known pairs: the examples of IEEE 754 binary16 in its usual descriptions (Wikipedia, "Half-precision floating-point
// format"), and ties worked out by hand.
TEST_CASE("half precision: known values, both ways") {
  const std::vector<std::pair<std::uint16_t, float>> known{{0x0000, 0.0f},
                                                           {0x0001, 0x1p-24f},
                                                           {0x03FF, 0x1.FF8p-15f},
                                                           {0x0400, 0x1p-14f},
                                                           {0x3555, 0x1.554p-2f},
                                                           {0x3BFF, 0x1.FFCp-1f},
                                                           {0x3C00, 1.0f},
                                                           {0x3C01, 0x1.004p0f},
                                                           {0x7BFF, 65504.0f},
                                                           {0xC000, -2.0f},
                                                           {0x8001, -0x1p-24f},
                                                           {0x7C00, std::numeric_limits<float>::infinity()},
                                                           {0xFC00, -std::numeric_limits<float>::infinity()}};
  for (const auto& [half, value] : known) {
    CHECK(float_from_half(half) == value);
    CHECK(half_from_float(value) == half);
  }
  CHECK(half_from_float(-0.0f) == 0x8000);
  CHECK(std::signbit(float_from_half(0x8000)));
}

TEST_CASE("half precision rounds to nearest, ties to even") {
  CHECK(half_from_float(1.0f / 3.0f) == 0x3555);
  CHECK(half_from_float(0.1f) == 0x2E66);
  CHECK(half_from_float(0x1.002p0f) == 0x3C00);     // halfway between 3C00 and 3C01
  CHECK(half_from_float(0x1.006p0f) == 0x3C02);     // halfway between 3C01 and 3C02
  CHECK(half_from_float(0x1.002002p0f) == 0x3C01);  // just above halfway
  CHECK(half_from_float(65519.0f) == 0x7BFF);
  CHECK(half_from_float(65520.0f) == 0x7C00);  // halfway to what would come next: infinity
  CHECK(half_from_float(1e30f) == 0x7C00);
  CHECK(half_from_float(0x1p-25f) == 0x0000);  // halfway between 0 and the smallest
  CHECK(half_from_float(0x1.8p-25f) == 0x0001);
  CHECK(half_from_float(0x1.8p-24f) == 0x0002);
  CHECK(half_from_float(0x1p-40f) == 0x0000);
  CHECK(half_from_float(0x1.FFEp-15f) == 0x0400);  // the largest subnormal rounds up to the smallest normal
}

TEST_CASE("half precision: NaN stays NaN and every half comes back as itself") {
  CHECK(std::isnan(float_from_half(half_from_float(std::nanf("")))));
  CHECK(std::isnan(float_from_half(0x7C01)));
  for (std::uint32_t half = 0; half < 0x10000; ++half) {
    if ((half & 0x7C00) == 0x7C00 && (half & 0x3FF) != 0) continue;
    REQUIRE(half_from_float(float_from_half(static_cast<std::uint16_t>(half))) == half);
  }
}
