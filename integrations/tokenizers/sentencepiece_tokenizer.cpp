// After SentencePieceProcessor::Decode in google/sentencepiece, but that control pieces ("<s>") stay visible: what is
// left without them is what it decodes.
#include <utility>

#include "integrations/tokenizers/boundary_names.h"
#include "integrations/tokenizers/sentencepiece_model.h"
#include "integrations/tokenizers/texts_or_ids.h"
#include "integrations/tokenizers/tokenizer_formats.h"
#include "integrations/tokenizers/utf8.h"

namespace saetap {
namespace {

constexpr std::string_view kSpace = "\xE2\x96\x81";  // "▁", U+2581

char byte_of(const std::string& name) {
  return static_cast<char>(std::stoi(name.substr(3, 2), nullptr, 16));
}

// Bytes that follow each other. Unlike elsewhere each byte that belongs to no whole character is a U+FFFD of its own.
class ByteRun {
 public:
  void add(char byte, std::size_t token) {
    if (bytes_.empty()) first_ = token;
    bytes_ += byte;
  }

  // Writes each character to the token that completes it, and begins anew.
  void end(std::vector<std::string>& pieces) {
    for (std::size_t at = 0; at < bytes_.size();) {
      const Utf8Start start = utf8_start(std::string_view(bytes_).substr(at));
      const std::size_t length = start.valid ? start.bytes : 1;
      pieces[first_ + at + length - 1] =
          start.valid ? std::string_view(bytes_).substr(at, length) : kReplacementCharacter;
      at += length;
    }
    bytes_.clear();
  }

  [[nodiscard]] bool empty() const { return bytes_.empty(); }

 private:
  std::string bytes_;
  std::size_t first_ = 0;
};

class SentencePieceTokenizer : public Tokenizer {
 public:
  explicit SentencePieceTokenizer(SentencePieceModel model) : model_(std::move(model)) {
    for (std::size_t i = 0; i < model_.pieces.size(); ++i) {
      const SentencePiece& piece = model_.pieces[i];
      const auto id = static_cast<std::int32_t>(i);
      const bool control = piece.type == PieceType::control;
      if (control || piece.type == PieceType::unknown) special_ids_.push_back(id);
      const bool placed = id == model_.bos_id || id == model_.eos_id || id == model_.pad_id;
      if (control && (placed || is_boundary_name(piece.text))) boundary_ids_.push_back(id);
    }
  }

  [[nodiscard]] std::vector<std::string> pieces(std::span<const std::int32_t> tokens) const override {
    return texts_or_ids(tokens, [&] { return texts_of(tokens); });
  }

  [[nodiscard]] const std::vector<std::int32_t>& special_ids() const override { return special_ids_; }
  [[nodiscard]] const std::vector<std::int32_t>& boundary_ids() const override { return boundary_ids_; }

 private:
  [[nodiscard]] std::vector<std::string> texts_of(std::span<const std::int32_t> tokens) const {
    std::vector<std::string> texts(tokens.size());
    ByteRun bytes;
    bool at_start = true;  // no text yet, so a leading space is the one that encoding put there
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const SentencePiece* piece = piece_of(tokens[i]);
      if (piece && piece->type == PieceType::byte) {
        bytes.add(byte_of(piece->text), i);
        continue;
      }
      if (!bytes.empty()) at_start = false;
      bytes.end(texts);
      texts[i] = piece ? text_of(*piece, at_start) : unknown_id_text(tokens[i]);
      if (!piece) at_start = false;
    }
    bytes.end(texts);
    return texts;
  }

  [[nodiscard]] const SentencePiece* piece_of(std::int32_t id) const {
    const bool known = id >= 0 && static_cast<std::size_t>(id) < model_.pieces.size();
    return known ? &model_.pieces[static_cast<std::size_t>(id)] : nullptr;
  }

  // `at_start` ends with the first text, and with the first space unless any number of them is dropped.
  [[nodiscard]] std::string text_of(const SentencePiece& piece, bool& at_start) const {
    if (piece.type == PieceType::control) return piece.text;
    if (piece.type == PieceType::unknown) {
      if (!model_.unknown_surface.empty()) at_start = false;
      return model_.unknown_surface;
    }
    std::string_view text = piece.text;
    bool dropped = false;
    if (at_start && (model_.add_dummy_prefix || model_.remove_extra_whitespaces) && text.starts_with(kSpace)) {
      text.remove_prefix(kSpace.size());
      dropped = !model_.remove_extra_whitespaces;
    }
    if (dropped || !text.empty()) at_start = false;
    OwnedText spaced(text, 0);
    spaced.replace_all(kSpace, " ");
    return spaced.text();
  }

  SentencePieceModel model_;
  std::vector<std::int32_t> special_ids_, boundary_ids_;
};

}  // namespace

std::unique_ptr<Tokenizer> tokenizer_from_sentencepiece(std::string_view bytes) {
  return std::make_unique<SentencePieceTokenizer>(read_sentencepiece_model(bytes));
}

}  // namespace saetap
