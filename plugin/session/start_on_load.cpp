// Starting on load, from the environment: in libsaetap.so alone.
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "plugin/config.h"
#include "plugin/log.h"
#include "plugin/saetap.h"
#include "plugin/session/process.h"

namespace {

using saetap::Config;
using saetap::LogLevel;

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
