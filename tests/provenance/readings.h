// The ways in which rows get from a model to an SAE, and how many of them found their token.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/provenance/changes.h"
#include "tests/provenance/corpus.h"

namespace saetap::testing {

struct Tally {
  std::int64_t text = 0;        // rows that count
  std::int64_t right = 0;       // of these: the right place in the right text
  std::int64_t wrong = 0;       // another place, or left out
  std::int64_t ambiguous = 0;   // said to be ambiguous (any row)
  std::int64_t unresolved = 0;  // said to be unknown, ambiguous ones included
  std::int64_t framing = 0;     // rows that do not count
  std::int64_t left_out = 0;    // of these: left out
  std::int64_t claimed = 0;     // of these: given a token, as if they counted
  std::string source;           // what was said of where the tokens come from

  void add(const Tally& other);
};

struct Reading {
  std::string name;
  bool in_order = false;  // rows come in the order of the model's call
  Tally (*run)(const Corpus& corpus, const Change& change);
};

[[nodiscard]] const std::vector<Reading>& readings();

}  // namespace saetap::testing
