#include "integrations/collect/collect_request.h"

#include <charconv>
#include <string_view>
#include <vector>

#include "integrations/cli/failure.h"
#include "integrations/cli/shell_quote.h"

namespace saetap::collect {

namespace {

template <typename Number>
Number number(std::string_view text) {
  Number value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// Each file stands behind a key of its own, so that it may have any name.
bool read_shard_word(std::string_view key, const std::string& value, tensors::ShardRequest& shards) {
  if (key == "--activations") {
    shards.activations.push_back(value);
  } else if (key == "--tokens") {
    shards.tokens.push_back(value);
  } else if (key == "--mask") {
    shards.masks.push_back(value);
  } else if (key == "--omit-ids") {
    shards.reading.omitted_ids.push_back(number<std::int64_t>(value));
  } else if (key == "--omit-masked") {
    shards.reading.omit_masked = true;
  } else if (key == "--in-given-order") {
    shards.in_given_order = true;
  } else if (key == "--length") {
    shards.reading.length = number<std::int64_t>(value);
  } else {
    return false;
  }
  return true;
}

void read_word(std::string_view key, const std::string& value, CollectRequest& request) {
  if (read_shard_word(key, value, request.shards)) return;
  if (key == "--sae") request.sae = value;
  if (key == "--method") request.method = value;
  if (key == "--lm") request.lm = value;
  if (key == "--lm-output") request.lm_output = number<std::int64_t>(value);
  if (key == "--batch") request.batch = number<std::int64_t>(value);
  if (key == "--sequences") request.sequences = number<std::int64_t>(value);
  if (key == "--device") request.device = value;
  if (key == "--output") request.output = value;
  if (key == "--resume") request.resume = true;
  if (key == "--config") request.config = value;
  if (key == "-k") request.max_samples_per_feature = number<std::int64_t>(value);
  if (key == "--context") request.sample_context_size = number<std::int64_t>(value);
  if (key == "--threshold") request.sample_activation_threshold = number<double>(value);
  if (key == "--tokenizer") request.tokenizer = value;
}

}  // namespace

CollectRequest request_of(int argc, char** argv) {
  CollectRequest request;
  std::vector<std::string> words{"saetap", "collect"};
  for (int i = 1; i < argc; ++i) {
    const std::string_view word(argv[i]);
    const auto equals = word.find('=');
    const auto key = word.substr(0, equals);
    read_word(key, std::string(equals == std::string_view::npos ? "" : word.substr(equals + 1)), request);
    if (key != "--resume") words.emplace_back(word);
  }
  request.command = cli::shell_quoted(words);
  const bool has_rows = !request.shards.activations.empty() || (!request.lm.empty() && !request.shards.tokens.empty());
  if (request.sae.empty() || request.output.empty() || !has_rows) {
    throw cli::Failure(cli::Status::bad_input, "this is a part of saetap: use saetap collect (--help)");
  }
  return request;
}

}  // namespace saetap::collect
