// What torch.save and torch::save write: a zip archive with a pickle that tells of the tensors, and their bytes as they
// are, which are mapped.
#include <caffe2/serialize/inline_container.h>
#include <torch/csrc/jit/serialization/unpickler.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "integrations/cli/failure.h"
#include "integrations/libtorch/archive.h"
#include "integrations/libtorch/first_line.h"
#include "integrations/tensors/tensor_file.h"

namespace saetap::tensors {

using caffe2::serialize::PyTorchStreamReader;
using cli::Failure;
using cli::Status;

namespace {

constexpr std::string_view kReadable = "a tensor or a plain dict of tensors can be read";

[[noreturn]] void refuse(const std::string& reason) {
  throw Failure(Status::bad_input, reason);
}

class MappedReader : public caffe2::serialize::ReadAdapterInterface {
 public:
  explicit MappedReader(Mapping file) : file_(std::move(file)) {}
  [[nodiscard]] std::size_t size() const override { return file_->bytes().size(); }
  std::size_t read(std::uint64_t at, void* to, std::size_t count, const char* /*what*/) const override {
    if (at >= size()) return 0;
    count = std::min<std::size_t>(count, size() - at);
    std::memcpy(to, file_->bytes().data() + at, count);
    return count;
  }

 private:
  Mapping file_;
};

// The archive's tensors where they lie in the file.
class Records {
 public:
  Records(Mapping file, PyTorchStreamReader& archive) : file_(std::move(file)), archive_(archive) {}

  at::DataPtr map(const std::string& name) {
    if (!is_stored_as_it_is(name)) refuse("its tensors are compressed: save it again with torch.save");
    const auto size = archive_.getRecordSize(name);
    const auto offset = archive_.getRecordOffset(name);
    const auto bytes = file_->bytes();
    if (offset > bytes.size() || size > bytes.size() - offset) refuse("the file is cut short or damaged");
    const auto* begin = bytes.data() + offset;
    sizes_[begin] = size;
    return {const_cast<std::byte*>(begin), new Mapping(file_), [](void* kept) { delete static_cast<Mapping*>(kept); },
            at::kCPU};
  }

  // The pickle says how large a tensor's memory is, and where in it the tensor lies; LibTorch believes it.
  void check(const at::Tensor& tensor) const {
    if (tensor.layout() != at::kStrided || !tensor.has_storage()) refuse("a tensor that is not dense");
    if (tensor.numel() == 0) return;
    const auto known = sizes_.find(static_cast<const std::byte*>(tensor.storage().data()));
    std::uint64_t last = static_cast<std::uint64_t>(tensor.storage_offset());
    bool good = known != sizes_.end() && tensor.storage_offset() >= 0;
    for (std::int64_t d = 0; good && d < tensor.dim(); ++d) {
      std::uint64_t reach = 0;
      good = tensor.stride(d) >= 0 && tensor.size(d) >= 0 &&
             !__builtin_mul_overflow(static_cast<std::uint64_t>(tensor.stride(d)),
                                     static_cast<std::uint64_t>(tensor.size(d) - 1), &reach) &&
             !__builtin_add_overflow(last, reach, &last);
    }
    if (!good || last >= known->second / tensor.element_size()) {
      refuse("it is damaged: a tensor does not lie within the bytes stored for it");
    }
  }

 private:
  // By the method in the record's local header (PKWARE's APPNOTE.TXT, 4.3.7); 0 is stored.
  bool is_stored_as_it_is(const std::string& name) {
    constexpr std::size_t kMethod = 8, kMethodBytes = 2;
    const auto header = archive_.getRecordHeaderOffset(name);
    const auto bytes = file_->bytes();
    if (header > bytes.size() || bytes.size() - header < kMethod + kMethodBytes)
      refuse("the file is cut short or damaged");
    std::uint16_t method = 0;
    std::memcpy(&method, bytes.data() + header + kMethod, kMethodBytes);
    return method == 0;
  }

  Mapping file_;
  PyTorchStreamReader& archive_;
  std::map<const std::byte*, std::size_t> sizes_;
};

c10::IValue unpickled(PyTorchStreamReader& archive, Records& records) {
  const auto [pickle, size] = archive.getRecord("data.pkl");
  const auto* at = static_cast<const char*>(pickle.get());
  const auto* end = at + size;
  const auto read = [&](char* to, std::size_t count) {
    count = std::min<std::size_t>(count, static_cast<std::size_t>(end - at));
    std::memcpy(to, at, count);
    at += count;
    return count;
  };
  torch::jit::Unpickler unpickler(
      read, nullptr, nullptr, [&](const std::string& name) { return records.map("data/" + name); }, at::kCPU);
  try {
    return unpickler.parse_ivalue();
  } catch (const Failure&) {
    throw;
  } catch (const std::exception&) {
    // LibTorch's words for it are those of an assertion.
    refuse(std::string(kReadable) +
           "; it holds something else (an OrderedDict, a list, a class of its own), or it is damaged");
  }
}

NamedTensors saved_tensors(const Mapping& file, PyTorchStreamReader& archive) {
  if (archive.hasRecord("byteorder")) {
    const auto [order, size] = archive.getRecord("byteorder");
    if (std::string_view(static_cast<const char*>(order.get()), size) != "little") refuse("it is big-endian");
  }
  Records records(file, archive);
  const auto value = unpickled(archive, records);
  NamedTensors tensors;
  if (value.isTensor()) tensors.emplace_back("", value.toTensor());
  if (value.isGenericDict()) {
    for (const auto& entry : value.toGenericDict()) {
      if (entry.key().isString() && entry.value().isTensor()) {
        tensors.emplace_back(entry.key().toStringRef(), entry.value().toTensor());
      }
    }
  }
  for (const auto& [name, tensor] : tensors) records.check(tensor);
  if (tensors.empty()) refuse(std::string(kReadable) + "; it holds " + value.tagKind());
  return tensors;
}

// C++'s torch::save makes a module of a tensor; not mapped.
NamedTensors module_tensors(const Mapping& file) {
  const auto module = torch::jit::load(std::make_shared<MappedReader>(file), at::kCPU);
  NamedTensors tensors;
  for (const auto& attribute : module.named_attributes(/*recurse=*/false)) {
    if (attribute.value.isTensor()) tensors.emplace_back(attribute.name, attribute.value.toTensor());
  }
  return tensors;
}

}  // namespace

NamedTensors pt_tensors(const Mapping& file) {
  std::unique_ptr<PyTorchStreamReader> archive;
  try {
    archive = std::make_unique<PyTorchStreamReader>(std::make_shared<MappedReader>(file));
  } catch (const std::exception& error) {
    refuse("a zip archive that is not of PyTorch, or it is cut short or damaged: " + first_line(error));
  }
  check_unpacked_size(*archive, file->bytes().size());
  if (archive->hasRecord("constants.pkl")) return module_tensors(file);
  if (archive->hasRecord("data.pkl")) return saved_tensors(file, *archive);
  refuse("a zip archive, but not one of torch.save");
}

}  // namespace saetap::tensors
