// Rows of tokens cut into documents, with answers worked out by hand.
#include <doctest/doctest.h>

#include <string>

#include "plugin/trace/documents.h"

using namespace saetap;

namespace {

// One character per token: a digit is its position in a text that counts, "x" one in a text that does not, "." no text.
std::string picture(const SplitRow& row) {
  std::string text;
  for (const auto& place : row.places) {
    if (place.document == TokenPlace::kNoDocument) {
      text += '.';
    } else {
      text += place.counts ? static_cast<char>('0' + place.position) : 'x';
    }
  }
  return text;
}

std::string split(std::vector<std::int32_t> tokens, TokenRules rules, std::vector<std::uint8_t> attended = {}) {
  rules.normalise();
  return picture(split_documents(tokens, attended, rules));
}

}  // namespace

TEST_CASE("padding on either side is no text") {
  const TokenRules rules{{0}, {}, 0};
  CHECK(split({0, 0, 5, 6, 7}, rules) == "..012");
  CHECK(split({5, 6, 7, 0, 0}, rules) == "012..");
  CHECK(split({0, 0, 0}, rules) == "...");
  CHECK(split({}, rules) == "");
}

TEST_CASE("the mask says it where padding is an ordinary token") {
  const TokenRules rules{{}, {}, 0};
  CHECK(split({2, 2, 5, 6, 2}, rules, {0, 0, 1, 1, 1}) == "..012");
  CHECK(split({5, 6, 2, 2}, rules, {1, 1, 0, 0}) == "01..");
  // A token that is masked inside stays part of the text, and does not count.
  CHECK(split({5, 6, 7, 8}, rules, {1, 0, 1, 1}) == "0x23");
}

TEST_CASE("a boundary in mid-text splits it, and positions begin anew") {
  const TokenRules rules{{0, 1, 2}, {1, 2}, 0};
  CHECK(split({1, 5, 6, 2, 1, 7, 8, 9, 2, 0}, rules) == ".01..012..");
  CHECK(split({5, 1, 6}, rules) == "0.0");
  // An ignored id that is no boundary (an unknown word) stays inside.
  CHECK(split({5, 0, 6}, rules) == "0x2");
  const auto row = split_documents(std::vector<std::int32_t>{5, 1, 6, 7}, {}, rules);
  REQUIRE(row.documents.size() == 2);
  CHECK(row.documents[1].first == 2);
  CHECK(row.documents[1].length == 2);
}

TEST_CASE("first positions do not count, in each document") {
  const TokenRules rules{{}, {1}, 2};
  CHECK(split({5, 6, 7, 1, 8, 9, 4}, rules) == "xx2.xx2");
}
