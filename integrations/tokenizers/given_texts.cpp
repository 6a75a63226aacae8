#include <algorithm>
#include <utility>

#include "integrations/tokenizers/texts_or_ids.h"
#include "integrations/tokenizers/tokenizer.h"

namespace saetap {
namespace {

class GivenTexts : public Tokenizer {
 public:
  GivenTexts(IdTable texts, std::shared_ptr<const Tokenizer> rest) : texts_(std::move(texts)), rest_(std::move(rest)) {
    texts_.sort_and_check();
  }

  [[nodiscard]] std::vector<std::string> pieces(std::span<const std::int32_t> tokens) const override {
    return joined(tokens, lacking(tokens) ? rest_->pieces(tokens) : std::vector<std::string>());
  }
  [[nodiscard]] std::vector<std::string> excerpt_pieces(std::span<const std::int32_t> tokens) const override {
    return joined(tokens, lacking(tokens) ? rest_->excerpt_pieces(tokens) : std::vector<std::string>());
  }
  // Which tokens are special a program does not say with their texts.
  [[nodiscard]] const std::vector<std::int32_t>& special_ids() const override {
    return rest_ ? rest_->special_ids() : none_;
  }
  [[nodiscard]] const std::vector<std::int32_t>& boundary_ids() const override {
    return rest_ ? rest_->boundary_ids() : none_;
  }

 private:
  [[nodiscard]] bool lacking(std::span<const std::int32_t> tokens) const {
    return rest_ && std::ranges::any_of(tokens, [&](std::int32_t id) { return texts_.entry(id) == nullptr; });
  }

  // Characters may be of several tokens whose bytes were given, so all is joined before it is judged.
  [[nodiscard]] std::vector<std::string> joined(std::span<const std::int32_t> tokens,
                                                const std::vector<std::string>& others) const {
    return texts_or_ids(tokens, [&] {
      OwnedText bytes(0);
      for (std::uint32_t i = 0; i < tokens.size(); ++i) {
        const std::string* given = texts_.entry(tokens[i]);
        bytes.append(given ? *given : others.empty() ? unknown_id_text(tokens[i]) : others[i], i);
      }
      const OwnedText text = utf8_lossy(bytes);
      return pieces_of({&text, 1}, tokens.size());
    });
  }

  IdTable texts_;
  std::shared_ptr<const Tokenizer> rest_;
  std::vector<std::int32_t> none_;
};

}  // namespace

std::unique_ptr<Tokenizer> tokenizer_of_texts(const std::vector<std::pair<std::int32_t, std::string>>& texts,
                                              std::shared_ptr<const Tokenizer> rest) {
  IdTable table;
  for (const auto& [id, text] : texts) table.add(id, text);
  return std::make_unique<GivenTexts>(std::move(table), std::move(rest));
}

}  // namespace saetap
