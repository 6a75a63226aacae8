#include "plugin/session/process.h"

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "plugin/log.h"
#include "plugin/session/libtorch_version.h"
#include "plugin/session/session.h"

namespace saetap {

namespace {

// Leaked on purpose: calls may be in flight on any thread while the process exits.
std::atomic<Session*> running{nullptr};
std::mutex starting;

// As `saetap record` passed it on, else as the kernel has it.
std::string command_line() {
  if (const char* told = std::getenv("SAETAP_PROGRAM")) return told;
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::string words((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  for (auto& c : words) {
    if (c == '\0') c = ' ';
  }
  while (!words.empty() && words.back() == ' ') words.pop_back();
  return words;
}

void finish_at_exit() {
  std::string why;
  (void)stop_process_session(why);
}

// A forked child shares neither the store nor our threads with its parent: it forgets the session and records nothing.
void forget_in_child() {
  hooks::Discovery::abandon();
  running.store(nullptr);
}

template <typename Action>
saetap_status guarded(std::string& why, Action action) noexcept {
  try {
    return action();
  } catch (const ConfigError& error) {
    why = error.what();
    return SAETAP_BAD_CONFIG;
  } catch (const std::exception& error) {
    why = error.what();
  } catch (...) {
    why = "unknown error";
  }
  return SAETAP_FAILED;
}

}  // namespace

saetap_status start_process_session(const Config& config, std::string& why) noexcept {
  return guarded(why, [&] {
    set_log_level(config.log_level);
    if (!config.save_activation_samples) {
      why = "save_activation_samples is false";
      return SAETAP_OFF;
    }
    why = libtorch_mismatch();
    if (!why.empty()) return SAETAP_FAILED;
    const std::lock_guard lock(starting);
    if (running.load() != nullptr) {
      why = "already recording in this process";
      return SAETAP_RUNNING;
    }
    Config settled = config;
    // The program may change its working directory later.
    settled.output_dir = std::filesystem::absolute(config.output_dir).string();
    auto* session = new Session(settled, command_line());
    session->start();
    running.store(session);
    static const int once = [] {
      pthread_atfork(nullptr, nullptr, forget_in_child);
      // Registered after LibTorch's own destructors, so it runs before them.
      return std::atexit(finish_at_exit);
    }();
    (void)once;
    return SAETAP_OK;
  });
}

saetap_status checkpoint_process_session(std::string& why) noexcept {
  return guarded(why, [&] {
    auto* session = running.load();
    if (session == nullptr) {
      why = "nothing is being recorded";
      return SAETAP_NOT_RUNNING;
    }
    if (session->checkpoint()) return SAETAP_OK;
    why = "the checkpoint could not be saved, see the log";
    return SAETAP_FAILED;
  });
}

saetap_status stop_process_session(std::string& why) noexcept {
  return guarded(why, [&] {
    // Held to the end: a start meanwhile would have its hooks taken away by this stop.
    const std::lock_guard lock(starting);
    auto* session = running.exchange(nullptr);
    if (session == nullptr) {
      why = "nothing is being recorded";
      return SAETAP_NOT_RUNNING;
    }
    session->finish();
    return SAETAP_OK;
  });
}

}  // namespace saetap
