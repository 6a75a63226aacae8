#include "integrations/tensors/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>

#include "integrations/cli/failure.h"

namespace saetap::tensors {

using cli::Failure;
using cli::Status;

namespace {

// "float32": as numpy and PyTorch's users say it.
std::string type_name(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return "float32";
    case at::kDouble:
      return "float64";
    case at::kHalf:
      return "float16";
    case at::kInt:
      return "int32";
    case at::kLong:
      return "int64";
    case at::kShort:
      return "int16";
    case at::kChar:
      return "int8";
    case at::kByte:
      return "uint8";
    default:
      break;
  }
  std::string name = c10::toString(type);
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name;
}

}  // namespace

MappedFile::MappedFile(const std::string& path) {
  // A pipe would wait for ever if it were opened to be read by us alone.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) throw Failure(Status::bad_input, std::strerror(errno));
  struct stat status {};
  const bool known = ::fstat(descriptor, &status) == 0;
  const bool regular = known && S_ISREG(status.st_mode);
  const auto size = regular ? static_cast<std::size_t>(status.st_size) : 0;
  void* memory = size > 0 ? ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0) : nullptr;
  const auto reason = memory == MAP_FAILED ? std::strerror(errno) : nullptr;
  ::close(descriptor);
  if (!regular) throw Failure(Status::bad_input, S_ISDIR(status.st_mode) ? "it is a folder" : "it is no regular file");
  if (size == 0) throw Failure(Status::bad_input, "the file is empty");
  if (reason != nullptr) throw Failure(Status::bad_input, reason);
  bytes_ = {static_cast<const std::byte*>(memory), size};
}

MappedFile::~MappedFile() {
  ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

std::optional<std::uint64_t> tensor_bytes(at::ScalarType type, const std::vector<std::int64_t>& shape) {
  std::uint64_t bytes = c10::elementSize(type);
  // A 0 among them must not hide that the others are impossible: LibTorch multiplies them in turn.
  for (const auto size : shape) {
    if (size < 0 || __builtin_mul_overflow(bytes, std::max<std::uint64_t>(1, static_cast<std::uint64_t>(size)), &bytes))
      return std::nullopt;
  }
  if (bytes > std::uint64_t{1} << 62) return std::nullopt;
  return std::ranges::find(shape, 0) != shape.end() ? 0 : bytes;
}

std::string shape_text(at::ScalarType type, at::IntArrayRef shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "] of " + type_name(type);
}

at::Tensor mapped_tensor(const Mapping& file, std::uint64_t offset, at::ScalarType type,
                         const std::vector<std::int64_t>& shape) {
  const auto bytes = tensor_bytes(type, shape);
  const auto size = file->bytes().size();
  if (!bytes || offset > size || *bytes > size - offset) {
    throw Failure(Status::bad_input, "its header promises " + shape_text(type, shape) +
                                         (bytes ? ", " + std::to_string(*bytes) + " bytes" : "") + ", and " +
                                         std::to_string(offset > size ? 0 : size - offset) + " are there");
  }
  const auto* begin = file->bytes().data() + offset;
  if (reinterpret_cast<std::uintptr_t>(begin) % c10::elementSize(type) != 0) {
    auto copy = at::empty(shape, type);
    if (*bytes > 0) std::memcpy(copy.mutable_data_ptr(), begin, *bytes);
    return copy;
  }
  return at::from_blob(
      const_cast<std::byte*>(begin), shape, [file](void*) {}, type);
}

}  // namespace saetap::tensors
