// Any bytes as an index file; then the same with checksums and lengths that fit, because a try never finds those.
#include <cstdint>
#include <cstring>
#include <vector>

#include "plugin/trace/row_file.h"
#include "plugin/trace/row_file_reader.h"
#include "plugin/trace/row_hash.h"
#include "tests/fuzz/fuzzed_file.h"

namespace {

using saetap::batch_bytes;
using saetap::head_bytes;

void read(const std::vector<std::byte>& bytes) {
  const std::string path = saetap::testing::fuzzed_file("fuzzed.saetap-index", bytes.data(), bytes.size());
  try {
    saetap::RowFileReader file(path);
    saetap::RowFileBatch batch;
    while (file.next(batch)) {
    }
  } catch (const saetap::RowFileError&) {
  }
}

void put_checksum(std::span<std::byte> part) {
  const std::uint64_t sum = saetap::row_hash(part.data(), part.size() - sizeof sum);
  std::memcpy(part.data() + part.size() - sizeof sum, &sum, sizeof sum);
}

void repair(std::vector<std::byte>& bytes) {
  constexpr std::size_t kFileLength = 40;  // where it stands in the head
  if (bytes.size() < saetap::kRowFileStart) return;
  try {
    const std::size_t head = head_bytes(bytes);
    if (head > bytes.size()) return;
    const std::uint64_t length = bytes.size();
    std::memcpy(bytes.data() + kFileLength, &length, sizeof length);
    put_checksum(std::span(bytes).first(head));
    const bool with_signatures = saetap::decode_head(std::span(bytes).first(head)).pairs.has_value();
    for (std::size_t at = head; bytes.size() - at >= saetap::kBatchStart;) {
      const auto rest = std::span(bytes).subspan(at);
      const std::size_t size = batch_bytes(rest.first(saetap::kBatchStart), with_signatures, rest.size());
      put_checksum(rest.first(size));
      at += size;
    }
  } catch (const saetap::RowFileError&) {  // as far as it is one
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* given, std::size_t size) {
  const auto* begin = reinterpret_cast<const std::byte*>(given);
  std::vector<std::byte> bytes(begin, begin + size);
  read(bytes);
  repair(bytes);
  read(bytes);
  return 0;
}
