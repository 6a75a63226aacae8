#include "plugin/store/store_reader.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <optional>
#include <tuple>
#include <utility>

#include "plugin/collect/feature_table.h"
#include "plugin/collect/random_table.h"
#include "plugin/collect/sequence_pool.h"
#include "plugin/store/half.h"
#include "plugin/store/opened_file.h"
#include "plugin/store/store_format.h"
#include "plugin/store/store_tables.h"
#include "plugin/store/token_rows.h"

namespace saetap {
namespace {

std::size_t parts_of(Scope scope, std::array<const char*, kPartKinds>& names) {
  names = {part_name(PartKind::open), part_name(PartKind::closed), part_name(PartKind::past)};
  return scope == Scope::recent ? 2 : 3;
}

}  // namespace

std::vector<std::optional<float>> activations_along(const Sample& sample,
                                                    const std::optional<std::vector<ContextActivation>>& around,
                                                    std::uint32_t kept, std::size_t tokens, std::size_t activating) {
  if (!around) return {};
  std::vector<std::optional<float>> along(tokens);
  const auto offset_of = [&](std::size_t token) {
    return static_cast<std::int64_t>(token) - static_cast<std::int64_t>(activating);
  };
  for (std::size_t token = 0; token < tokens; ++token) {
    if (std::abs(offset_of(token)) <= static_cast<std::int64_t>(kept)) along[token] = 0.0f;
  }
  for (const auto& [offset, activation] : *around) {
    const auto token = static_cast<std::int64_t>(activating) + offset;
    if (token >= 0 && token < static_cast<std::int64_t>(tokens)) along[static_cast<std::size_t>(token)] = activation;
  }
  if (activating < tokens) along[activating] = sample.activation;
  return along;
}

struct StoreReader::State {
  explicit State(const std::string& path) : database(open_to_read(path)) {
    database.execute("PRAGMA cache_size = -65536");  // contexts lie all over the file
    run = read_run_facts(database);
    sites = read_sites(database);
    for (StoredSite& site : sites) {
      site.all_time_readable = !run.imported || site.recent.eligible == site.all_time.eligible;
    }
    runs = read_runs(database);
    samples = database.prepare(
        "SELECT activation, sequence, position, step, context_count, context_offset, context_activation, alike FROM "
        "sample WHERE site = ? AND part = ? AND feature = ?");
    random_samples = database.prepare(
        "SELECT activation, sequence, position, step, context_count, context_offset, context_activation FROM "
        "random_sample WHERE site = ? AND part = ? AND feature = ?");
    histograms = database.prepare("SELECT first_bin, bins FROM feature WHERE site = ? AND part = ? AND feature = ?");
    segments = database.prepare(
        "SELECT segment, length, tokens FROM sequence WHERE id = ? AND segment BETWEEN ? AND ? ORDER BY segment");
  }

  const Site& site(int id) const {
    for (const StoredSite& stored_site : sites) {
      if (stored_site.site.id == id) return stored_site.site;
    }
    throw StoreError(database.path() + ": no site " + std::to_string(id));
  }

