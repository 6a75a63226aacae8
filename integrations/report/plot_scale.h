// From values to places along an axis, and the values that are written beside it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace saetap {

// How a value is written at a tick: 0.01 as "0.01" or "1 %", 4096 as "4,096".
enum class TickText : std::uint8_t { number, percent, count };

struct Tick {
  double value = 0;
  std::string label;  // empty: a short tick between those that have one
};

class PlotScale {
 public:
  // Both widened to whole steps of the ticks: 0.03 to 0.97 becomes 0 to 1. `lowest` may exceed `highest`, or be the
  // same. Of a logarithmic scale both are above 0; whatever is not becomes the smallest number there is.
  [[nodiscard]] static PlotScale linear(double lowest, double highest);
  [[nodiscard]] static PlotScale logarithmic(double lowest, double highest);
  // A linear one that ends where it is told.
  [[nodiscard]] static PlotScale exactly(double lowest, double highest);

  [[nodiscard]] double lowest() const { return lowest_; }
  [[nodiscard]] double highest() const { return highest_; }
  // 0 at the lowest value of the scale, 1 at the highest; what lies outside is at the nearer end.
  [[nodiscard]] double share(double value) const;
  // Ascending; a handful of them with a label.
  [[nodiscard]] std::vector<Tick> ticks(TickText text) const;

 private:
  PlotScale(bool logarithmic, double lowest, double highest, double step)
      : logarithmic_(logarithmic), lowest_(lowest), highest_(highest), step_(step) {}
  [[nodiscard]] std::vector<Tick> linear_ticks(TickText text) const;
  [[nodiscard]] std::vector<Tick> logarithmic_ticks(TickText text) const;

  bool logarithmic_;
  double lowest_;
  double highest_;
  double step_;  // between the ticks of a linear scale
};

}  // namespace saetap
