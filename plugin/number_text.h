// Figures the way people read them.
#pragma once

#include <cstdint>
#include <string>

namespace saetap {

// 1234567 -> "1,234,567".
[[nodiscard]] std::string count_text(std::uint64_t count);

// A share of 1 as a percentage with the digits that matter: "31.2 %", "0.41 %", "0.0031 %". Only what is whole is
// "100 %", only nothing is "0 %".
[[nodiscard]] std::string percent_text(double share);

// An activation: "7.92", "0.0031", "12345".
[[nodiscard]] std::string activation_text(double value);

// "4.1 MB".
[[nodiscard]] std::string size_text(std::uint64_t bytes);

// part / whole; 0 if there is nothing.
[[nodiscard]] inline double share_of(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace saetap
