#include "integrations/tensors/shards.h"

#include <filesystem>
#include <utility>

#include "integrations/cli/failure.h"
#include "integrations/tensors/natural_order.h"
#include "integrations/tensors/tensor_file.h"
#include "plugin/number_text.h"

namespace saetap::tensors {

using cli::Failure;
using cli::Status;

namespace {

std::string count_of(std::int64_t count) {
  return count_text(static_cast<std::uint64_t>(count));
}

[[noreturn]] void refuse(const std::string& reason) {
  throw Failure(Status::bad_input, reason);
}

// As many rows as tokens, but cut into texts elsewhere: they are not of each other, or one of them is turned.
void check_lengths(const Shard& shard) {
  const auto other = shard.activations.not_of_length(shard.tokens.length());
  if (!other.empty()) refuse(other + ", has texts of another length than " + shard.tokens.text());
}

void check_counts(const Shard& shard, const TokenReading& reading) {
  const auto counts = count_tokens(shard.tokens);
  if (counts.with_row == shard.activations.rows()) return reading.omits() ? void() : check_lengths(shard);
  refuse(shard.activations.text() + ", and " + shard.tokens.path() + " has " + count_of(counts.with_row) +
         " tokens that have one" +
         (reading.omits() ? ", of " + count_of(counts.all) + " tokens with those omitted"
                          : ": say with --omit-ids, or --omit-masked, which tokens have no row"));
}

}  // namespace

void check_order(const ShardRequest& request) {
  const auto& files = request.activations;
  if (request.tokens.size() != 1 || request.in_given_order) return;
  for (std::size_t i = 1; i < files.size(); ++i) {
    if (!naturally_before(files[i], files[i - 1])) continue;
    refuse(files[i] + " is given after " + files[i - 1] +
           ", and one file of --tokens has the tokens of both: give --activations in the order of the tokens, as "
           "$(ls -v FILES) lists them, or say --in-given-order if this is it");
  }
}

std::vector<Shard> open_shards(const ShardRequest& request) {
  const auto& activations = request.activations;
  const auto& tokens = request.tokens;
  if (tokens.size() != 1 && tokens.size() != activations.size()) {
    refuse(std::to_string(activations.size()) + " files of --activations and " + std::to_string(tokens.size()) +
           " of --tokens: as many are needed, or one of --tokens for all");
  }
  check_order(request);
  auto files = open_token_files(tokens, request.masks, request.reading);
  std::vector<Shard> shards;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto rows = files.size() == 1 ? activations : std::vector{activations[i]};
    shards.push_back({std::move(files[i]), ActivationFiles(rows)});
    if (shards[i].activations.width() != shards[0].activations.width()) {
      refuse(activations[i] + ": rows of width " + std::to_string(shards[i].activations.width()) + ", and those of " +
             activations[0] + " have " + std::to_string(shards[0].activations.width()));
    }
    check_counts(shards[i], request.reading);
  }
  return shards;
}

void check_output(const ShardRequest& request, const std::string& output) {
  for (const auto* files : {&request.activations, &request.tokens, &request.masks}) {
    for (const auto& file : *files) {
      std::error_code differs;
      if (std::filesystem::equivalent(tensor_place(file).file, output, differs)) refuse(output + ": it is read, too");
    }
  }
}

}  // namespace saetap::tensors
