#include "integrations/report/plot_scale.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "plugin/number_text.h"

namespace saetap {
namespace {

constexpr double kMostTicks = 6;
constexpr std::array<int, 3> kNice{1, 2, 5};
constexpr double kSmallest = 1e-45;  // below every float
constexpr double kLargest = 1e39;    // above every float; sums of such are numbers still

// Six digits, which is more than a tick has: what rounding left behind them goes.
std::string shortest(double value) {
  std::array<char, 32> text{};
  const auto written = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::general, 6);
  std::string number(text.data(), written.ptr);
  // "1e-5" for "1e-05"
  const std::size_t exponent = number.find('e');
  if (exponent != std::string::npos && number[exponent + 2] == '0') number.erase(exponent + 2, 1);
  return number;
}

std::string label_of(double value, TickText text) {
  if (text == TickText::percent) return shortest(value * 100) + " %";
  const bool is_count = value >= 0 && value < 1e15 && value == std::floor(value);
  if (text == TickText::count && is_count) return count_text(static_cast<std::uint64_t>(value));
  return shortest(value);
}

// The 1, 2 or 5 times a power of ten that is next to `value`: the largest below (or at) it, or the smallest above.
// Close enough is at it, since a power of ten is seldom exact.
double nice_below(double value) {
  const double power = std::pow(10, std::floor(std::log10(value) + 1e-9));
  for (const int factor : {5, 2}) {
    if (factor * power <= value * (1 + 1e-9)) return factor * power;
  }
  return power;
}

double nice_above(double value) {
  const double power = std::pow(10, std::floor(std::log10(value) + 1e-9));
  for (const int factor : kNice) {
    if (factor * power >= value * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

double bounded(double value) {
  return std::isfinite(value) && std::abs(value) >= kSmallest ? std::clamp(value, -kLargest, kLargest) : 0;
}

double positive(double value) {
  return std::isfinite(value) ? std::clamp(value, kSmallest, kLargest) : kSmallest;
}

}  // namespace

PlotScale PlotScale::exactly(double one, double other) {
  const double lowest = std::min(bounded(one), bounded(other));
  double highest = std::max(bounded(one), bounded(other));
  // Too near to each other to be told apart: what is there stands at the lower end.
  const double least = std::max(std::abs(lowest), std::abs(highest)) * 1e-9;
  if (!(highest - lowest > least)) highest = lowest + (lowest == 0 ? 1 : std::abs(lowest));
  const double step = nice_above((highest - lowest) / kMostTicks);
  return {false, lowest, highest, step};
}

PlotScale PlotScale::linear(double one, double other) {
  PlotScale scale = exactly(one, other);
  scale.lowest_ = std::floor(scale.lowest_ / scale.step_ + 1e-9) * scale.step_;
  scale.highest_ = std::ceil(scale.highest_ / scale.step_ - 1e-9) * scale.step_;
  return scale;
}

PlotScale PlotScale::logarithmic(double one, double other) {
  const double lowest = nice_below(std::min(positive(one), positive(other)));
  const double highest = nice_above(std::max(positive(one), positive(other)));
  return {true, lowest, highest > lowest * 1.5 ? highest : 10 * lowest, 0};
}

double PlotScale::share(double value) const {
  if (std::isnan(value)) return 0;
  const double share = logarithmic_ ? std::log(std::max(value, kSmallest) / lowest_) / std::log(highest_ / lowest_)
                                    : (value - lowest_) / (highest_ - lowest_);
  return std::clamp(share, 0.0, 1.0);
}

std::vector<Tick> PlotScale::ticks(TickText text) const {
  return logarithmic_ ? logarithmic_ticks(text) : linear_ticks(text);
}

std::vector<Tick> PlotScale::linear_ticks(TickText text) const {
  std::vector<Tick> ticks;
  const double first = std::ceil(lowest_ / step_ - 1e-9);
  const auto steps = static_cast<int>(std::floor(highest_ / step_ + 1e-9) - first);
  for (int i = 0; i <= steps; ++i) {
    // Not by adding up: 0.1 + 0.1 + 0.1 is not 0.3.
    const double value = (first + i) * step_;
    const bool between = text == TickText::count && value != std::floor(value);  // half a feature
    ticks.push_back({value, between ? "" : label_of(value, text)});
  }
  return ticks;
}

std::vector<Tick> PlotScale::logarithmic_ticks(TickText text) const {
  std::vector<Tick> ticks;
  const double decades = std::log10(highest_ / lowest_);
  const bool few = decades < 2.2;                                           // then 2 and 5 have a label, too
  const int every = std::max(1, static_cast<int>(std::ceil(decades / 8)));  // decade that has one
  const auto first = static_cast<int>(std::floor(std::log10(lowest_) + 1e-9));
  for (int decade = first; std::pow(10, decade) <= highest_ * (1 + 1e-9); ++decade) {
    for (int factor = 1; factor < 10; ++factor) {
      const double value = factor * std::pow(10, decade);
      if (value < lowest_ * (1 - 1e-9) || value > highest_ * (1 + 1e-9)) continue;
      const bool labelled = few ? std::find(kNice.begin(), kNice.end(), factor) != kNice.end()
                                : factor == 1 && (decade - first) % every == 0;
      if (labelled || every == 1) ticks.push_back({value, labelled ? label_of(value, text) : ""});
    }
  }
  return ticks;
}

}  // namespace saetap
