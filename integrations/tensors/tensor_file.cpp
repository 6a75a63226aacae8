#include "integrations/tensors/tensor_file.h"

#include <cstring>
#include <string_view>

#include "integrations/cli/failure.h"
#include "integrations/libtorch/first_line.h"
#include "integrations/tensor_files/tensor_file_error.h"

namespace saetap::tensors {

using cli::Failure;
using cli::Status;

namespace {

bool begins_with(const MappedFile& file, std::string_view bytes) {
  return file.bytes().size() >= bytes.size() && std::memcmp(file.bytes().data(), bytes.data(), bytes.size()) == 0;
}

NamedTensors tensors_of(const Mapping& file, const std::string& path) {
  if (begins_with(*file, "PK\3\4")) return pt_tensors(file);
  if (const auto stored = stored_tensors(file->bytes(), path)) {
    NamedTensors tensors;
    for (const StoredTensor& one : *stored) tensors.emplace_back(one.name, mapped_tensor(file, one));
    return tensors;
  }
  if (begins_with(*file, "\x80\2")) {
    throw Failure(Status::bad_input, "a pickle of torch.save before PyTorch 1.6: save it again with a newer one");
  }
  throw Failure(Status::bad_input, "neither .npy, nor .pt of torch.save, nor .safetensors");
}

const at::Tensor& chosen(const NamedTensors& tensors, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& [known, tensor] : tensors) names.push_back(known);
  return tensors[chosen_tensor(names, name)].second;
}

}  // namespace

at::Tensor open_tensor(const std::string& path) {
  const auto [file, name] = tensor_place(path);
  try {
    return chosen(tensors_of(std::make_shared<const MappedFile>(file), file), name).detach();
  } catch (const Failure& failure) {
    throw Failure(failure.status(), file + ": " + failure.what());
  } catch (const TensorFileError& error) {
    throw Failure(Status::bad_input, file + ": " + error.what());
  } catch (const std::exception& error) {
    throw Failure(Status::bad_input, file + ": LibTorch cannot read it: " + first_line(error));
  }
}

}  // namespace saetap::tensors
