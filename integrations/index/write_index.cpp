#include "integrations/index/write_index.h"

#include <algorithm>
#include <filesystem>

#include "integrations/cli/failure.h"
#include "integrations/cli/progress.h"
#include "integrations/index/activation_files.h"
#include "integrations/index/natural_order.h"
#include "integrations/index/removed_on_signal.h"
#include "integrations/index/tensor_file.h"
#include "integrations/index/token_file.h"
#include "plugin/number_text.h"
#include "plugin/session/float_rows.h"
#include "plugin/trace/row_file_writer.h"

namespace saetap::index {

using cli::Failure;
using cli::Status;

namespace {

constexpr std::int64_t kTokensAtOnce = 8192;

std::string count_of(std::int64_t count) {
  return count_text(static_cast<std::uint64_t>(count));
}

[[noreturn]] void refuse(const std::string& reason) {
  throw Failure(Status::bad_input, reason);
}

// A file of tokens with the files that hold its rows.
struct Shard {
  TokenFile tokens;
  std::string tokens_path;
  ActivationFiles activations;
};

// Calls work(rows) for all the tokens, so many at once as fit into memory.
template <typename Work>
void for_all_rows(const TokenFile& tokens, Work work) {
  const auto at_once = std::max<std::int64_t>(1, kTokensAtOnce / tokens.length());
  for (std::int64_t first = 0; first < tokens.rows(); first += at_once) {
    work(tokens.read(first, std::min(at_once, tokens.rows() - first)));
  }
}

// As many rows as tokens, but cut into texts elsewhere: they are not of each other, or one of them is turned.
void check_lengths(const Shard& shard) {
  const auto other = shard.activations.not_of_length(shard.tokens.length());
  if (!other.empty()) refuse(other + ", has texts of another length than " + shard.tokens.text());
}

void check_counts(const Shard& shard, const IndexRequest& request) {
  std::int64_t all = 0, with_row = 0, attended = 0;
  for_all_rows(shard.tokens, [&](const TokenRows& rows) {
    all += static_cast<std::int64_t>(rows.ids.size());
    with_row += rows.with_row;
    attended += std::ranges::count(rows.attended, std::uint8_t{1});
  });
  if (attended == 0) refuse(shard.tokens_path + ": its mask leaves out every token; 1 is what is attended to");
  const bool omitting = !request.omitted_ids.empty() || request.omit_masked;
  if (with_row == shard.activations.rows()) return omitting ? void() : check_lengths(shard);
  refuse(shard.activations.text() + ", and " + shard.tokens_path + " has " + count_of(with_row) +
         " tokens that have one" +
         (omitting ? ", of " + count_of(all) + " tokens with those omitted"
                   : ": say with --omit-ids, or --omit-masked, which tokens have no row"));
}

// A shell lists shard10 before shard2, and nothing in the rows would show that they lie beside the wrong tokens.
void check_order(const IndexRequest& request) {
  const auto& files = request.activations;
  if (request.tokens.size() != 1 || request.in_given_order) return;
  for (std::size_t i = 1; i < files.size(); ++i) {
    if (!naturally_before(files[i], files[i - 1])) continue;
    refuse(files[i] + " is given after " + files[i - 1] +
           ", and one file of --tokens has the tokens of both: give --activations in the order of the tokens, as "
           "$(ls -v FILES) lists them, or say --in-given-order if this is it");
  }
}

std::vector<Shard> open_shards(const IndexRequest& request) {
  const auto& activations = request.activations;
  const auto& tokens = request.tokens;
  const auto count = [](const std::vector<std::string>& files) { return std::to_string(files.size()); };
  if (tokens.size() != 1 && tokens.size() != activations.size()) {
    refuse(count(activations) + " files of --activations and " + count(tokens) +
           " of --tokens: as many are needed, or one of --tokens for all");
  }
  if (!request.masks.empty() && request.masks.size() != tokens.size()) {
    refuse(count(tokens) + " files of --tokens and " + count(request.masks) + " of --mask: as many are needed");
  }
  check_order(request);
  std::vector<Shard> shards;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const auto files = tokens.size() == 1 ? activations : std::vector{activations[i]};
    const auto mask = request.masks.empty() ? "" : request.masks[i];
    shards.push_back({TokenFile(tokens[i], mask, request), tokens[i], ActivationFiles(files)});
    if (shards[i].activations.width() != shards[0].activations.width()) {
      refuse(activations[i] + ": rows of width " + std::to_string(shards[i].activations.width()) + ", and those of " +
             activations[0] + " have " + std::to_string(shards[0].activations.width()));
    }
    check_counts(shards[i], request);
  }
  return shards;
}

// What is read must not be replaced by what is written.
void check_output(const IndexRequest& request) {
  for (const auto* files : {&request.activations, &request.tokens, &request.masks}) {
    for (const auto& file : *files) {
      std::error_code differs;
      if (std::filesystem::equivalent(tensor_place(file).file, request.output, differs))
        refuse(request.output + ": it is read, too");
    }
  }
}

std::optional<DimensionPairs> choose_pairs(const std::vector<Shard>& shards) {
  const auto each = std::max<std::size_t>(1, kPairSample / shards.size());
  std::vector<at::Tensor> parts;
  for (std::size_t i = 0; i < std::min(shards.size(), kPairSample); ++i) {
    // Of more shards than rows are looked at, some are passed over, everywhere alike.
    const auto shard = i * shards.size() / std::min(shards.size(), kPairSample);
    parts.push_back(shards[shard].activations.sample(static_cast<std::int64_t>(each)));
  }
  const auto rows = at::cat(parts);
  return DimensionPairs::choose(rows.const_data_ptr<float>(), static_cast<std::size_t>(rows.size(0)),
                                static_cast<std::size_t>(rows.size(1)));
}

}  // namespace

RowFileHead write_index(const IndexRequest& request) {
  check_output(request);
  auto shards = open_shards(request);
  std::int64_t all = 0, done = 0;
  for (const auto& shard : shards) all += shard.activations.rows();
  if (all == 0) refuse("no token has a row: there is nothing to index");

  const auto width = static_cast<std::size_t>(shards.front().activations.width());
  RowFileWriter writer(request.output, request.name, width, choose_pairs(shards), libtorch_threads());
  const RemovedOnSignal removed(writer.temporary());
  cli::Progress progress("rows indexed", static_cast<std::size_t>(all));
  for (auto& shard : shards) {
    const auto length = static_cast<std::size_t>(shard.tokens.length());
    for_all_rows(shard.tokens, [&](const TokenRows& tokens) {
      // As the plugin takes the rows of a live call, so that both give the same fingerprints.
      const FloatRows rows(shard.activations.next(tokens.with_row));
      writer.add({tokens.ids, length, tokens.attended}, tokens.has_row, rows.view());
      done += tokens.with_row;
      progress.update(static_cast<std::size_t>(done));
    });
  }
  return writer.finish();
}

}  // namespace saetap::index
