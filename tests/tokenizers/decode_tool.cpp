// decode_tool TOKENIZER: reads lines of token ids, prints for each a JSON list of the tokens' texts.
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "integrations/tokenizers/tokenizer.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "decode_tool TOKENIZER\n";
    return 2;
  }
  const auto tokenizer = saetap::load_tokenizer(argv[1]);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::vector<std::int32_t> ids;
    for (std::int32_t id = 0; words >> id;) ids.push_back(id);
    const std::vector<std::string> pieces = tokenizer->pieces(ids);
    std::string joined;
    for (const std::string& piece : pieces) joined += piece;
    if (joined != tokenizer->decode(ids)) {
      std::cerr << "the pieces joined are not the decoded text: " << line << '\n';
      return 1;
    }
    std::cout << nlohmann::json(pieces).dump() << '\n';
  }
}
