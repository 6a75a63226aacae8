#include "integrations/tokenizers/boundary_names.h"

#include <algorithm>
#include <array>

namespace saetap {

bool is_boundary_name(std::string_view name) {
  // From published tokenizers. Not here: ends of turns (<|im_end|>, <|eot_id|>), which stand inside a conversation.
  static constexpr std::array<std::string_view, 33> kNames{
      "<s>",
      "</s>",
      "<pad>",
      "<bos>",
      "<eos>",
      "<cls>",
      "<sep>",  // SentencePiece and its heirs
      "[CLS]",
      "[SEP]",
      "[PAD]",
      "[BOS]",
      "[EOS]",
      "[eos]",
      "[EOD]",  // BERT
      "<|endoftext|>",
      "<|startoftext|>",
      "<|pad|>",
      "<|padding|>",
      "<|bos|>",  // GPT-2
      "<|eos|>",
      "<|begin_of_text|>",
      "<|end_of_text|>",
      "<|finetune_right_pad_id|>",  // Llama 3
      "<EOT>",
      "<SOS>",
      "<EOS>",
      "<BOS>",
      "<PAD>",
      "<BOS_TOKEN>",
      "<EOS_TOKEN>",  // others
      "<｜begin▁of▁sentence｜>",
      "<｜end▁of▁sentence｜>",
      "<｜▁pad▁｜>",  // DeepSeek
  };
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

}  // namespace saetap
