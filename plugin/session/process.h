// The one session of this process: made by loading the library or through the C interface, ended by exit.
#pragma once

#include <string>

#include "plugin/config.h"
#include "plugin/saetap.h"

namespace saetap {

// Starts the process's session. Returns a status and, unless it is SAETAP_OK, fills `why` with one line. Throws
// nothing.
[[nodiscard]] saetap_status start_process_session(const Config& config, std::string& why) noexcept;
[[nodiscard]] saetap_status checkpoint_process_session(std::string& why) noexcept;
[[nodiscard]] saetap_status stop_process_session(std::string& why) noexcept;

}  // namespace saetap
