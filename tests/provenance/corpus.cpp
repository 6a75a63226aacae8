#include "tests/provenance/corpus.h"

#include <algorithm>
#include <functional>
#include <random>

namespace saetap::testing {

namespace {

bool special(std::int32_t id) {
  return id == kPad || id == kUnknown || (id >= kCls && id <= kMask);
}

// Hands out the next tokens of the text, without those that only frame it.
class Text {
 public:
  explicit Text(const std::vector<std::int32_t>& ids) {
    for (const auto id : ids) {
      if (id == kUnknown || !special(id)) ids_.push_back(id);
    }
  }
  std::vector<std::int32_t> next(std::size_t length) {
    if (at_ + length > ids_.size()) at_ = 0;
    std::vector<std::int32_t> piece(ids_.begin() + static_cast<std::ptrdiff_t>(at_),
                                    ids_.begin() + static_cast<std::ptrdiff_t>(at_ + length));
    at_ += length;
    return piece;
  }

 private:
  std::vector<std::int32_t> ids_;
  std::size_t at_ = 0;
};

class Row {
 public:
  void frame(std::int32_t id) { add(id, {}, true); }
  void pad(std::int32_t id) { add(id, {}, false); }
  // Unknown words are part of the text, and do not count.
  void document(const std::vector<std::int32_t>& words) {
    std::size_t first = 0, end = words.size();
    while (first < end && words[first] == kUnknown) ++first;
    while (end > first && words[end - 1] == kUnknown) --end;
    const auto id = sequence_id(std::span(words).subspan(first, end - first));
    for (std::size_t i = 0; i < words.size(); ++i) {
      add(words[i], {{id, static_cast<std::uint32_t>(i - first)}, words[i] != kUnknown}, true);
    }
  }
  std::vector<std::int32_t> ids;
  std::vector<Truth> truth;
  std::vector<std::uint8_t> text;

 private:
  void add(std::int32_t id, const Truth& known, bool is_text) {
    ids.push_back(id);
    truth.push_back(known);
    text.push_back(is_text ? 1 : 0);
  }
};

Corpus lay_out(std::string layout, std::string description, std::int64_t sequences, const std::function<Row()>& next) {
  Corpus corpus;
  corpus.layout = std::move(layout);
  corpus.description = std::move(description);
  std::vector<std::int64_t> ids;
  std::vector<std::uint8_t> text;
  for (std::int64_t i = 0; i < sequences; ++i) {
    const auto row = next();
    ids.insert(ids.end(), row.ids.begin(), row.ids.end());
    text.insert(text.end(), row.text.begin(), row.text.end());
    corpus.truth.insert(corpus.truth.end(), row.truth.begin(), row.truth.end());
  }
  corpus.tokens = at::tensor(ids, at::kLong).view({sequences, kLength});
  corpus.text = at::tensor(text, at::kByte).to(at::kBool).view({sequences, kLength});
  return corpus;
}

class Lengths {
 public:
  std::size_t operator()(int least, int most) {
    return static_cast<std::size_t>(std::uniform_int_distribution<int>(least, most)(random_));
  }

 private:
  std::mt19937 random_{7};
};

Corpus packed_rows(const std::vector<std::int32_t>& ids, std::int64_t sequences) {
  Text text(ids);
  Lengths length;
  return lay_out("Packed documents",
                 "Documents of 10 to 60 tokens one after the other, each framed by [CLS] and [SEP].", sequences, [&] {
                   Row row;
                   while (row.ids.size() < kLength) {
                     const auto left = kLength - row.ids.size();
                     row.frame(kCls);
                     if (left < 2) continue;
                     row.document(text.next(std::min(left - 2, length(10, 60))));
                     row.frame(kSep);
                   }
                   return row;
                 });
}

}  // namespace

std::string name_of(MaskKind kind) {
  switch (kind) {
    case MaskKind::none:
      return "none";
    case MaskKind::numbers:
      return "int64, 1 for text";
    case MaskKind::booleans:
      return "boolean, true for text";
    case MaskKind::padding:
      return "boolean, true for padding (`key_padding_mask`)";
    case MaskKind::added:
      return "float [batch, 1, 1, length], 0 and -1e9, added to scores";
  }
  return "";
}

void give_mask(Corpus& corpus, MaskKind kind) {
  corpus.mask_kind = kind;
  corpus.mask = at::Tensor();
  if (kind == MaskKind::numbers) corpus.mask = corpus.text.to(at::kLong);
  if (kind == MaskKind::booleans) corpus.mask = corpus.text;
  if (kind == MaskKind::padding) corpus.mask = corpus.text.logical_not();
  if (kind == MaskKind::added)
    corpus.mask = (-1e9 * corpus.text.logical_not().to(at::kFloat)).unsqueeze(1).unsqueeze(1);
}

Corpus full_rows(const std::vector<std::int32_t>& ids, std::int64_t sequences) {
  Text text(ids);
  return lay_out("Full rows", "[CLS], 126 tokens of text, [SEP].", sequences, [&] {
    Row row;
    row.frame(kCls);
    row.document(text.next(kLength - 2));
    row.frame(kSep);
    return row;
  });
}

Corpus padded_rows(const std::vector<std::int32_t>& ids, std::int64_t sequences, bool left, std::int32_t pad) {
  Text text(ids);
  Lengths length;
  return lay_out(
      left ? "Padded left" : "Padded right",
      "[CLS], 30 to 126 tokens of text, [SEP], and padding " + std::string(left ? "before" : "after") + " it.",
      sequences, [&] {
        Row row;
        const auto words = length(30, kLength - 2);
        const auto fill = [&] {
          for (auto i = words + 2; i < kLength; ++i) row.pad(pad);
        };
        if (left) fill();
        row.frame(kCls);
        row.document(text.next(words));
        row.frame(kSep);
        if (!left) fill();
        return row;
      });
}

std::vector<Corpus> layouts_of(const std::vector<std::int32_t>& text, std::int64_t sequences) {
  std::vector<Corpus> corpora{full_rows(text, sequences), padded_rows(text, sequences, false, kPad),
                              padded_rows(text, sequences, true, kPad), packed_rows(text, sequences)};
  give_mask(corpora[1], MaskKind::numbers);
  give_mask(corpora[2], MaskKind::booleans);
  return corpora;
}

void run_model(torch::jit::Module& model, Corpus& corpus) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> parts;
  for (const auto& tokens : corpus.tokens.split(16)) {
    const auto returned = model.forward({tokens}).toTuple()->elements()[0].toTensor();
    parts.push_back(returned.reshape({-1, returned.size(-1)}));
  }
  corpus.rows = at::cat(parts);
}

}  // namespace saetap::testing
