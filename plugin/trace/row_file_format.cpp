#include "plugin/trace/row_file_format.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "plugin/trace/row_hash.h"

namespace saetap {

// Numbers are copied as they lie in memory.
static_assert(std::endian::native == std::endian::little, "index files need byte swapping on this machine");

namespace {

constexpr std::string_view kMagic = "saetapix";
// Magic, version, bytes of the head, rows, sequences, tokens, bytes of the file, width, bytes of the name, pairs, 0.
constexpr std::size_t kFixed = kRowFileStart + 4 * 8 + 4 * 4;
constexpr std::size_t kPairBytes = 16;
constexpr std::size_t kChecksum = 8;
constexpr std::size_t kLongestHead = kFixed + kLongestRowFileName + kSignatureBits * kPairBytes + kChecksum;

static_assert(sizeof(SignedRow) == 8 + kSignatureBits / 8);

class Writer {
 public:
  explicit Writer(std::vector<std::byte>& bytes) : bytes_(bytes) {}
  template <typename Number>
  void put(Number number) {
    put_all(&number, 1);
  }
  template <typename Item>
  void put_all(const Item* items, std::size_t count) {
    if (count == 0) return;
    bytes_.resize(bytes_.size() + count * sizeof(Item));
    std::memcpy(bytes_.data() + bytes_.size() - count * sizeof(Item), items, count * sizeof(Item));
  }

 private:
  std::vector<std::byte>& bytes_;
};

// The caller has looked at the size.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : left_(bytes) {}
  template <typename Number>
  Number get() {
    Number number;
    get_all(&number, 1);
    return number;
  }
  template <typename Item>
  void get_all(Item* items, std::size_t count) {
    if (count > 0) std::memcpy(items, left_.data(), count * sizeof(Item));
    left_ = left_.subspan(count * sizeof(Item));
  }

 private:
  std::span<const std::byte> left_;
};

void put_checksum(std::vector<std::byte>& bytes) {
  Writer(bytes).put(row_hash(bytes.data(), bytes.size()));
}

bool checksum_fits(std::span<const std::byte> bytes) {
  const auto body = bytes.first(bytes.size() - kChecksum);
  return Reader(bytes.last(kChecksum)).get<std::uint64_t>() == row_hash(body.data(), body.size());
}

[[noreturn]] void refuse_head(const std::string& what) {
  throw RowFileError("its head is damaged: " + what);
}

DimensionPairs decode_pairs(Reader& reader, std::size_t width) {
  std::array<DimensionPairs::Pair, kSignatureBits> pairs;
  reader.get_all(pairs.data(), pairs.size());
  for (const auto& pair : pairs) {
    const bool good = pair.first < width && pair.second < width && std::isfinite(pair.first_spread) &&
                      std::isfinite(pair.second_spread) && pair.first_spread >= 0 && pair.second_spread >= 0;
    if (!good) refuse_head("a pair of dimensions is not among the " + std::to_string(width));
  }
  return {pairs, width};
}

struct BatchStart {
  std::uint64_t first_sequence = 0;
  std::uint32_t sequences = 0;
  std::uint32_t length = 0;
  std::uint32_t rows = 0;
  std::uint32_t nothing = 0;
  [[nodiscard]] std::uint64_t tokens() const { return std::uint64_t{sequences} * length; }
};
static_assert(sizeof(BatchStart) == kBatchStart);

[[noreturn]] void refuse_batch(std::uint64_t first_sequence, const std::string& what) {
  throw RowFileError("it is damaged at sequence " + std::to_string(first_sequence) + ": " + what);
}

}  // namespace

bool is_row_file_name(std::string_view name) {
  const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7F; };
  return !name.empty() && name.size() <= kLongestRowFileName && std::ranges::none_of(name, is_control);
}

std::vector<std::byte> encode(const RowFileHead& head) {
  static_assert(sizeof(DimensionPairs::Pair) == kPairBytes);
  std::vector<std::byte> bytes;
  Writer writer(bytes);
  const std::size_t pairs = head.pairs ? kSignatureBits : 0;
  const auto size = kFixed + head.name.size() + pairs * kPairBytes + kChecksum;
  writer.put_all(kMagic.data(), kMagic.size());
  writer.put(kRowFileVersion);
  writer.put(static_cast<std::uint32_t>(size));
  for (const auto count : {head.rows, head.sequences, head.tokens, head.file_bytes}) writer.put(count);
  for (const auto count : {head.width, head.name.size(), pairs, std::size_t{0}}) {
    writer.put(static_cast<std::uint32_t>(count));
  }
  writer.put_all(head.name.data(), head.name.size());
  if (head.pairs) writer.put_all(head.pairs->pairs().data(), pairs);
  put_checksum(bytes);
  return bytes;
}

