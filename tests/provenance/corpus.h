// Real text in the layouts that models are given, and what each token of it is, known from how it was laid out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hooks/libtorch.h"
#include "plugin/trace/token_position.h"

namespace saetap::testing {

// One token of a layout as a reader should learn of it.
struct Truth {
  TokenPosition place;
  bool counts = false;  // text; the others are left out
};

// What says which tokens are padding.
enum class MaskKind {
  none,      // nothing but the tokens' ids
  numbers,   // [batch, length] int64: 1 for text, 0 for padding
  booleans,  // [batch, length]: true for text
  padding,   // [batch, length]: true for padding, as PyTorch's key_padding_mask
  added,     // [batch, 1, 1, length] float32: 0 for text, -1e9 for padding, added to the attention's scores
};
[[nodiscard]] std::string name_of(MaskKind kind);

struct Corpus {
  std::string layout;
  std::string description;
  at::Tensor tokens;  // [sequences, length] int64
  at::Tensor text;    // the same, boolean: false for padding
  MaskKind mask_kind = MaskKind::none;
  at::Tensor mask;           // of that kind; undefined where there is none
  std::vector<Truth> truth;  // [sequences · length]
  at::Tensor rows;           // [sequences · length, d]: what the model returned
};

void give_mask(Corpus& corpus, MaskKind kind);

inline constexpr std::int64_t kLength = 128;

// BERT's ids.
inline constexpr std::int32_t kPad = 0, kUnknown = 100, kCls = 101, kSep = 102, kMask = 103;
// A word like any other: "."
inline constexpr std::int32_t kFullStop = 1012;

// `text`: the demo's tokens. Four layouts of `sequences` rows: full, padded at the right and at the left (each with a
// mask), several documents packed into a row.
[[nodiscard]] std::vector<Corpus> layouts_of(const std::vector<std::int32_t>& text, std::int64_t sequences);
// Full rows only.
[[nodiscard]] Corpus full_rows(const std::vector<std::int32_t>& text, std::int64_t sequences);
// Padded on one side with tokens `pad`.
[[nodiscard]] Corpus padded_rows(const std::vector<std::int32_t>& text, std::int64_t sequences, bool left,
                                 std::int32_t pad);

// Runs the model in calls of 16 sequences and keeps its first output.
void run_model(torch::jit::Module& model, Corpus& corpus);

}  // namespace saetap::testing
