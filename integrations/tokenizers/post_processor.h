#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <vector>

namespace saetap {

// The ids that a tokenizer.json's "post_processor" puts around every text: [CLS] and [SEP], or BOS and EOS. Types that
// put none are passed over. Throws TokenizerError: what should be an id is none.
[[nodiscard]] std::vector<std::int32_t> ids_put_around(const nlohmann::json& post_processor);

}  // namespace saetap
