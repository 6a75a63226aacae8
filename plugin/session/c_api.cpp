// The C interface, and starting on load from the environment.
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "plugin/config.h"
#include "plugin/log.h"
#include "plugin/saetap.h"
#include "plugin/session/process.h"

namespace {

using saetap::Config;
using saetap::ConfigError;
using saetap::LogLevel;

std::string& last_error() {
  thread_local std::string error;
  return error;
}

// Runs one call of the interface; nothing gets past it.
template <typename Call>
int answer(Call call) noexcept {
  try {
    last_error().clear();
    return call(last_error());
  } catch (const ConfigError& error) {
    last_error() = error.what();
    return SAETAP_BAD_CONFIG;
  } catch (...) {
    last_error() = "unknown error";
    return SAETAP_FAILED;
  }
}

// A program that runs with more rights than who started it takes nothing from that one's environment.
const char* told(const char* variable) {
  return secure_getenv(variable);
}

Config config_from_environment() {
  // `saetap record` means to record: collection is on unless a key says otherwise.
  const bool recording = told("SAETAP_RECORD") != nullptr;
  const char* path = told("SAETAP_CONFIG");
  auto config = path != nullptr ? saetap::load_config(path, recording) : saetap::parse_config("{}", recording);
  if (const char* folder = told("SAETAP_OUTPUT_DIR")) config.output_dir = folder;
  return config;
}

// Loading the library starts it if the environment asks for it. A wrong config never stops the host program: one line,
// and training goes on without collection.
[[gnu::constructor]] void start_on_load() {
  if (told("SAETAP_CONFIG") == nullptr && told("SAETAP_RECORD") == nullptr) return;
  // By `saetap record`, whose variables a child has inherited that is not meant.
  const char* process = told("SAETAP_PID");
  const bool follows = told("SAETAP_FOLLOW_CHILDREN") != nullptr;
  if (process != nullptr && !follows && std::atol(process) != static_cast<long>(getpid())) return;
  try {
    const auto config = config_from_environment();
    const bool said = told("SAETAP_RECORD") != nullptr;  // by `saetap record` already
    for (const auto& warning : config.warnings) {
      if (!said) saetap::log(LogLevel::warning, warning);
    }
    std::string why;
    const auto status = saetap::start_process_session(config, why);
    if (status == SAETAP_OFF && said) return;
    if (status != SAETAP_OK) {
      saetap::log(status == SAETAP_OFF ? LogLevel::info : LogLevel::error, "not recording: " + why);
    }
  } catch (const std::exception& error) {
    saetap::log(LogLevel::error, std::string("not recording: ") + error.what());
  }
  // `saetap record` looks after its variables itself: threads of the program may be reading the environment.
  if (process != nullptr) return;
  // The run is ours alone: a child process that loads the library must not write into the same store.
  for (const auto* variable : {"SAETAP_CONFIG", "SAETAP_RECORD", "SAETAP_OUTPUT_DIR", "SAETAP_PROGRAM"})
    unsetenv(variable);
}

}  // namespace

extern "C" {

int saetap_plugin_init(const char* config_json) {
  return answer([&](std::string& why) -> int {
    if (config_json == nullptr) {
      why = "config_json is null";
      return SAETAP_BAD_CONFIG;
    }
    const auto config = saetap::parse_config(config_json);
    for (const auto& warning : config.warnings) saetap::log(LogLevel::warning, warning);
    return saetap::start_process_session(config, why);
  });
}

int saetap_set_tokens(const int64_t* tokens, int64_t batch, int64_t length, const uint8_t* mask, const int64_t* rows,
                      int64_t row_count) {
  return answer([&](std::string& why) -> int {
    return saetap::set_process_tokens({tokens, batch, length, mask, rows, row_count}, why);
  });
}

int saetap_set_token_text(saetap_token_text text, void* user) {
  return answer([&](std::string& why) -> int { return saetap::set_process_token_text(text, user, why); });
}

int saetap_checkpoint(void) {
  return answer([](std::string& why) -> int { return saetap::checkpoint_process_session(why); });
}

int saetap_stop(void) {
  return answer([](std::string& why) -> int { return saetap::stop_process_session(why); });
}

const char* saetap_last_error(void) {
  return last_error().c_str();
}

const char* saetap_version(void) {
  return SAETAP_VERSION;
}

}  // extern "C"
