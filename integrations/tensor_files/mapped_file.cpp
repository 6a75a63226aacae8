#include "integrations/tensor_files/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "integrations/tensor_files/tensor_file_error.h"

namespace saetap::tensors {

MappedFile::MappedFile(const std::string& path) {
  // A pipe would wait for ever if it were opened to be read by us alone.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) throw TensorFileError(std::strerror(errno));
  struct stat status {};
  const bool known = ::fstat(descriptor, &status) == 0;
  const bool regular = known && S_ISREG(status.st_mode);
  const auto size = regular ? static_cast<std::size_t>(status.st_size) : 0;
  void* memory = size > 0 ? ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0) : nullptr;
  const auto reason = memory == MAP_FAILED ? std::strerror(errno) : nullptr;
  ::close(descriptor);
  if (!regular) throw TensorFileError(S_ISDIR(status.st_mode) ? "it is a folder" : "it is no regular file");
  if (size == 0) throw TensorFileError("the file is empty");
  if (reason != nullptr) throw TensorFileError(reason);
  bytes_ = {static_cast<const std::byte*>(memory), size};
}

MappedFile::~MappedFile() {
  ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace saetap::tensors
