// From a row of activations back to its token: remembers what the language models returned, and looks rows up in it
// however they were buffered, shuffled and changed since.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/trace/activation_stream.h"
#include "plugin/trace/documents.h"
#include "plugin/trace/row_matcher.h"
#include "plugin/trace/row_matrix.h"
#include "plugin/trace/sequence_memory.h"
#include "plugin/trace/token_position.h"

namespace saetap {

// Where the tokens of a reader's rows come from.
enum class TokenSourceKind : std::uint8_t {
  none,         // rows are counted and kept without tokens
  told,         // the program said it: set_tokens
  in_step,      // the rows are those of the model's call before, in its order
  fingerprint,  // exact: the row's bits were met in what a model returned
  robust,       // the row was changed on the way, and found all the same
};
// As in the config and in what people read: "in_step".
[[nodiscard]] std::string_view name_of(TokenSourceKind source);
inline constexpr std::array<std::string_view, 5> kTokenSourceNames{"none", "told", "in_step", "fingerprint",
                                                                   "fingerprint_robust"};

struct TraceOptions {
  TokenRules rules;
  std::size_t buffer_rows = std::size_t{1} << 21;  // remembered of each stream, the newest
  // Which sources may be used. in_step by itself means: whenever a call has as many rows as the model's call before it,
  // unchecked, because the user said so; among several, it has to be shown by the rows themselves.
  bool use_told = true;
  bool use_in_step = true;
  bool use_exact = true;
  bool use_robust = true;

  [[nodiscard]] bool trusts_order() const { return use_in_step && !use_exact && !use_robust; }
};

// What became of a batch of rows.
struct Resolution {
  // [rows]. Where the token is not known: a sequence that names the run, and a running number.
  std::vector<TokenPosition> positions;
  std::vector<std::uint8_t> eligible;  // [rows], 0: the row does not count
  std::vector<std::int32_t> tokens;    // [rows]; kNoToken: it is not known, or the row does not count
  std::int64_t resolved = 0;           // brought back to their token; excluded ones included
  std::int64_t excluded = 0;
  std::int64_t ambiguous = 0;  // several tokens could be it; not resolved
};

// What is known of where a reader's rows come from, for people.
struct TraceReport {
  TokenSourceKind source = TokenSourceKind::none;
  std::string stream;  // the model or file; empty: none
  std::string why;     // what showed it
};

// Not thread-safe: the session holds its lock. `parallel` spreads the work of one call.
class Provenance {
 public:
  explicit Provenance(TraceOptions options, ParallelFor parallel = serial_for);

  // Remembers one output of a language model's call: row b·length + t is the activation at token t of sequence b.
  // `stream`: names the model and which of its outputs this is. Shapes that do not fit are passed over.
  void record(const std::string& stream, const TokenMatrix& tokens, const RowMatrix& rows);
  // The tokens of a model's call of which no output is remembered; for trusts_order().
  void record_tokens(const std::string& model, const TokenMatrix& tokens);

  // The program says which tokens the rows of the next call are: `rows` are places b·length + t, -1 for one without a
  // token; empty: all places in order. It holds for the next call of each reader with so many rows, and for calls with
  // the very same rows.
  void tell(const TokenMatrix& tokens, std::span<const std::int64_t> rows);

  // A stream of `capacity` rows whose fingerprints are known already (a file's); `pairs`: what they were signed with.
  // Null if there is one of this name and width. It lives as long as this, and forgets no signature: it gets no new
  // ones.
  ActivationStream* add_stream(const std::string& name, std::size_t width, std::size_t capacity,
                               const std::optional<DimensionPairs>& pairs);
  // Remembers rows of such a stream: those of the tokens that have one (`has_row`, one per token, 0: none), in order.
  // Shapes that do not fit are passed over.
  void record(ActivationStream& stream, const TokenMatrix& tokens, std::span<const std::uint8_t> has_row,
              std::span<const SignedRow> rows);

  // What a reader's first row is called that has no token; 0 unless a pass goes on where another ended.
  void number_rows_from(std::uint64_t first) { first_row_ = first; }

  // Looks the rows of an SAE's input up. `reader`: which site asks; each finds its own stream among those of the rows'
  // width. `unresolved`: names the run.
  [[nodiscard]] Resolution resolve(int reader, const RowMatrix& rows, SequenceId unresolved);

  [[nodiscard]] const TokenSource& tokens() const { return sequences_; }
  [[nodiscard]] TraceReport report(int reader) const;
  // Memory of everything remembered.
  [[nodiscard]] std::size_t bytes() const;

 private:
  // Origins in the order of the rows of one call, each counted in the memory of sequences while this lives.
  struct OrderedOrigins {
    std::string name;
    std::vector<RowOrigin> origins;
  };
  struct Reader {
    ActivationStream* stream = nullptr;
    std::optional<RowMatcher> matcher;  // of the stream's rows
    TraceReport report;
    std::size_t width = 0;
    std::uint64_t rows = 0;   // looked up so far
    std::uint64_t exact = 0;  // of these, found bit for bit
    std::uint64_t told = 0;   // number of the tell() used last
    std::uint64_t told_digest = 0;
    // Learning takes time, so it is tried ever more rarely where it fails.
    std::uint64_t calls = 0;
    std::uint64_t next_attempt = 0;
    std::uint64_t patience = 1;
    double usual_share = 0;  // of rows matched, since learning
    double recent_share = 0;
    std::vector<float> waiting;  // rows of calls too small to learn from
  };
  // One entry per row.
  struct Found {
    enum class What : std::uint8_t { nothing, origin, ambiguous };
    What what = What::nothing;
    RowOrigin origin;
  };

  bool from_told(Reader& reader, const RowMatrix& rows, std::vector<Found>& found);
  bool from_order(Reader& reader, const RowMatrix& rows, std::vector<Found>& found);
  bool from_fingerprints(int id, Reader& reader, const RowMatrix& rows, std::vector<Found>& found);
  bool from_checked_order(Reader& reader, const RowMatrix& rows, std::vector<Found>& found);
  bool from_signatures(int id, Reader& reader, const RowMatrix& rows, std::vector<Found>& found);
  void learn(Reader& reader, const RowMatrix& rows);
  Found settle(int id, ActivationStream& stream, const std::vector<std::uint32_t>& slots);
  [[nodiscard]] std::string why_nothing(std::size_t width) const;
  void drop_signatures_that_nobody_needs(std::size_t width);
  void replace(OrderedOrigins& kept, OrderedOrigins now);
  ActivationStream& stream_of_model(const std::string& name, std::size_t width);
  std::vector<RowOrigin> origins_of(std::span<const std::int32_t> tokens, std::span<const std::uint8_t> attended);
  OrderedOrigins ordered_origins(std::string name, const TokenMatrix& tokens);
  [[nodiscard]] std::vector<std::int32_t> tokens_of(const std::vector<Found>& found) const;
  [[nodiscard]] Resolution resolution_of(Reader& reader, const std::vector<Found>& found, SequenceId unresolved) const;

  TraceOptions options_;
  ParallelFor parallel_;
  SequenceMemory sequences_;
  // By name and width: an output may come in several widths.
  std::map<std::pair<std::string, std::size_t>, std::unique_ptr<ActivationStream>> streams_;
  std::map<int, Reader> readers_;
  OrderedOrigins latest_;  // of the latest model's call
  OrderedOrigins told_;
  std::uint64_t tellings_ = 0;
  std::uint64_t first_row_ = 0;
};

}  // namespace saetap
