// Why a command cannot do what it was asked.
#pragma once

#include <stdexcept>
#include <string>

namespace saetap::cli {

enum class Status : int {
  success = 0,
  not_there = 1,         // the asked-for thing is not there
  bad_input = 2,         // wrong usage or bad input
  cannot_execute = 126,  // `record`: found, but cannot be started (as env and nice have it)
  not_found = 127,       // `record`: no such command
};

// One line, for the user.
class Failure : public std::runtime_error {
 public:
  Failure(Status status, const std::string& reason) : std::runtime_error(reason), status_(status) {}
  [[nodiscard]] Status status() const { return status_; }

 private:
  Status status_;
};

}  // namespace saetap::cli
