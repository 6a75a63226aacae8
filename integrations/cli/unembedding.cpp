#include "integrations/cli/unembedding.h"

#include <array>
#include <iostream>

#include "integrations/analysis/visible_text.h"
#include "integrations/cli/failure.h"
#include "integrations/cli/progress.h"
#include "integrations/tensor_files/matrix_file.h"
#include "integrations/tokenizers/id_table.h"
#include "plugin/number_text.h"

namespace saetap::cli {
namespace {

constexpr std::size_t kTokensShown = 10;
constexpr std::size_t kRowsBetween = 1024;  // between looking at what need not be in memory any more

// One of more rows than the tokenizer has tokens is usual: they are filled up. One of fewer is another model's.
void note_missing_tokens(const Tokenizer& tokenizer, std::size_t vocabulary, const std::string& text) {
  constexpr std::size_t kMostTokens = std::size_t{1} << 21;  // as no vocabulary has
  const auto known = [&](std::size_t id) {
    const std::array one{static_cast<std::int32_t>(id)};
    return tokenizer.decode(one) != unknown_id_text(one.front());
  };
  std::size_t tokens = vocabulary;
  while (tokens < kMostTokens && known(tokens)) ++tokens;
  if (tokens == vocabulary) return;
  std::cerr << "saetap: " << visible(text) << " has " << count_text(vocabulary) << " tokens and the tokenizer "
            << count_text(tokens) << ": is it this model's?\n";
}

}  // namespace

void add_unembedding_option(CLI::App& command, std::string& path) {
  command
      .add_option("--unembedding", path,
                  "The model's unembedding, [vocabulary, d] or [d, vocabulary], to show which tokens the decoder "
                  "direction promotes: .npy or .safetensors (FILE:NAME where it holds several)")
      ->type_name("FILE");
}

DirectionTokens read_direction_tokens(const OpenedStore& store, std::uint32_t feature, const std::string& path) {
  const tensors::MatrixFile file(path);
  const std::vector<float> direction = store.reader.decoder_direction(store.site(), feature);
  if (direction.empty()) {
    throw Failure(Status::not_there, store.reader.path() + " has no decoder directions to hold against " + path);
  }
  if (file.rows() != direction.size() && file.columns() != direction.size()) {
    throw Failure(Status::bad_input,
                  file.text() + ": neither dimension is the decoder's width, " + std::to_string(direction.size()));
  }
  Progress progress("rows of the unembedding read", file.rows());
  const auto read = [&](std::size_t row, std::span<float> values) {
    file.read(row, values);
    if (row % kRowsBetween != 0) return;
    file.forget_before(row);
    progress.update(row);
  };
  DirectionTokens found =
      direction_tokens(direction, {.rows = file.rows(), .columns = file.columns(), .read = read}, kTokensShown);
  progress.clear();
  if (found.promoted.empty()) {
    throw Failure(Status::bad_input, file.text() + ": no token has a finite product with the decoder direction");
  }
  if (store.tokenizer) note_missing_tokens(*store.tokenizer, found.vocabulary, file.text());
  return found;
}

}  // namespace saetap::cli
