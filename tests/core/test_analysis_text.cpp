// Excerpts, figures and escapes; expected values worked out by hand.
#include <doctest/doctest.h>

#include "integrations/analysis/activating_tokens.h"
#include "integrations/analysis/excerpt.h"
#include "integrations/analysis/visible_text.h"
#include "integrations/cli/shell_quote.h"
#include "integrations/report/markdown_text.h"
#include "plugin/number_text.h"
#include "tests/core/tokenizer_file.h"

using saetap::Context;

namespace {

// Each id is a word; odd ones continue the word before them.
class Words : public saetap::Tokenizer {
 public:
  [[nodiscard]] std::vector<std::string> pieces(std::span<const std::int32_t> tokens) const override {
    std::vector<std::string> texts;
    for (const std::int32_t id : tokens) {
      const bool continues = id % 2 == 1;
      std::string text = texts.empty() ? (continues ? "##w" : "w") : (continues ? "w" : " w");
      texts.push_back(text.append(std::to_string(id)));
    }
    return texts;
  }
  [[nodiscard]] const std::vector<std::int32_t>& special_ids() const override { return none_; }
  [[nodiscard]] const std::vector<std::int32_t>& boundary_ids() const override { return none_; }

 private:
  std::vector<std::int32_t> none_;
};

Context context(std::vector<std::int32_t> tokens, std::size_t activating, bool at_start, bool at_end) {
  return {.tokens = std::move(tokens), .activating = activating, .at_start = at_start, .at_end = at_end};
}

}  // namespace

TEST_CASE("an excerpt marks the activating token and shows where the text goes on") {
  const Words words;
  const auto text = [&](const Context& around, std::uint32_t before) {
    return saetap::marked(saetap::excerpt_of(around, before, 99, &words));
  };
  CHECK(text(context({2, 4, 6}, 1, true, true), 5) == "w2 «w4» w6");
  CHECK(text(context({2, 4, 6}, 1, false, false), 5) == "…w2 «w4» w6…");
  CHECK(text(context({2, 3, 4}, 1, true, true), 5) == "w2«w3» w4");  // the end of a word
  CHECK(text(context({2}, 0, true, true), 5) == "«w2»");
  CHECK(text(context({2, 4}, 0, false, true), 0) == "…«w2» w4");
}

TEST_CASE("a token before the excerpt is not shown, but the first that is decodes as it stands there") {
  const Words words;
  const saetap::Excerpt excerpt = saetap::excerpt_of(context({2, 3, 4, 6}, 2, true, true), 1, 99, &words);
  CHECK(saetap::marked(excerpt) == "…w3 «w4» w6");  // not "##w3"
  CHECK(excerpt.ids == std::vector<std::int32_t>{3, 4, 6});
  CHECK(excerpt.activating == 1);
  CHECK_FALSE(excerpt.from_start);
}

TEST_CASE("a token after the excerpt is not shown") {
  const Words words;
  const saetap::Excerpt excerpt = saetap::excerpt_of(context({2, 4, 6, 8}, 1, true, true), 5, 1, &words);
  CHECK(saetap::marked(excerpt) == "w2 «w4» w6…");
  CHECK(excerpt.ids == std::vector<std::int32_t>{2, 4, 6});
  CHECK_FALSE(excerpt.to_end);
}

