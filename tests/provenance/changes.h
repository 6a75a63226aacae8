// What trainers do to rows of activations before the SAE sees them, in LibTorch's own operations.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "hooks/libtorch.h"

namespace saetap::testing {

struct Change {
  enum class Kind {
    exact,    // the bits stay, or stay the same numbers: every row has to be found
    changed,  // to be found, or said to be ambiguous or unknown
    guess,    // nobody could be sure: nothing may be claimed where rows are shuffled
  };
  std::string name;
  Kind kind;
  std::function<at::Tensor(const at::Tensor& rows)> apply;  // [rows, d] float32 -> [rows, d], any floating type
};

// `sample`: [n, d], rows that means and spreads are taken from, as a trainer does before it starts.
[[nodiscard]] std::vector<Change> changes_of(const at::Tensor& sample);

}  // namespace saetap::testing
