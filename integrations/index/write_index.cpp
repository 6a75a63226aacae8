#include "integrations/index/write_index.h"

#include <algorithm>

#include "integrations/cli/failure.h"
#include "integrations/cli/progress.h"
#include "integrations/index/removed_on_signal.h"
#include "plugin/session/float_rows.h"
#include "plugin/trace/row_file_writer.h"

namespace saetap::index {

namespace {

std::optional<DimensionPairs> choose_pairs(const std::vector<tensors::Shard>& shards) {
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
  tensors::check_output(request.shards, request.output);
  auto shards = tensors::open_shards(request.shards);
  std::int64_t all = 0, done = 0;
  for (const auto& shard : shards) all += shard.activations.rows();
  if (all == 0) throw cli::Failure(cli::Status::bad_input, "no token has a row: there is nothing to index");

  const auto width = static_cast<std::size_t>(shards.front().activations.width());
  RowFileWriter writer(request.output, request.name, width, choose_pairs(shards), libtorch_threads());
  const RemovedOnSignal removed(writer.temporary());
  cli::Progress progress("rows indexed", static_cast<std::size_t>(all));
  for (auto& shard : shards) {
    const auto length = static_cast<std::size_t>(shard.tokens.length());
    shard.tokens.for_each([&](const tensors::TokenRows& tokens) {
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
