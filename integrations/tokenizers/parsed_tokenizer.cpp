#include "integrations/tokenizers/parsed_tokenizer.h"

#include <string>
#include <utility>
#include <vector>

#include "integrations/tokenizers/tokenizer.h"

namespace saetap {
namespace {

using Json = nlohmann::json;

// Gets the parser's events and makes values of them, but for those of model.vocab and model.merges.
class Reader : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return take(nullptr); }
  bool boolean(bool value) override { return take(value); }
  bool number_integer(number_integer_t value) override { return take(value); }
  bool number_unsigned(number_unsigned_t value) override {
    if (!in_vocab_) return take(value);
    parsed.vocab.add(id_from(value), std::move(text_));
    return true;
  }
  bool number_float(number_float_t value, const string_t& /*text*/) override { return take(value); }
  bool string(string_t& value) override { return take(std::move(value)); }
  bool binary(binary_t& value) override { return take(std::move(value)); }

  bool start_object(std::size_t /*size*/) override {
    const bool vocab = in_model() && open_.back().key == "vocab";
    if (!begin(Json::object())) return true;
    in_vocab_ = vocab;
    return true;
  }
  bool key(string_t& name) override {
    if (in_vocab_) {
      text_ = std::move(name);
    } else if (skipped_ == 0) {
      open_.back().key = std::move(name);
    }
    return true;
  }
  bool end_object() override { return end(); }
  bool start_array(std::size_t /*size*/) override {
    const bool merges = in_model() && open_.back().key == "merges";
    if (begin(Json::array()) && merges) skipped_ = 1;
    return true;
  }
  bool end_array() override { return end(); }
  bool parse_error(std::size_t /*at*/, const std::string& /*token*/,
                   const nlohmann::detail::exception& /*e*/) override {
    return false;
  }

  ParsedTokenizer parsed;

 private:
  // A list or an object that has begun and not ended.
  struct Open {
    Json* value;
    std::string key;  // of an object: of the value that comes next
  };

  [[nodiscard]] bool in_model() const {
    return skipped_ == 0 && !in_vocab_ && open_.size() == 2 && open_[0].key == "model" && open_[1].value->is_object();
  }

  template <typename Value>
  Json* place(Value&& value) {
    if (in_vocab_) static_cast<void>(id_from(Json(value)));  // says what is wrong
    if (open_.empty()) return &(parsed.json = std::forward<Value>(value));
    Json& into = *open_.back().value;
    if (into.is_object()) return &(into[open_.back().key] = std::forward<Value>(value));
    into.push_back(std::forward<Value>(value));
    return &into.back();
  }
  template <typename Value>
  bool take(Value&& value) {
    if (skipped_ == 0) place(std::forward<Value>(value));
    return true;
  }
  // False: it is within something that is left out.
  bool begin(Json value) {
    if (skipped_ > 0) {
      ++skipped_;
      return false;
    }
    open_.push_back({place(std::move(value)), ""});
    return true;
  }
  bool end() {
    if (skipped_ > 1) {
      --skipped_;
      return true;
    }
    skipped_ = 0;
    in_vocab_ = false;
    open_.pop_back();
    return true;
  }

  std::vector<Open> open_;
  bool in_vocab_ = false;
  std::size_t skipped_ = 0;  // lists and objects open within "merges", itself included
  std::string text_;         // of the vocabulary's next id
};

}  // namespace

ParsedTokenizer parse_tokenizer(std::string_view bytes) {
  Reader reader;
  if (!Json::sax_parse(bytes, &reader)) throw TokenizerError("not JSON");
  return std::move(reader.parsed);
}

}  // namespace saetap
