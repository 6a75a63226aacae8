// What is wrong with a file of tensors.
#pragma once

#include <stdexcept>

namespace saetap::tensors {

// One line, for the user.
class TensorFileError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace saetap::tensors