  Database database;
  RunFacts run;
  std::vector<StoredSite> sites;
  std::vector<StoredRun> runs;
  // Asked once per feature and sample, so prepared once.
  std::optional<Statement> samples;
  std::optional<Statement> random_samples;
  std::optional<Statement> histograms;
  std::optional<Statement> segments;
};

StoreReader::StoreReader(const std::string& path) : state_(std::make_unique<State>(store_path(path))) {}
StoreReader::~StoreReader() = default;
StoreReader::StoreReader(StoreReader&&) noexcept = default;
StoreReader& StoreReader::operator=(StoreReader&&) noexcept = default;

StoreReader::Together::Together(const StoreReader& store)
    : transaction_(std::make_unique<ReadTransaction>(store.state_->database)) {}
StoreReader::Together::~Together() = default;

const std::string& StoreReader::path() const {
  return state_->database.path();
}
const RunFacts& StoreReader::run() const {
  return state_->run;
}
const std::vector<StoredSite>& StoreReader::sites() const {
  return state_->sites;
}
const std::vector<StoredRun>& StoreReader::runs() const {
  return state_->runs;
}

std::vector<FeatureStatistics> StoreReader::statistics(int site, Scope scope) const {
  std::vector<FeatureStatistics> all(static_cast<std::size_t>(state_->site(site).features));
  std::array<const char*, kPartKinds> names{};
  const std::size_t parts = parts_of(scope, names);
  Statement select = state_->database.prepare(
      "SELECT feature, active, sum, sum_of_squares, max, nonfinite, negative FROM feature WHERE site = ? AND part = ?");
  for (std::size_t i = 0; i < parts; ++i) {
    select.bind(0, std::int64_t{site}).bind(1, std::string_view(names[i]));
    std::size_t rows = 0;
    while (select.step()) {
      const std::uint64_t feature = unstored(select.integer(0));
      if (feature >= all.size() || ++rows > all.size())
        throw StoreError(path() + ": the store is damaged (a feature the site does not have)");
      all[feature].add(read_statistics(select, 1, path()));
    }
  }
  return all;
}

template <typename Read>
void StoreReader::each_part(Statement& select, int site, std::uint32_t feature, Scope scope, Read read) const {
  const std::int64_t features = state_->site(site).features;
  if (feature >= features) {
    throw StoreError(path() + ": no feature " + std::to_string(feature) + "; the site has features 0 to " +
                     std::to_string(features - 1));
  }
  std::array<const char*, kPartKinds> names{};
  const std::size_t parts = parts_of(scope, names);
  for (std::size_t i = 0; i < parts; ++i) {
    select.reset();  // a damaged row before may have ended the last use early
    select.bind(0, std::int64_t{site}).bind(1, std::string_view(names[i])).bind(2, std::int64_t{feature});
    if (!select.step()) continue;
    read(select);
    if (select.step()) throw StoreError(path() + ": the store is damaged (a feature twice)");
  }
}

FeatureStatistics StoreReader::feature_statistics(int site, std::uint32_t feature, Scope scope) const {
  FeatureStatistics statistics;
  Statement select = state_->database.prepare(
      "SELECT active, sum, sum_of_squares, max, nonfinite, negative FROM feature WHERE site = ? AND part = ? AND "
      "feature = ?");
  each_part(select, site, feature, scope,
            [&](const Statement& row) { statistics.add(read_statistics(row, 0, path())); });
  return statistics;
}

std::vector<Sample> StoreReader::samples(int site, std::uint32_t feature, Scope scope) const {
  const std::uint32_t most_alike = run().most_alike();
  std::vector<std::vector<Sample>> lists;
  std::vector<std::vector<std::uint64_t>> groups;
  each_part(*state_->samples, site, feature, scope, [&](const Statement& row) {
    lists.push_back(read_samples(row, 0, path()));
    if (most_alike != 0) groups.push_back(read_groups(row, kAlikeColumn, lists.back().size(), path()));
  });
  return merge_strongest(lists, run().kept_samples_per_feature, most_alike, groups);
}

std::vector<Sample> StoreReader::random_samples(int site, std::uint32_t feature, Scope scope) const {
  std::vector<std::vector<Sample>> lists;
  each_part(*state_->random_samples, site, feature, scope,
            [&](const Statement& row) { lists.push_back(read_samples(row, 0, path())); });
  return merge_random(lists, run().kept_random_samples_per_feature);
}

ActivationHistogram StoreReader::histogram(int site, std::uint32_t feature, Scope scope) const {
  ActivationHistogram histogram;
  each_part(*state_->histograms, site, feature, scope,
            [&](const Statement& row) { histogram.add(read_histogram(row, 0, path())); });
  return histogram;
}

std::vector<std::optional<std::vector<ContextActivation>>> StoreReader::context_activations(
    int site, std::uint32_t feature, Scope scope, std::span<const Sample> samples) const {
  return activations_in(*state_->samples, site, feature, scope, samples);
}

std::vector<std::optional<std::vector<ContextActivation>>> StoreReader::random_context_activations(
    int site, std::uint32_t feature, Scope scope, std::span<const Sample> samples) const {
  return activations_in(*state_->random_samples, site, feature, scope, samples);
}

std::vector<std::optional<std::vector<ContextActivation>>> StoreReader::activations_in(
    Statement& select, int site, std::uint32_t feature, Scope scope, std::span<const Sample> samples) const {
  std::vector<std::optional<std::vector<ContextActivation>>> found(samples.size());
  each_part(select, site, feature, scope, [&](const Statement& row) {
    const auto stored_samples = read_samples(row, 0, path());
    auto lists = read_context_activations(row, kSampleColumns, path());
    if (lists.size() != stored_samples.size()) {
      throw StoreError(path() + ": the store is damaged (sample columns of different lengths)");
    }
    // There may be a million of each.
    const auto before = [](const Sample& a, const Sample& b) {
      return std::tie(a.sequence, a.position, a.step, a.activation) <
             std::tie(b.sequence, b.position, b.step, b.activation);
    };
    std::vector<std::size_t> order(stored_samples.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::sort(order, before, [&](std::size_t at) { return stored_samples[at]; });
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const auto same =
          std::ranges::lower_bound(order, samples[i], before, [&](std::size_t at) { return stored_samples[at]; });
      if (same != order.end() && stored_samples[*same] == samples[i]) found[i] = std::move(lists[*same]);
    }
  });
  return found;
}

namespace {

// The known tokens around position `at`, of which those behind `first` and before `last` are asked for: of an imported
// store some between them are not known. None if the one at `at` is not.
void cut_at_unknown(const TokenRun& run, std::uint64_t at, std::uint64_t& first, std::uint64_t& last) {
  const auto known = [&](std::uint64_t position) { return run.tokens[position - run.first] != kUnknownToken; };
  if (!known(at)) {
    first = last;
    return;
  }
  std::uint64_t begin = at, end = at;
  while (begin > first && known(begin - 1)) --begin;
  while (end < last && known(end)) ++end;
  first = begin;
  last = end;
}

// The pieces of a segment of an imported store of which the tokens are known.
void each_known_run(const StoredSegment& segment, const std::function<void(const StoredSegment&)>& see) {
  const auto is_known = [](std::int32_t token) { return token != kUnknownToken; };
  const auto& tokens = segment.tokens;
  for (auto begin = std::ranges::find_if(tokens, is_known); begin != tokens.end();) {
    const auto end = std::find(begin, tokens.end(), kUnknownToken);
    see({segment.sequence, segment.first + static_cast<std::uint64_t>(begin - tokens.begin()), {begin, end}});
    begin = std::find_if(end, tokens.end(), is_known);
  }
}

}  // namespace

Context StoreReader::context(const Sample& sample, std::uint32_t before, std::uint32_t after) const {
  if (!has_tokens(sample.sequence)) return {};
  const TokenRun stored_tokens = read_token_run(*state_->segments, sample, before, after);
  const std::uint64_t end = stored_tokens.first + stored_tokens.tokens.size();
  if (sample.position < stored_tokens.first || sample.position >= end) return {};
  std::uint64_t first =
      std::max<std::uint64_t>(stored_tokens.first, sample.position - std::min(sample.position, before));
  std::uint64_t last = std::min<std::uint64_t>(end, std::uint64_t{sample.position} + after + 1);
  if (run().imported) cut_at_unknown(stored_tokens, sample.position, first, last);
  if (first == last) return {};
  Context context;
  const auto begin = stored_tokens.tokens.begin() + static_cast<std::ptrdiff_t>(first - stored_tokens.first);
  context.tokens.assign(begin, begin + static_cast<std::ptrdiff_t>(last - first));
  context.activating = static_cast<std::size_t>(sample.position - first);
  context.at_start = first == 0;
  context.at_end = last == stored_tokens.length;
  return context;
}

void StoreReader::each_segment(const std::function<void(const StoredSegment&)>& see) const {
  Statement select = state_->database.prepare("SELECT id, segment, tokens FROM sequence ORDER BY id, segment");
  std::array<std::int32_t, kSegmentTokens> tokens{};
  while (select.step()) {
    const std::span<const std::byte> bytes = select.blob(2);
    const std::size_t count = std::min(bytes.size() / sizeof(std::int32_t), tokens.size());
    if (count > 0) std::memcpy(tokens.data(), bytes.data(), count * sizeof(std::int32_t));
    const StoredSegment segment{unstored(select.integer(0)), unstored(select.integer(1)) * kSegmentTokens,
                                std::span(tokens).first(count)};
    run().imported ? each_known_run(segment, see) : see(segment);
  }
}

std::vector<std::pair<std::int32_t, std::uint64_t>> StoreReader::token_counts(int site, Scope scope) const {
  const auto parts = read_token_counts(state_->database, state_->site(site).id);
  if (!parts) return {};
  TokenCounts all;
  for (const PartKind kind : {PartKind::open, PartKind::closed, PartKind::past}) {
    if (kind == PartKind::past && scope == Scope::recent) continue;
    all.add((*parts)[static_cast<std::size_t>(kind)]);
  }
  std::vector<std::pair<std::int32_t, std::uint64_t>> counts;
  for (std::size_t number = 0; number < all.blocks(); ++number) {
    auto token = static_cast<std::int32_t>(number) * kTokenBlock;
    for (const std::uint64_t count : all.block(number)) {
      if (count != 0) counts.emplace_back(token, count);
      ++token;
    }
  }
  return counts;
}

std::vector<std::pair<std::int32_t, std::string>> StoreReader::token_texts() const {
  std::vector<std::pair<std::int32_t, std::string>> texts;
  Statement select = state_->database.prepare("SELECT id, text FROM token ORDER BY id");
  while (select.step()) {
    const auto bytes = select.blob(1);
    if (!texts.empty() && select.integer(0) <= texts.back().first) {
      throw StoreError(path() + ": the store is damaged (the text of a token twice)");
    }
    texts.emplace_back(static_cast<std::int32_t>(select.integer(0)),
                       std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }
  return texts;
}

void StoreReader::each_decoder_block(int site, const std::function<void(std::span<const std::uint16_t>)>& read) const {
  const Site& of = state_->site(site);
  Statement select = state_->database.prepare("SELECT block, directions FROM decoder WHERE site = ? ORDER BY block");
  select.bind(0, std::int64_t{site});
  const auto width = static_cast<std::size_t>(of.d_out);
  const std::size_t expected = static_cast<std::size_t>(of.features) * width;
  const StoreError another_size(path() + ": the store is damaged (decoder directions of another size)");
  std::size_t met = 0;
  std::vector<std::uint16_t> directions;
  for (std::int64_t block = 0; select.step(); ++block) {
    const std::span<const std::byte> bytes = select.blob(1);
    if (select.integer(0) != block) throw StoreError(path() + ": the store is damaged (a decoder block is missing)");
    const std::size_t numbers = bytes.size() / 2;
    if (numbers > expected - met || (numbers > 0 && numbers % width != 0)) throw another_size;
    directions.resize(numbers);  // a blob may lie at any address
    if (numbers > 0) std::memcpy(directions.data(), bytes.data(), numbers * 2);
    met += numbers;
    read(directions);
  }
  if (met != 0 && met != expected) throw another_size;
}

std::vector<float> StoreReader::decoder_direction(int site, std::uint32_t feature) const {
  Statement select = state_->database.prepare("SELECT directions FROM decoder WHERE site = ? AND block = ?");
  select.bind(0, std::int64_t{site}).bind(1, std::int64_t{feature} / kDecoderBlockFeatures);
  if (!select.step()) return {};
  const std::span<const std::byte> block = select.blob(0);
  const auto width = static_cast<std::size_t>(state_->site(site).d_out);
  const std::size_t begin = static_cast<std::size_t>(std::int64_t{feature} % kDecoderBlockFeatures) * width;
  if (block.size() / 2 < begin + width) {
    throw StoreError(path() + ": the store is damaged (decoder directions of another size)");
  }
  std::vector<float> direction;
  for (std::size_t i = begin; i < begin + width; ++i) {
    std::uint16_t half = 0;
    std::memcpy(&half, block.data() + i * 2, sizeof half);
    direction.push_back(float_from_half(half));
  }
  return direction;
}

std::vector<float> StoreReader::decoder_directions(int site) const {
  std::vector<float> directions;
  each_decoder_block(site, [&](std::span<const std::uint16_t> block) {
    for (const std::uint16_t half : block) directions.push_back(float_from_half(half));
  });
  return directions;
}

}  // namespace saetap
