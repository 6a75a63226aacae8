#include "plugin/session/token_rules.h"

#include "integrations/tokenizers/tokenizer.h"
#include "plugin/log.h"

namespace saetap {

namespace {

std::string listed(const std::vector<std::int32_t>& ids) {
  constexpr std::size_t kShown = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(ids.size(), kShown); ++i) text += (i == 0 ? "" : ", ") + std::to_string(ids[i]);
  return text + (ids.size() > kShown ? ", … (" + std::to_string(ids.size()) + " in all)" : "");
}

std::vector<std::int32_t> ignored_ids(const TokenOptions& tokens, const Tokenizer* tokenizer) {
  if (tokens.ignore_token_ids) return *tokens.ignore_token_ids;
  if (tokenizer == nullptr) return {};
  const auto& special = tokenizer->special_ids();
  if (special.empty()) {
    log(LogLevel::warning,
        "tokens    the tokenizer's file does not say which tokens are special, so that all count: name those that are "
        "in tokens.ignore_token_ids ([] if none is)");
  } else {
    log(LogLevel::info, "tokens    not counted: " + listed(special) + ", the tokenizer's special ones");
  }
  return special;
}

// Where nothing says which of the ignored ids end a document, a context ends at each.
std::vector<std::int32_t> boundary_ids(const TokenOptions& tokens, const Tokenizer* tokenizer,
                                       const std::vector<std::int32_t>& ignored) {
  if (tokens.document_boundary_ids) return *tokens.document_boundary_ids;
  const bool known = tokenizer != nullptr && !tokenizer->boundary_ids().empty();
  return known ? tokenizer->boundary_ids() : ignored;
}

}  // namespace

std::shared_ptr<const Tokenizer> configured_tokenizer(const Config& config) {
  if (config.tokenizer.empty()) return nullptr;
  try {
    return load_tokenizer(config.tokenizer);
  } catch (const TokenizerError& error) {
    log(LogLevel::warning, std::string(error.what()) +
                               "; token ids are written instead of text, and which tokens are special is not known: "
                               "name them in tokens.ignore_token_ids");
    return nullptr;
  }
}

TraceOptions trace_options(const Config& config, const Tokenizer* tokenizer) {
  const auto& tokens = config.tokens;
  TraceOptions options;
  options.buffer_rows = static_cast<std::size_t>(tokens.buffer_rows);
  const bool automatic = tokens.source == TokenSourceChoice::automatic;
  options.use_told = automatic || tokens.source == TokenSourceChoice::told;
  options.use_in_step = automatic || tokens.source == TokenSourceChoice::in_step;
  options.use_exact = options.use_robust = looks_rows_up(tokens);

  auto& rules = options.rules;
  rules.first_positions = tokens.ignore_first_positions;
  rules.ignored_ids = ignored_ids(tokens, tokenizer);
  rules.boundary_ids = boundary_ids(tokens, tokenizer, rules.ignored_ids);
  return options;
}

bool looks_rows_up(const TokenOptions& tokens) {
  return tokens.source == TokenSourceChoice::automatic || tokens.source == TokenSourceChoice::fingerprint ||
         tokens.source == TokenSourceChoice::file;
}

bool listens_to_models(const TokenOptions& tokens, const std::string& module_type) {
  const bool wanted = tokens.source == TokenSourceChoice::automatic || tokens.source == TokenSourceChoice::in_step ||
                      tokens.source == TokenSourceChoice::fingerprint;
  return wanted && (tokens.module.empty() || tokens.module == module_type);
}

}  // namespace saetap
