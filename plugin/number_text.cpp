#include "plugin/number_text.h"

#include <array>
#include <cmath>
#include <cstdio>

namespace saetap {
namespace {

std::string format(const char* pattern, double value) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), pattern, value);
  return text.data();
}

}  // namespace

std::string count_text(std::uint64_t count) {
  std::string text = std::to_string(count);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, 1, ',');
  return text;
}

std::string percent_text(double share) {
  const double percent = share * 100;
  if (percent == 0) return "0 %";
  // A sum of shares may be off by rounding; a count would need 10^11 tokens.
  if (std::abs(percent - 100) < 1e-9) return "100 %";
  // Rounding must not turn "nearly all" into "all".
  if (percent > 99.99 && percent < 100) return "> 99.99 %";
  if (percent >= 99.9) return format("%.2f %%", percent);
  if (percent >= 10) return format("%.1f %%", percent);
  if (percent >= 0.1) return format("%.2f %%", percent);
  if (percent >= 0.0001) return format("%.2g %%", percent);
  return "< 0.0001 %";
}

std::string activation_text(double value) {
  const double size = std::abs(value);
  if (size == 0) return "0";
  if (size >= 1e7 || size < 1e-4) return format("%.2e", value);
  if (size >= 1000) return format("%.0f", value);
  if (size >= 100) return format("%.1f", value);
  return format(size >= 0.0995 ? "%.2f" : "%.2g", value);
}

std::string size_text(std::uint64_t bytes) {
  const auto size = static_cast<double>(bytes);
  if (bytes < 1000) return std::to_string(bytes) + " bytes";
  if (size < 1e6) return format("%.1f kB", size / 1e3);
  return size < 1e9 ? format("%.1f MB", size / 1e6) : format("%.2f GB", size / 1e9);
}

}  // namespace saetap