TEST_CASE("text in bytes is shown whatever the cut leaves of its characters") {
  // Thai in Llama's way, a token a byte: ก is E0 B8 81, ข is E0 B8 82.
  const saetap::TokenizerFile file(R"({"decoder": {"type": "Sequence", "decoders": [
    {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
    {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}, "model": {"vocab":
    {"<0xE0>": 0, "<0xB8>": 1, "<0x81>": 2, "<0x82>": 3, "▁a": 4}}})");
  const auto tokenizer = file.load();
  const std::vector<std::int32_t> thai{0, 1, 2, 0, 1, 3, 0, 1, 2};  // กขก
  const auto text = [&](std::vector<std::int32_t> ids, std::size_t activating, std::uint32_t before,
                        std::uint32_t after) {
    return saetap::marked(
        saetap::excerpt_of(context(std::move(ids), activating, false, false), before, after, tokenizer.get()));
  };
  CHECK(text(thai, 8, 9, 9) == "…กข«ก»…");
  CHECK(text({1, 2, 0, 1, 3, 0, 1, 2, 0, 1}, 7, 9, 9) == "…ข«ก»…");  // cut within the first and the last character
  // Any byte of a character activates: the mark is at the token that completes it, however little is shown.
  for (std::size_t activating : {3, 4, 5}) {
    CHECK(text(thai, activating, 9, 9) == "…ก«ข»ก…");
    CHECK(text(thai, activating, 0, 0) == "…«ข»…");
  }
  CHECK(text({4, 0}, 1, 9, 9) == "…a«\uFFFD»…");  // never completed
}

TEST_CASE("the mark of a token that ends within a character reaches to where it ends") {
  const saetap::TokenizerFile file(R"({"decoder": {"type": "ByteLevel"}, "model": {"vocab":
    {"a": 0, "Ġæĸ": 1, "ĩ": 2, "b": 3}}})");
  const auto tokenizer = file.load();
  const auto text = [&](std::size_t activating) {
    return saetap::marked(saetap::excerpt_of(context({0, 1, 2, 3}, activating, true, true), 9, 9, tokenizer.get()));
  };
  CHECK(text(1) == "a «文»b");
  CHECK(text(2) == "a «文»b");
  CHECK(text(3) == "a 文«b»");
}

TEST_CASE("a token in a list is never shown as nothing") {
  const saetap::TokenizerFile file(R"({"decoder": {"type": "Sequence", "decoders": [
    {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
    {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}, "model": {"vocab": {"▁": 7, "▁a": 8, "<0xE0>": 9}}})");
  const auto tokenizer = file.load();
  CHECK(saetap::token_text(7, tokenizer.get()) == "[id 7]");
  CHECK(saetap::token_text(8, tokenizer.get()) == "a");
  CHECK(saetap::token_text(9, tokenizer.get()) == "\uFFFD");
  CHECK(saetap::token_text(7, nullptr) == "7");
}

TEST_CASE("without a tokenizer ids are shown, without tokens that is said") {
  CHECK(saetap::marked(saetap::excerpt_of(context({12, 7, 30}, 1, false, true), 5, 5, nullptr)) == "…12 «7» 30");
  CHECK(saetap::marked(saetap::excerpt_of(Context{}, 5, 5, nullptr)) == "(token not known)");
}

TEST_CASE("an excerpt that is too wide is cut on both sides of the mark") {
  saetap::Excerpt excerpt;
  excerpt.known = excerpt.from_start = excerpt.to_end = true;
  excerpt.before = "one two three ";
  excerpt.token = "four";
  excerpt.after = " five six seven";
  CHECK(saetap::marked(excerpt, 40) == "one two three «four» five six seven");
  CHECK(saetap::marked(excerpt, 35) == "one two three «four» five six seven");
  CHECK(saetap::marked(excerpt, 20) == "…three «four» five…");      // 12 columns left: 6 and 6
  CHECK(saetap::marked(excerpt, 24) == "…three «four» five six…");  // not "…wo three": words stay whole
  CHECK(saetap::marked(excerpt, 3) == "…«four»…");                  // the token is never cut
  excerpt.before = "a ";
  CHECK(saetap::marked(excerpt, 20) == "a «four» five six…");  // what one side leaves, the other takes
}

