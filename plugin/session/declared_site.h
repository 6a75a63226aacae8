// A site that the program declares, where no graph can be looked at: a trainer without TorchScript, or one in Python.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "hooks/libtorch.h"
#include "hooks/phase.h"
#include "plugin/session/feature_tap.h"

namespace saetap {

// Nothing is being recorded, or not any more.
class NotRecording : public std::runtime_error {
 public:
  NotRecording() : std::runtime_error("nothing is being recorded") {}
};

struct DeclaredSite {
  std::string name;  // its identity across runs
  std::string description;
  std::int64_t features = 0;
  std::int64_t d_in = 0;
  std::int64_t d_out = 0;
};

// One batch of it. All of it is read before the call ends, except on an accelerator.
struct DeclaredCall {
  at::Tensor activations;  // [.., F], strided or sparse COO [rows, F]; with `indices` [.., k]. Floating.
  at::Tensor indices;      // undefined, or [.., k] integers: which feature each value is of, each once in a row
  at::Tensor rows;         // undefined, or [.., d_in]: what the encoder was given
  Phase phase = Phase::train;
};

// Whose decoder it is: a copy of ours, or the program's own parameter, as it is at each checkpoint. That is kept from
// the site's first batch on, until release_decoder().
enum class HoldDecoder : std::uint8_t { kept, shared };

// Throws std::invalid_argument, in one line.
[[nodiscard]] FeatureTap tap_of(const DeclaredSite& site);
// Throws std::invalid_argument if it cannot be a batch of this site: by shapes and types alone.
void check_shapes(const Site& site, const DeclaredCall& call);

// What is said of pairs' features, by their values: what lies on an accelerator is not read. Keeps its memory, 4 bytes
// for each feature.
class PairCheck {
 public:
  // Throws std::invalid_argument for a feature that is none, or that a row names twice: it would be counted twice.
  void check(const Site& site, const DeclaredCall& call);

 private:
  template <typename Index>
  void check_features(const at::Tensor& indices, const Site& site);

  std::vector<std::uint32_t> latest_row_;  // [features], in which each was named
  std::uint32_t row_ = 0;                  // counted through all calls
};

void check_model_rows(const at::Tensor& tokens, const at::Tensor& mask, const at::Tensor& rows);

}  // namespace saetap
