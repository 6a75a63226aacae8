#include "integrations/libtorch/archive.h"

#include <limits>
#include <string>

#include "integrations/cli/failure.h"

namespace saetap {

void check_unpacked_size(caffe2::serialize::PyTorchStreamReader& archive, std::uint64_t file_bytes) {
  // PyTorch stores tensors as they are and compresses nothing but code and its debug information.
  constexpr std::uint64_t kMostOfCode = std::uint64_t{256} << 20;
  std::uint64_t unpacked = 0;
  for (const std::string& record : archive.getAllRecords()) {
    const std::uint64_t size = archive.getRecordSize(record);
    unpacked = size > std::numeric_limits<std::uint64_t>::max() - unpacked ? size : unpacked + size;
    if (unpacked <= kMostOfCode || unpacked - kMostOfCode <= file_bytes) continue;
    throw cli::Failure(cli::Status::bad_input, "a zip archive that unpacks to " + std::to_string(unpacked >> 20) +
                                                   " MiB or more; no file of PyTorch of this size does");
  }
}

}  // namespace saetap
