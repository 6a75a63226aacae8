// Why a store cannot be read or written.
#pragma once

#include <stdexcept>

namespace saetap {

// One line: the path, and a reason a user can act on.
class StoreError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace saetap
