#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace saetap {

// RFC 4648, standard alphabet, padded. Nothing for what is not that.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

}  // namespace saetap
