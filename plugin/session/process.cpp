#include "plugin/session/process.h"

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

#include "plugin/log.h"
#include "plugin/session/libtorch_version.h"
#include "plugin/session/session.h"
#include "plugin/session/torch_operators.h"
#include "plugin/store/sqlite.h"

namespace saetap {

namespace {

// Never destroyed: calls may be in flight on any thread while the process exits.
std::shared_ptr<Session>& running() {
  static auto* session = new std::shared_ptr<Session>();
  return *session;
}

// Held while a session starts or stops. A signal handler that calls exit() may find its own thread inside.
std::mutex starting;
std::atomic<std::thread::id> starter{};
class Starting {
 public:
  Starting() { starter = std::this_thread::get_id(); }
  Starting(const Starting&) = delete;
  Starting& operator=(const Starting&) = delete;
  ~Starting() { starter = std::thread::id(); }

 private:
  const std::lock_guard<std::mutex> lock_{starting};
};

// Whether this is a child of a process that records, and no program of its own. It shares neither the store nor our
// threads with its parent; its copies of our locks are not touched, which a thread of the parent may have held.
bool is_forked_copy() {
  if (hooks::Discovery::abandoned()) return true;
  const auto session = std::atomic_load(&running());
  return session != nullptr && session->is_copy();
}

std::shared_ptr<Session> current_session() {
  return is_forked_copy() ? nullptr : std::atomic_load(&running());
}

// As `saetap record` passed it on, else as the kernel has it.
std::string command_line() {
  if (const char* told = secure_getenv("SAETAP_PROGRAM")) return told;
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::string words((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  for (auto& c : words) {
    if (c == '\0') c = ' ';
  }
  while (!words.empty() && words.back() == ' ') words.pop_back();
  return words;
}

// What was collected is not freed: LibTorch is about to go, and other threads may still be at work.
void finish_at_exit() noexcept {
  try {
    if (current_session() == nullptr) return;
    if (starter.load() == std::this_thread::get_id()) {
      log(LogLevel::error,
          "not finished: the program ended while recording was being stopped; the latest checkpoint stands");
      return;
    }
    const Starting turn;
    if (const auto session = current_session()) (void)session->finish(Session::Ending::at_exit);
  } catch (...) {
    // Out of memory: the latest checkpoint stands.
  }
}

std::optional<std::string> text_from(saetap_token_text text, void* user, std::int32_t id) {
  constexpr std::int64_t kLongest = 1 << 20;
  std::string bytes(256, '\0');
  auto length = text(id, bytes.data(), static_cast<std::int64_t>(bytes.size()), user);
  if (length > static_cast<std::int64_t>(bytes.size()) && length <= kLongest) {
    bytes.resize(static_cast<std::size_t>(length));
    length = text(id, bytes.data(), length, user);
  }
  if (length < 0 || length > static_cast<std::int64_t>(bytes.size())) return std::nullopt;
  bytes.resize(static_cast<std::size_t>(length));
  return bytes;
}

// Throws for who is called by it.
std::shared_ptr<Session> session_outside_callbacks() {
  auto session = process_session();
  if (session->is_callback_thread()) throw std::runtime_error("called from within a callback");
  return session;
}

template <typename Action>
saetap_status guarded(std::string& why, Action action) noexcept {
  try {
    return action();
  } catch (const ConfigError& error) {
    why = error.what();
    return SAETAP_BAD_CONFIG;
  } catch (const NotRecording& error) {
    why = error.what();
    return SAETAP_NOT_RUNNING;
  } catch (const std::exception& error) {
    why = error.what();
  } catch (...) {
    why = "unknown error";
  }
  return SAETAP_FAILED;
}

}  // namespace

std::shared_ptr<Session> process_session() {
  auto session = current_session();
  if (session == nullptr) throw NotRecording();
  return session;
}

saetap_status start_process_session(const Config& config, std::string& why) noexcept {
  return guarded(why, [&] {
    set_log_level(config.log_level);
    if (!config.save_activation_samples) {
      why = "save_activation_samples is false";
      return SAETAP_OFF;
    }
    why = libtorch_mismatch();
    if (!why.empty()) return SAETAP_FAILED;
    if (is_forked_copy()) {
      why = "this process was forked from one that is recorded";
      return SAETAP_FAILED;
    }
    // From a callback's library, while it is opened or told of the end.
    const auto before = current_session();
    if (starter.load() == std::this_thread::get_id() || (before != nullptr && before->is_callback_thread())) {
      why = "called from within a callback";
      return SAETAP_RUNNING;
    }
    const Starting turn;
    if (current_session() != nullptr) {
      why = "already recording in this process";
      return SAETAP_RUNNING;
    }
    Config settled = config;
    // The program may change its working directory later.
    settled.output_dir = std::filesystem::absolute(config.output_dir).string();
    const auto session = std::make_shared<Session>(settled, command_line());
    session->start();
    register_torch_operators();  // after a second copy of this library was refused
    std::atomic_store(&running(), session);
    static const int once =
        pthread_atfork(let_sqlite_end_before_fork, let_sqlite_go_on_after_fork, hooks::Discovery::abandon);
    (void)once;
    // Each time: so that it runs before what was registered until now is destroyed, LibTorch's and the callbacks'
    // libraries'. Where nothing is being recorded it does nothing.
    (void)(std::atexit(finish_at_exit) + std::at_quick_exit(finish_at_exit));
    return SAETAP_OK;
  });
}

saetap_status set_process_tokens(const ToldTokens& told, std::string& why) noexcept {
  return guarded(why, [&] {
    const auto session = session_outside_callbacks();
    constexpr std::int64_t kMost = std::int64_t{1} << 31;
    const bool sized = told.batch > 0 && told.length > 0 && told.batch <= kMost && told.length <= kMost / told.batch &&
                       told.row_count >= 0;
    if (told.tokens == nullptr || !sized || (told.rows == nullptr && told.row_count > 0)) {
      why = "tokens have to be [batch, length] with both above 0, and rows [row_count]";
      return SAETAP_FAILED;
    }
    const auto count = static_cast<std::size_t>(told.batch * told.length);
    std::vector<std::int32_t> ids(count);
    for (std::size_t i = 0; i < count; ++i) {
      if (told.tokens[i] < INT32_MIN || told.tokens[i] > INT32_MAX) {
        why = "token " + std::to_string(told.tokens[i]) + " does not fit into 32 bits";
        return SAETAP_FAILED;
      }
      ids[i] = static_cast<std::int32_t>(told.tokens[i]);
    }
    const TokenMatrix tokens{ids, static_cast<std::size_t>(told.length), {told.mask, told.mask != nullptr ? count : 0}};
    session->set_tokens(tokens, {told.rows, static_cast<std::size_t>(told.row_count)});
    return SAETAP_OK;
  });
}

saetap_status set_process_token_text(saetap_token_text text, void* user, std::string& why) noexcept {
  return guarded(why, [&] {
    const auto session = session_outside_callbacks();
    if (text == nullptr) {
      session->take_back_token_text(user);
    } else {
      session->set_token_text([text, user](std::int32_t id) { return text_from(text, user, id); }, user);
    }
    return SAETAP_OK;
  });
}

saetap_status checkpoint_process_session(std::string& why) noexcept {
  return guarded(why, [&] {
    const auto session = session_outside_callbacks();
    if (session->checkpoint()) return SAETAP_OK;
    why = "the checkpoint could not be saved, see the log";
    return SAETAP_FAILED;
  });
}

saetap_status stop_process_session(std::string& why) noexcept {
  return guarded(why, [&] {
    (void)session_outside_callbacks();
    // Held to the end: a start meanwhile would have its hooks taken away by this stop.
    const Starting turn;
    const auto session = process_session();
    switch (session->finish()) {
      case Session::End::done:
        break;
      case Session::End::busy:
        why = "a call is still in flight; recording goes on";
        return SAETAP_FAILED;
      case Session::End::given_up:
        // Its thread is still at work on what it has.
        new std::shared_ptr<Session>(session);
        why = "saving did not come to an end, see the log";
        std::atomic_store(&running(), std::shared_ptr<Session>());
        return SAETAP_FAILED;
    }
    // Its memory goes here, or with the last call in flight.
    std::atomic_store(&running(), std::shared_ptr<Session>());
    return SAETAP_OK;
  });
}

}  // namespace saetap
