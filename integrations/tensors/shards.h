// Files of activations with the files of tokens they were made of, as a user names them.
#pragma once

#include <string>
#include <vector>

#include "integrations/tensors/activation_files.h"
#include "integrations/tensors/token_file.h"

namespace saetap::tensors {

struct ShardRequest {
  std::vector<std::string> activations;
  std::vector<std::string> tokens;  // one for each file of activations, or one for all
  std::vector<std::string> masks;   // one for each of tokens; none: all tokens are attended to
  TokenReading reading;
  bool in_given_order = false;  // activations follow the tokens as they are given, whatever they are called
};

// A file of tokens with the files that hold its rows.
struct Shard {
  TokenFile tokens;
  ActivationFiles activations;
};

// Looks at all of them: rows have one width, and each file of tokens as many rows as tokens that have one. Throws
// cli::Failure, one line that names the file.
[[nodiscard]] std::vector<Shard> open_shards(const ShardRequest& request);

// A shell lists shard10 before shard2, and nothing in the rows would show that they lie beside the wrong tokens. Throws
// cli::Failure.
void check_order(const ShardRequest& request);

// What is read must not be replaced by what is written. Throws cli::Failure.
void check_output(const ShardRequest& request, const std::string& output);

}  // namespace saetap::tensors
