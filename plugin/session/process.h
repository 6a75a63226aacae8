// The one session of this process: made by loading the library or through the C interface, ended by exit.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "plugin/config.h"
#include "plugin/saetap.h"

namespace saetap {

class Session;

// The session that records. Throws NotRecording where there is none, and in a forked child of one that has one.
[[nodiscard]] std::shared_ptr<Session> process_session();
// Starts the process's session. Returns a status and, unless it is SAETAP_OK, fills `why` with one line. Throws
// nothing.
[[nodiscard]] saetap_status start_process_session(const Config& config, std::string& why) noexcept;
// As given to saetap_set_tokens.
struct ToldTokens {
  const std::int64_t* tokens = nullptr;
  std::int64_t batch = 0;
  std::int64_t length = 0;
  const std::uint8_t* mask = nullptr;
  const std::int64_t* rows = nullptr;
  std::int64_t row_count = 0;
};
[[nodiscard]] saetap_status set_process_tokens(const ToldTokens& told, std::string& why) noexcept;
// As given to saetap_set_token_text.
[[nodiscard]] saetap_status set_process_token_text(saetap_token_text text, void* user, std::string& why) noexcept;
[[nodiscard]] saetap_status checkpoint_process_session(std::string& why) noexcept;
[[nodiscard]] saetap_status stop_process_session(std::string& why) noexcept;

}  // namespace saetap
