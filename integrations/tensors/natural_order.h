#pragma once

#include <string_view>

namespace saetap::tensors {

// Whether `a` comes before `b` where numbers in names count as numbers: "shard2.pt" before "shard10.pt", "07" beside
// "7".
[[nodiscard]] bool naturally_before(std::string_view a, std::string_view b);

}  // namespace saetap::tensors