std::size_t head_bytes(std::span<const std::byte> start) {
  if (std::memcmp(start.data(), kMagic.data(), kMagic.size()) != 0) {
    throw RowFileError("it is no file of saetap index");
  }
  Reader reader(start.subspan(kMagic.size()));
  const auto version = reader.get<std::uint32_t>();
  if (version != kRowFileVersion) {
    throw RowFileError("it has version " + std::to_string(version) + " of the format, this program reads version " +
                       std::to_string(kRowFileVersion) + ": write it again with saetap index");
  }
  const auto size = reader.get<std::uint32_t>();
  if (size < kFixed + kChecksum || size > kLongestHead) refuse_head("its length is " + std::to_string(size));
  return size;
}

RowFileHead decode_head(std::span<const std::byte> bytes) {
  if (!checksum_fits(bytes)) refuse_head("the checksum differs");
  Reader reader(bytes.subspan(kRowFileStart));
  RowFileHead head;
  for (auto* count : {&head.rows, &head.sequences, &head.tokens, &head.file_bytes}) {
    *count = reader.get<std::uint64_t>();
  }
  head.width = reader.get<std::uint32_t>();
  const std::size_t name_bytes = reader.get<std::uint32_t>();
  const std::size_t pairs = reader.get<std::uint32_t>();
  reader.get<std::uint32_t>();
  if (pairs != 0 && pairs != kSignatureBits) refuse_head(std::to_string(pairs) + " pairs of dimensions");
  if (bytes.size() != kFixed + name_bytes + pairs * kPairBytes + kChecksum) refuse_head("its parts do not fill it");
  if (head.width == 0) refuse_head("its rows have no width");
  if (head.rows > kMostFileRows) refuse_head(std::to_string(head.rows) + " rows");
  head.name.resize(name_bytes);
  reader.get_all(head.name.data(), name_bytes);
  if (!is_row_file_name(head.name)) refuse_head("its name is none");
  if (pairs > 0) head.pairs = decode_pairs(reader, head.width);
  return head;
}

std::size_t batch_bytes(std::span<const std::byte> start, bool with_signatures, std::uint64_t most) {
  const auto batch = Reader(start).get<BatchStart>();
  // No term overflows: two numbers of 32 bits are multiplied, and then by small ones.
  const auto tokens = batch.tokens();
  const auto row = with_signatures ? sizeof(SignedRow) : sizeof(std::uint64_t);
  if (tokens == 0 || tokens > most / 5 || batch.rows > tokens || batch.rows > most / row) {
    refuse_batch(batch.first_sequence, std::to_string(batch.sequences) + " sequences of " +
                                           std::to_string(batch.length) + " tokens with " + std::to_string(batch.rows) +
                                           " rows do not fit into what is left of the file");
  }
  const auto bytes = kBatchStart + tokens * 5 + batch.rows * row + kChecksum;
  if (bytes > most) refuse_batch(batch.first_sequence, "it reaches beyond the end of the file");
  return static_cast<std::size_t>(bytes);
}

void encode(const RowFileBatch& batch, bool with_signatures, std::vector<std::byte>& bytes) {
  bytes.clear();
  Writer writer(bytes);
  writer.put(BatchStart{batch.first_sequence, static_cast<std::uint32_t>(batch.ids.size() / batch.length),
                        static_cast<std::uint32_t>(batch.length), static_cast<std::uint32_t>(batch.rows.size()), 0});
  writer.put_all(batch.ids.data(), batch.ids.size());
  writer.put_all(batch.flags.data(), batch.flags.size());
  if (with_signatures) {
    writer.put_all(batch.rows.data(), batch.rows.size());
  } else {
    for (const auto& row : batch.rows) writer.put(row.fingerprint);
  }
  put_checksum(bytes);
}

void decode_batch(std::span<const std::byte> bytes, bool with_signatures, RowFileBatch& batch) {
  Reader reader(bytes);
  const auto start = reader.get<BatchStart>();
  if (!checksum_fits(bytes)) refuse_batch(start.first_sequence, "the checksum differs");
  const auto tokens = static_cast<std::size_t>(start.tokens());
  batch.first_sequence = start.first_sequence;
  batch.length = start.length;
  batch.ids.resize(tokens);
  batch.flags.resize(tokens);
  batch.rows.assign(start.rows, {});
  reader.get_all(batch.ids.data(), tokens);
  reader.get_all(batch.flags.data(), tokens);
  if (with_signatures) {
    reader.get_all(batch.rows.data(), batch.rows.size());
  } else {
    for (auto& row : batch.rows) row.fingerprint = reader.get<std::uint64_t>();
  }
  // A checksum says that nothing was damaged, not that it was right when it was made.
  if (std::ranges::any_of(batch.ids, [](auto id) { return id < 0; })) {
    refuse_batch(start.first_sequence, "a token id is negative");
  }
  const auto with_row = std::ranges::count_if(batch.flags, [](auto flags) { return (flags & kHasRow) != 0; });
  if (static_cast<std::size_t>(with_row) != batch.rows.size()) {
    refuse_batch(start.first_sequence, std::to_string(with_row) + " tokens have a row, and there are " +
                                           std::to_string(batch.rows.size()) + " rows");
  }
}

}  // namespace saetap
