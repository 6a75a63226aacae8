// Behind every function of the C interface: a status, and what went wrong.
#pragma once

#include <exception>
#include <string>

#include "plugin/config.h"
#include "plugin/saetap.h"
#include "plugin/session/declared_site.h"

namespace saetap {

// Of this thread's latest call.
[[nodiscard]] std::string& last_error();

// Runs one call of the interface; nothing gets past it.
template <typename Call>
int answer(Call call) noexcept {
  try {
    last_error().clear();
    return call(last_error());
  } catch (const ConfigError& error) {
    last_error() = error.what();
    return SAETAP_BAD_CONFIG;
  } catch (const NotRecording& error) {
    last_error() = error.what();
    return SAETAP_NOT_RUNNING;
  } catch (const std::exception& error) {
    last_error() = error.what();
  } catch (...) {
    last_error() = "unknown error";
  }
  return SAETAP_FAILED;
}

}  // namespace saetap
