// The layout of an index file: rows of activations by their fingerprints, with the text they belong to.
// docs/file_format.md describes it for those who read it without us.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/trace/row_signature.h"

namespace saetap {

// One line, a reason a user can act on.
class RowFileError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A change of row_hash or of DimensionPairs::sign changes the format too.
inline constexpr std::uint32_t kRowFileVersion = 1;
inline constexpr std::size_t kLongestRowFileName = 1024;
// Whether it fits into a line: 1 to kLongestRowFileName bytes, no control characters.
[[nodiscard]] bool is_row_file_name(std::string_view name);
// A row's number has to fit into 31 bits, see RowIndex.
inline constexpr std::uint64_t kMostFileRows = std::uint64_t{1} << 31;

// What stands before the batches.
struct RowFileHead {
  std::string name;  // of the stream, for people
  std::size_t width = 0;
  // Nothing: rows without robust fingerprints, as narrow ones are.
  std::optional<DimensionPairs> pairs;
  std::uint64_t rows = 0;
  std::uint64_t sequences = 0;
  std::uint64_t tokens = 0;  // those without a row included
  std::uint64_t file_bytes = 0;
};

// The bytes that every head begins with: enough to know its length.
inline constexpr std::size_t kRowFileStart = 16;
[[nodiscard]] std::vector<std::byte> encode(const RowFileHead& head);
// `start`: kRowFileStart bytes. Throws RowFileError: no index file, or one of another version.
[[nodiscard]] std::size_t head_bytes(std::span<const std::byte> start);
// `bytes`: as many as head_bytes says. Throws RowFileError.
[[nodiscard]] RowFileHead decode_head(std::span<const std::byte> bytes);

// What each token of a batch is, one byte.
inline constexpr std::uint8_t kAttended = 1;
inline constexpr std::uint8_t kHasRow = 2;

// Some rows of tokens, all of one length, and the rows of activations of those tokens that have one, in their order.
struct RowFileBatch {
  std::uint64_t first_sequence = 0;  // running number in the file
  std::size_t length = 0;
  std::vector<std::int32_t> ids;    // [sequences · length]
  std::vector<std::uint8_t> flags;  // the same: kAttended, kHasRow
  std::vector<SignedRow> rows;
};

// The part of a batch that tells its size: first_sequence, sequences, length, rows, 0.
inline constexpr std::size_t kBatchStart = 24;
// With the checksum. `start`: kBatchStart bytes. Throws RowFileError where this is more than `most`.
[[nodiscard]] std::size_t batch_bytes(std::span<const std::byte> start, bool with_signatures, std::uint64_t most);
void encode(const RowFileBatch& batch, bool with_signatures, std::vector<std::byte>& bytes);
// `bytes`: as many as batch_bytes says. Throws RowFileError.
void decode_batch(std::span<const std::byte> bytes, bool with_signatures, RowFileBatch& batch);

}  // namespace saetap
