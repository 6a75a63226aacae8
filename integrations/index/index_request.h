// What `saetap index` was asked for.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace saetap::index {

struct IndexRequest {
  std::vector<std::string> activations;
  std::vector<std::string> tokens;
  std::vector<std::string> masks;         // none: all tokens are attended to
  std::vector<std::int64_t> omitted_ids;  // tokens of these ids have no row
  bool omit_masked = false;               // nor have those that the mask leaves out
  bool in_given_order = false;            // activations follow the tokens as they are given, whatever they are called
  std::int64_t length = 0;                // tokens in a row; 0: as the files have it
  std::string name;
  std::string output;
};

}  // namespace saetap::index
