// Reading a store back. For tools and tests; throws StoreError with a reason a user can act on.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "plugin/collect/callback.h"
#include "plugin/collect/feature_statistics.h"
#include "plugin/collect/sample.h"
#include "plugin/scan/activation_histogram.h"
#include "plugin/scan/context_scan.h"
#include "plugin/store/store_error.h"

namespace saetap {

class ReadTransaction;
class Statement;

// Which part of the run is read: the newest closed window together with the open one, or everything.
enum class Scope : std::uint8_t { recent, all_time };

// What a store holds that was made of a samples.json: of one scope of the run, the features and samples that the file
// lists. Nothing is known of others, nor of histograms, random samples and decoders.
struct ImportedFrom {
  Scope scope = Scope::recent;
  // How many the file was asked to list.
  std::int64_t top_features = 0;
  std::int64_t samples_per_feature = 0;
};

// Facts about the run, from the table `meta`. Of a merged store: of all of them.
struct RunFacts {
  int format_version = 0;
  std::string run_id;
  std::uint64_t checkpoint = 0;  // how many this file has seen
  std::string saetap_version;
  std::string libtorch_version;
  std::string program;    // command line of the program that was recorded
  std::string started;    // UTC, ISO 8601
  std::string saved;      // UTC, of the latest checkpoint
  bool finished = false;  // the run ended in order
  std::string tokenizer;  // path as configured, made absolute; may be empty
  std::string redact;     // what was left out of the text: "none", "text", "tokens"
  std::string counted;    // the keys that say what an activation is and which of them count, "key=value …"
  std::uint32_t max_samples_per_feature = 0;
  std::uint32_t random_samples_per_feature = 0;
  // Less than the two above if memory was bounded and the bound was reached.
  std::uint32_t kept_samples_per_feature = 0;
  std::uint32_t kept_random_samples_per_feature = 0;
  std::uint32_t max_samples_per_sequence = 0;  // 0: no limit
  bool collapse_near_duplicates = false;
  std::uint32_t sample_context_size = 0;
  float sample_activation_threshold = 0;
  std::uint64_t sample_collection_freq = 1;
  std::string sample_window_steps;  // as in the config
  std::uint64_t max_memory_mb = 0;
  // What was kept of steps before this one was in a file that went away or was replaced during the run; 0: nothing.
  std::uint64_t lost_before = 0;
  std::optional<ImportedFrom> imported{};  // nothing: it was collected

  // How many samples of a feature may be alike; 0: no limit.
  [[nodiscard]] std::uint32_t most_alike() const { return collapse_near_duplicates ? 1 : max_samples_per_sequence; }
};

// One process's run that is in a store: several where it was resumed, or ranks were merged.
struct StoredRun {
  std::string run_id;
  std::uint64_t rank = 0;
  std::uint64_t ranks = 1;
  std::string launch;  // what ranks that were started together have in common; empty: one rank alone
  std::string program;
  std::string started;  // UTC, ISO 8601
  std::string saved;
  bool finished = false;    // ended in order
  std::uint64_t steps = 0;  // that its sites had made when it was last saved
};

// The span of steps that a scope covers.
struct ScopeFacts {
  std::uint64_t first_step = 0;
  std::uint64_t last_step = 0;
  std::uint64_t eligible = 0;
};

// Where a site's tokens came from, as of the latest checkpoint.
struct StoredTracing {
  std::string source;  // "fingerprint"; see name_of(TokenSourceKind)
  std::string stream;  // the language model's output, or the file; may be empty
};

struct StoredSite {
  Site site;
  SiteCounts counts;
  ScopeFacts recent;
  ScopeFacts all_time;
  StoredTracing tracing;
  bool has_decoder = false;
  // False: of steps before the recent ones only the number of tokens is there (some imported stores).
  bool all_time_readable = true;
};

// Tokens around a sample. `tokens[activating]` is the sample's own. Without known tokens, `tokens` is empty.
struct Context {
  std::vector<std::int32_t> tokens;
  std::size_t activating = 0;
  bool at_start = false;  // the first token here is the first of the sequence
  bool at_end = false;    // the last token here is the last of the sequence
};

// 64 stored tokens of a sequence, fewer at its end.
struct StoredSegment {
  SequenceId sequence = 0;
  std::uint64_t first = 0;               // position of the first one
  std::span<const std::int32_t> tokens;  // valid during the call that is given it
};

// The activations of a sample's feature at `tokens` consecutive tokens, of which the one at `activating` is the
// sample's own. Nothing for tokens farther away than `kept`, the run's sample_context_size. Empty if `around` is not
// known.
[[nodiscard]] std::vector<std::optional<float>> activations_along(
    const Sample& sample, const std::optional<std::vector<ContextActivation>>& around, std::uint32_t kept,
    std::size_t tokens, std::size_t activating);

// Opened read-only; a store whose program was killed while saving is first brought back to its last checkpoint, for
// which its folder must be writable. One thread at a time.
class StoreReader {
 public:
  // `path`: a .saetap file, or the folder that holds samples.saetap.
  explicit StoreReader(const std::string& path);
  ~StoreReader();
  StoreReader(StoreReader&&) noexcept;
  StoreReader& operator=(StoreReader&&) noexcept;

