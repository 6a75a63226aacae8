// From a row of activations back to its token: remembers what the language models returned, and looks rows up in it
// however they were buffered and shuffled since.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "plugin/trace/row_index.h"
#include "plugin/trace/token_position.h"

namespace saetap {

// Which rows never count.
struct IgnoreRule {
  std::vector<std::int32_t> token_ids;  // special tokens, padding; also stripped from the ends of a sequence
  std::int64_t first_positions = 0;     // of the stripped sequence
};

// The tokens of the sequences that some remembered row belongs to.
class SequenceMemory : public TokenSource {
 public:
  [[nodiscard]] std::span<const std::int32_t> tokens(SequenceId sequence) const override;
  [[nodiscard]] SequenceId id(std::uint32_t slot) const { return sequences_[slot].id; }

  // The slot of a sequence with these (stripped) tokens; it is kept while it has rows.
  std::uint32_t slot_of(std::span<const std::int32_t> stripped);
  void add_row(std::uint32_t slot) { ++sequences_[slot].rows; }
  void drop_row(std::uint32_t slot);

 private:
  struct Sequence {
    SequenceId id = 0;
    std::vector<std::int32_t> tokens;
    std::uint32_t rows = 0;  // remembered ones, over all streams
  };
  std::vector<Sequence> sequences_;
  std::vector<std::uint32_t> free_;
  std::unordered_map<SequenceId, std::uint32_t> slots_;
};

// Fingerprints of rows, [rows]; all of rows with the same number of bytes.
struct RowFingerprints {
  std::span<const std::uint64_t> values;
  std::size_t row_bytes = 0;
};

// What became of a batch of rows. Excluded rows are resolved, too.
struct Resolution {
  std::vector<TokenPosition> positions;  // [rows]
  std::vector<std::uint8_t> eligible;    // [rows], 0: the row does not count
  std::int64_t resolved = 0;
  std::int64_t excluded = 0;
};

// Not thread-safe: the session holds its lock.
class Provenance {
 public:
  Provenance(IgnoreRule ignore, std::size_t buffer_rows);

  // Remembers one output of a language model's call: row b·length + t is the activation at token t of sequence b.
  // `stream`: names the model and which of its outputs this is. `tokens`: [batch, length].
  void record(const std::string& stream, std::span<const std::int32_t> tokens, std::int64_t length,
              RowFingerprints rows);

  // Looks the rows of an SAE's input up. `reader`: which site asks; each finds its own stream among those whose rows
  // have the same number of bytes. `unresolved`: names the run; a row that is not found gets the place (unresolved, its
  // running number).
  [[nodiscard]] Resolution resolve(int reader, RowFingerprints rows, SequenceId unresolved);

  [[nodiscard]] const TokenSource& tokens() const { return sequences_; }
  // The stream that a reader's rows come from; empty while none was found.
  [[nodiscard]] std::string stream_of(int reader) const;

 private:
  struct Stream {
    std::string name;
    RowIndex index;
  };
  struct Reader {
    Stream* stream = nullptr;
    std::uint64_t rows = 0;  // looked up so far
  };

  std::vector<RowOrigin> origins_of(std::span<const std::int32_t> sequence);
  Stream* likeliest_stream(const RowFingerprints& rows);

  IgnoreRule ignore_;
  std::size_t buffer_rows_;
  SequenceMemory sequences_;
  // By name and size of a row: one output may come in several widths or formats (autocast on and off).
  std::map<std::pair<std::string, std::size_t>, std::unique_ptr<Stream>> streams_;
  std::map<int, Reader> readers_;
};

}  // namespace saetap
