// Any bytes as a tokenizer of the format that the name SAETAP_FUZZED_NAME stands for; one that loads decodes.
#include <array>
#include <cstdint>
#include <cstdlib>

#include "integrations/tokenizers/tokenizer.h"
#include "tests/fuzz/fuzzed_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  constexpr std::array<std::int32_t, 16> kIds{0, 1, 2, 3, 4, 5, 6, 7, 4, 4, 5, -1, 2'147'483'647, 0, 1, 2};
  const std::string path = saetap::testing::fuzzed_file(SAETAP_FUZZED_NAME, bytes, size);
  try {
    const auto tokenizer = saetap::load_tokenizer(path);
    std::string joined;
    for (const std::string& piece : tokenizer->pieces(kIds)) joined += piece;
    if (joined != tokenizer->decode(kIds)) std::abort();
    if (tokenizer->excerpt_pieces(kIds).size() != kIds.size()) std::abort();
    for (const std::int32_t id : tokenizer->special_ids()) (void)tokenizer->decode({&id, 1});
  } catch (const saetap::TokenizerError&) {
  }
  return 0;
}
