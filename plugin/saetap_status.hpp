// What the calls of saetap.hpp return, and how they go through the table of functions. C++17; nothing here throws.
#pragma once

#include <cstddef>
#include <exception>
#include <string>

#include "saetap.h"

namespace saetap {

// What came of a call: true if it succeeded.
struct Status {
  int code = SAETAP_OK;  // enum saetap_status
  std::string message;   // why it did not succeed, in one line; "" if it did

  explicit operator bool() const noexcept { return code == SAETAP_OK; }
};

// What came of a call that asks for something. `value` is empty if the call did not succeed.
template <class Value>
struct [[nodiscard]] Result : Status {
  Value value{};
};

namespace detail {

inline Status failure(int code, const char* why) noexcept {
  Status status;
  status.code = code;
  try {
    status.message = why;
  } catch (...) {
    // Without memory for the reason the code alone has to do.
  }
  return status;
}

// One call through the table. Entries that the library does not have, or not yet, are behind the table's end.
template <class Entry, class... Arguments>
Status call(const saetap_api* api, Entry saetap_api::*entry, const char* name, Arguments... arguments) noexcept {
  const auto* begin = reinterpret_cast<const char*>(api);
  const auto* end = reinterpret_cast<const char*>(&(api->*entry)) + sizeof(Entry);
  if (end - begin > static_cast<std::ptrdiff_t>(api->struct_size) || api->*entry == nullptr) {
    try {
      return {SAETAP_FAILED, std::string("this libsaetap.so (") + api->version() + ") has no " + name};
    } catch (...) {
      return failure(SAETAP_FAILED, "this libsaetap.so is too old for the call");
    }
  }
  const int code = (api->*entry)(arguments...);
  return code == SAETAP_OK ? Status{} : failure(code, api->last_error());
}

// What asks for room: a vector that cannot be had is a failure like any other.
template <class Value, class Question>
Result<Value> answer(const Question& question) noexcept {
  Result<Value> result;
  try {
    static_cast<Status&>(result) = question(result.value);
  } catch (const std::exception& error) {
    static_cast<Status&>(result) = failure(SAETAP_FAILED, error.what());
  }
  if (!result) result.value = Value{};
  return result;
}

}  // namespace detail

}  // namespace saetap
