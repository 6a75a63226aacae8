#include "tests/provenance/readings.h"

#include <unistd.h>

#include <filesystem>

#include "plugin/session/float_rows.h"
#include "plugin/session/token_mask.h"
#include "plugin/trace/provenance.h"
#include "plugin/trace/row_file.h"
#include "plugin/trace/row_file_writer.h"

namespace saetap::testing {

namespace {

constexpr std::int64_t kCall = 16;     // sequences in a model's call
constexpr std::int64_t kBatch = 1024;  // rows in an SAE's
constexpr SequenceId kRun = 4711;

TraceOptions options() {
  TraceOptions options;
  options.rules.ignored_ids = {kPad, kUnknown, kCls, kSep, kMask};
  options.rules.boundary_ids = {kPad, kCls, kSep};
  return options;
}

std::vector<std::int32_t> ids_of(const at::Tensor& tokens) {
  const auto ids = tokens.to(at::kInt).contiguous();
  return {ids.const_data_ptr<std::int32_t>(), ids.const_data_ptr<std::int32_t>() + ids.numel()};
}

std::vector<std::uint8_t> mask_of(const Corpus& corpus, std::int64_t first, std::int64_t end) {
  if (!corpus.mask.defined()) return {};
  return attended_tokens(corpus.mask.slice(0, first, end), corpus.mask_kind == MaskKind::padding, end - first, kLength);
}

// What the plugin does when the model returns: sequences [first, end).
void model_call(const Corpus& corpus, Provenance& provenance, std::int64_t first, std::int64_t end) {
  const auto ids = ids_of(corpus.tokens.slice(0, first, end));
  const auto mask = mask_of(corpus, first, end);
  const FloatRows rows(corpus.rows.slice(0, first * kLength, end * kLength));
  provenance.record("MiniLM", {ids, kLength, mask}, rows.view());
}

// What the plugin does when the SAE is called with these rows of the corpus.
void sae_call(const Corpus& corpus, const Change& change, Provenance& provenance, const at::Tensor& which,
              Tally& tally) {
  const FloatRows rows(change.apply(corpus.rows.index_select(0, which)));
  const auto found = provenance.resolve(0, rows.view(), kRun);
  const auto* row_numbers = which.const_data_ptr<std::int64_t>();
  for (std::size_t i = 0; i < found.positions.size(); ++i) {
    const auto& truth = corpus.truth[static_cast<std::size_t>(row_numbers[i])];
    const bool eligible = found.eligible[i] != 0;
    const bool known = has_tokens(found.positions[i].sequence);
    if (eligible && !known) ++tally.unresolved;
    if (truth.counts) {
      ++tally.text;
      const bool right = eligible && found.positions[i] == truth.place;
      tally.right += right ? 1 : 0;
      tally.wrong += !right && (known || !eligible) ? 1 : 0;
    } else {
      ++tally.framing;
      tally.left_out += eligible ? 0 : 1;
      tally.claimed += eligible && known ? 1 : 0;
    }
  }
  tally.ambiguous += found.ambiguous;
  const auto report = provenance.report(0);
  tally.source = name_of(report.source);
}

void read_all(const Corpus& corpus, const Change& change, Provenance& provenance, const at::Tensor& order,
              Tally& tally) {
  for (const auto& which : order.split(kBatch)) sae_call(corpus, change, provenance, which.contiguous(), tally);
}

std::int64_t sequences_of(const Corpus& corpus) {
  return corpus.tokens.size(0);
}

Tally in_step(const Corpus& corpus, const Change& change) {
  Provenance provenance(options(), libtorch_threads());
  Tally tally;
  for (std::int64_t first = 0; first < sequences_of(corpus); first += kCall) {
    const auto end = std::min(first + kCall, sequences_of(corpus));
    model_call(corpus, provenance, first, end);
    sae_call(corpus, change, provenance, at::arange(first * kLength, end * kLength, at::kLong), tally);
  }
  return tally;
}

void fill(const Corpus& corpus, Provenance& provenance) {
  for (std::int64_t first = 0; first < sequences_of(corpus); first += kCall) {
    model_call(corpus, provenance, first, std::min(first + kCall, sequences_of(corpus)));
  }
}

Tally shuffled(const Corpus& corpus, const Change& change) {
  Provenance provenance(options(), libtorch_threads());
  Tally tally;
  fill(corpus, provenance);
  read_all(corpus, change, provenance, at::randperm(corpus.rows.size(0), at::kLong), tally);
  return tally;
}

// A buffer of a few calls' rows: half of it is handed out in random order, then it is filled again.
Tally mixed(const Corpus& corpus, const Change& change) {
  Provenance provenance(options(), libtorch_threads());
  Tally tally;
  constexpr std::int64_t kBuffer = 4 * kCall * kLength;
  auto buffer = at::empty({0}, at::kLong);
  for (std::int64_t first = 0; first < sequences_of(corpus); first += kCall) {
    const auto end = std::min(first + kCall, sequences_of(corpus));
    model_call(corpus, provenance, first, end);
    buffer = at::cat({buffer, at::arange(first * kLength, end * kLength, at::kLong)});
    if (buffer.size(0) < kBuffer) continue;
    buffer = buffer.index_select(0, at::randperm(buffer.size(0), at::kLong));
    read_all(corpus, change, provenance, buffer.slice(0, 0, kBuffer / 2), tally);
    buffer = buffer.slice(0, kBuffer / 2);
  }
  read_all(corpus, change, provenance, buffer, tally);
  return tally;
}

Tally epochs(const Corpus& corpus, const Change& change) {
  Provenance provenance(options(), libtorch_threads());
  Tally tally;
  for (int epoch = 0; epoch < 2; ++epoch) {
    fill(corpus, provenance);
    read_all(corpus, change, provenance, at::randperm(corpus.rows.size(0), at::kLong), tally);
  }
  return tally;
}

// What `saetap index` makes of the corpus, loaded as the plugin does.
void load_index(const Corpus& corpus, Provenance& provenance) {
  const auto path = std::filesystem::temp_directory_path() / ("saetap-corpus-" + std::to_string(::getpid()));
  const auto width = static_cast<std::size_t>(corpus.rows.size(1));
  const auto step = std::max<std::int64_t>(1, corpus.rows.size(0) / static_cast<std::int64_t>(kPairSample));
  const auto sample = corpus.rows.slice(0, 0, std::nullopt, step).contiguous();
  RowFileWriter writer(
      path, "corpus", width,
      DimensionPairs::choose(sample.const_data_ptr<float>(), static_cast<std::size_t>(sample.size(0)), width),
      libtorch_threads());
  for (std::int64_t first = 0; first < sequences_of(corpus); first += kCall) {
    const auto end = std::min(first + kCall, sequences_of(corpus));
    const auto ids = ids_of(corpus.tokens.slice(0, first, end));
    const auto mask = mask_of(corpus, first, end);
    const FloatRows rows(corpus.rows.slice(0, first * kLength, end * kLength));
    writer.add({ids, kLength, mask}, {}, rows.view());
  }
  writer.finish();
  load_row_file(path, provenance);
  std::filesystem::remove(path);
}

// The trainer reads stored rows and calls no model; what is known comes from an index of them.
Tally shards(const Corpus& corpus, const Change& change) {
  Provenance provenance(options(), libtorch_threads());
  load_index(corpus, provenance);
  Tally tally;
  constexpr std::int64_t kShard = 4096;
  const auto starts = at::randperm((corpus.rows.size(0) + kShard - 1) / kShard, at::kLong) * kShard;
  for (std::int64_t i = 0; i < starts.size(0); ++i) {
    const auto first = starts[i].item<std::int64_t>();
    read_all(corpus, change, provenance, at::arange(first, std::min(first + kShard, corpus.rows.size(0)), at::kLong),
             tally);
  }
  return tally;
}

}  // namespace

void Tally::add(const Tally& other) {
  text += other.text;
  right += other.right;
  wrong += other.wrong;
  ambiguous += other.ambiguous;
  unresolved += other.unresolved;
  framing += other.framing;
  left_out += other.left_out;
  claimed += other.claimed;
}

const std::vector<Reading>& readings() {
  static const std::vector<Reading> all{{"in step", true, in_step},
                                        {"shuffled", false, shuffled},
                                        {"mixed from several calls", false, mixed},
                                        {"epochs repeated", false, epochs},
                                        {"loaded from shards", false, shards}};
  return all;
}

}  // namespace saetap::testing
