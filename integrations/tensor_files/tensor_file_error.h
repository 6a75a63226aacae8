// What is wrong with a file of tensors.
#pragma once

#include <stdexcept>
#include <string>

namespace saetap::tensors {

// One line, for the user.
class TensorFileError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

[[noreturn]] inline void refuse(const std::string& reason) {
  throw TensorFileError(reason);
}

}  // namespace saetap::tensors