TEST_CASE("text is made safe for a terminal") {
  CHECK(saetap::visible("plain, müde 文") == "plain, müde 文");
  CHECK(saetap::visible("a\nb\tc\r") == "a↵b⇥c\\x0D");
  CHECK(saetap::visible("\x1b[31mred") == "\\x1B[31mred");
  CHECK(saetap::visible(std::string("\0x", 2)) == "\\x00x");
  CHECK(saetap::visible("\u202Eabc\u200B") == "\\u{202E}abc\\u{200B}");
  CHECK(saetap::visible("\u009B") == "\\x9B");  // C1: some terminals take it for ESC [
  CHECK(saetap::visible("a\xff"
                        "b\xe6\x96") ==
        "a\uFFFD"
        "b\uFFFD\uFFFD");
  CHECK(saetap::visible("\xc0\xaf\xed\xa0\x80") == "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD");  // overlong, surrogate
}

TEST_CASE("width counts columns, not bytes") {
  CHECK(saetap::display_width("abc") == 3);
  CHECK(saetap::display_width("müde…") == 5);
  CHECK(saetap::display_width("文字") == 4);
  CHECK(saetap::display_width("e\u0301") == 1);
  CHECK(saetap::leading_columns("文字", 3) == "文");
  CHECK(saetap::trailing_columns("文字a", 3) == "字a");
  CHECK(saetap::trailing_columns("ab", 5) == "ab");
  CHECK(saetap::leading_columns("ab", 0).empty());
}

TEST_CASE("figures keep the digits that matter and never round to all or nothing") {
  CHECK(saetap::count_text(7) == "7");
  CHECK(saetap::count_text(1234567) == "1,234,567");
  CHECK(saetap::count_text(123456) == "123,456");
  CHECK(saetap::percent_text(0) == "0 %");
  CHECK(saetap::percent_text(1) == "100 %");
  // As a mean of shares may come out: one step of a double from 1.
  CHECK(saetap::percent_text(0.9999999999999999) == "100 %");
  CHECK(saetap::percent_text(1.0000000000000002) == "100 %");
  CHECK(saetap::percent_text(0.3124) == "31.2 %");
  CHECK(saetap::percent_text(0.00412) == "0.41 %");
  CHECK(saetap::percent_text(0.000031) == "0.0031 %");
  CHECK(saetap::percent_text(0.9998) == "99.98 %");
  CHECK(saetap::percent_text(0.99999) == "> 99.99 %");
  CHECK(saetap::percent_text(1e-9) == "< 0.0001 %");
  CHECK(saetap::activation_text(7.919) == "7.92");
  CHECK(saetap::activation_text(0.1) == "0.10");
  CHECK(saetap::activation_text(0.00314) == "0.0031");
  CHECK(saetap::activation_text(12345.6) == "12346");
  CHECK(saetap::activation_text(0) == "0");
  CHECK(saetap::size_text(999) == "999 bytes");
  CHECK(saetap::size_text(4123456) == "4.1 MB");
}

TEST_CASE("Markdown shows escaped text as it is") {
  CHECK(saetap::markdown_escaped("a*b_c|d<e>`f`#[g]") == "a\\*b\\_c\\|d\\<e>\\`f\\`#\\[g\\]");
  CHECK(saetap::markdown_escaped("R&D \\ $x$ ~y~") == "R&amp;D \\\\ \\$x\\$ \\~y\\~");
  CHECK(saetap::markdown_bold("Nod", 'a', 'b') == "**Nod**");
  CHECK(saetap::markdown_bold(".", 'd', ' ') == "<b>.</b>");  // asterisks beside a full stop are not bold
  CHECK(saetap::markdown_bold("[PAD]", ' ', '\n') == "**\\[PAD\\]**");
  CHECK(saetap::markdown_bold("[PAD]", ' ', 's') == "<b>\\[PAD\\]</b>");
  CHECK(saetap::markdown_bold(" a", ' ', ' ') == "<b> a</b>");
}

TEST_CASE("a quoted command reads back as the same words") {
  const std::vector<std::string> words{"sh", "-c", "echo it's", "", "a=b/c.pt"};
  CHECK(saetap::cli::shell_quoted(words) == "sh -c 'echo it'\\''s' '' a=b/c.pt");
}