  [[nodiscard]] const std::string& path() const;
  [[nodiscard]] const RunFacts& run() const;
  [[nodiscard]] const std::vector<StoredSite>& sites() const;
  // By rank, then in the order in which they were started.
  [[nodiscard]] const std::vector<StoredRun>& runs() const;

  // What is read while it lives is of one checkpoint, and locks the file once instead of for every sample. A program
  // that wants to save waits meanwhile: for a few features, and nothing is to be written that somebody may not read.
  // One within another does nothing. Throws StoreError.
  class Together {
   public:
    explicit Together(const StoreReader& store);
    ~Together();
    Together(const Together&) = delete;
    Together& operator=(const Together&) = delete;

   private:
    std::unique_ptr<ReadTransaction> transaction_;
  };

  // Statistics of every feature of a site, [features], in order of the feature.
  [[nodiscard]] std::vector<FeatureStatistics> statistics(int site, Scope scope) const;
  // The same of one feature. Throws StoreError for a feature the site does not have.
  [[nodiscard]] FeatureStatistics feature_statistics(int site, std::uint32_t feature, Scope scope) const;
  // Kept samples of one feature, strongest first; empty for a feature that never reached the threshold. Throws
  // StoreError for a feature the site does not have.
  [[nodiscard]] std::vector<Sample> samples(int site, std::uint32_t feature, Scope scope) const;
  // An unbiased random sample of one feature's active tokens, in an order that means nothing: see RandomTable. Throws
  // StoreError for a feature the site does not have.
  [[nodiscard]] std::vector<Sample> random_samples(int site, std::uint32_t feature, Scope scope) const;
  // Of the magnitudes of all its active values. Throws StoreError for a feature the site does not have.
  [[nodiscard]] ActivationHistogram histogram(int site, std::uint32_t feature, Scope scope) const;
  // What is known of the activations of the same feature around each of these samples of it, in the order of `samples`:
  // the tokens at which it is not 0, in the order of the text. Nothing for those of which it is not known.
  [[nodiscard]] std::vector<std::optional<std::vector<ContextActivation>>> context_activations(
      int site, std::uint32_t feature, Scope scope, std::span<const Sample> samples) const;
  // The same around samples that random_samples gave.
  [[nodiscard]] std::vector<std::optional<std::vector<ContextActivation>>> random_context_activations(
      int site, std::uint32_t feature, Scope scope, std::span<const Sample> samples) const;
  // The stored tokens from position − before to position + after, cut at the ends of the sequence.
  [[nodiscard]] Context context(const Sample& sample, std::uint32_t before, std::uint32_t after) const;
  // All stored text, once, in the order of stored_before() and then of the position. For whoever needs the tokens of
  // very many samples: asking for the context of each would look up every segment many times. Throws StoreError.
  void each_segment(const std::function<void(const StoredSegment&)>& see) const;
  // The order in which the store has sequences: by id, as SQLite's signed numbers.
  [[nodiscard]] static bool stored_before(SequenceId a, SequenceId b) {
    return static_cast<std::int64_t>(a) < static_cast<std::int64_t>(b);
  }
  // How many of the rows that counted were of each token, by ascending id; of the others it is not known. Empty where
  // the store does not have it (written before there was such a table, gone on with by a saetap that did not know it,
  // or with redact "tokens").
  [[nodiscard]] std::vector<std::pair<std::int32_t, std::uint64_t>> token_counts(int site, Scope scope) const;
  // The text of tokens as a callback of the run gave it, by ascending id; mostly empty. Bytes, not always whole
  // characters.
  [[nodiscard]] std::vector<std::pair<std::int32_t, std::string>> token_texts() const;
  // Decoder directions, [features, d_out] row-major in float32; empty if not saved.
  [[nodiscard]] std::vector<float> decoder_directions(int site) const;
  // That of one feature, [d_out]; empty if not saved.
  [[nodiscard]] std::vector<float> decoder_direction(int site, std::uint32_t feature) const;
  // All of them as they are stored, in half precision (see half.h), some whole features at a time: what is too much to
  // have at once. [.., d_out] row-major; not called if there are none.
  void each_decoder_block(int site, const std::function<void(std::span<const std::uint16_t>)>& read) const;

 private:
  // Calls `read` with each row that the statement finds for a feature.
  template <typename Read>
  void each_part(Statement& select, int site, std::uint32_t feature, Scope scope, Read read) const;
  // The activations around `samples`, in the table that the statement reads.
  [[nodiscard]] std::vector<std::optional<std::vector<ContextActivation>>> activations_in(
      Statement& select, int site, std::uint32_t feature, Scope scope, std::span<const Sample> samples) const;

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace saetap
