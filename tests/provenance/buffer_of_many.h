// One large shuffled buffer: how many rows find their token, what a row costs in time and memory, and what a training
// step takes beside it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hooks/libtorch.h"

namespace saetap::testing {

// The section of the page, as Markdown. `rows`: in the buffer; a tenth more are made and not recorded, so that what is
// not in the buffer is asked for, too. Sets `failed` where the limits of the design are missed.
[[nodiscard]] std::string buffer_of_many(torch::jit::Module& model, const std::vector<std::int32_t>& text,
                                         std::int64_t rows, bool& failed);

}  // namespace saetap::testing
