// Cutting a run into windows of steps. Boundaries depend on the step alone, so ranks and resumed runs cut alike.
#pragma once

#include <cstdint>

namespace saetap {

// How `sample_window_steps` asks for windows: growing by a quarter each ("auto"), a fixed length, or one for all.
struct WindowRule {
  enum class Kind : std::uint8_t { growing, fixed, single } kind = Kind::growing;
  std::uint64_t fixed_steps = 0;  // for Kind::fixed, at least 1
};

inline constexpr std::uint64_t kFirstWindowSteps = 32;

// The window that a step belongs to: its number from 0, its first step, and the first step of the next one.
struct Window {
  std::uint64_t number = 0;
  std::uint64_t first_step = 0;
  std::uint64_t end_step = 0;  // exclusive

  friend bool operator==(const Window&, const Window&) = default;
};

[[nodiscard]] Window window_of(const WindowRule& rule, std::uint64_t step);

}  // namespace saetap
