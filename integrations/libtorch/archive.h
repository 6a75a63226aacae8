// PyTorch's files are zip archives, and a zip archive may unpack to far more than it is.
#pragma once

#include <caffe2/serialize/inline_container.h>

#include <cstdint>

namespace saetap {

// To be asked before a record is read: LibTorch makes room for whatever size the archive claims. Throws cli::Failure,
// without the path.
void check_unpacked_size(caffe2::serialize::PyTorchStreamReader& archive, std::uint64_t file_bytes);

}  // namespace saetap
