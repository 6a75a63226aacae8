// Text from anywhere as XML that shows just that text.
#pragma once

#include <string>
#include <string_view>

namespace saetap {

// Made visible (see analysis/visible_text.h), with what XML would act on as entities and what it forbids (U+FFFE and
// U+FFFF; control characters are visible by then) as U+FFFD. For use between tags and in attributes.
[[nodiscard]] std::string svg_escaped(std::string_view text);

// A length or coordinate, to 0.01: "12.5". What is not finite is "0".
[[nodiscard]] std::string svg_number(double value);

}  // namespace saetap
