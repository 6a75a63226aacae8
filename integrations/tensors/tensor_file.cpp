#include "integrations/tensors/tensor_file.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "integrations/cli/failure.h"
#include "integrations/libtorch/first_line.h"

namespace saetap::tensors {

using cli::Failure;
using cli::Status;

namespace {

bool begins_with(const MappedFile& file, std::string_view bytes) {
  return file.bytes().size() >= bytes.size() && std::memcmp(file.bytes().data(), bytes.data(), bytes.size()) == 0;
}

NamedTensors tensors_of(const Mapping& file, const std::string& path) {
  if (begins_with(*file, "\x93NUMPY")) return {{"", npy_tensor(file)}};
  if (begins_with(*file, "PK\3\4")) return pt_tensors(file);
  if (path.ends_with(".safetensors")) return safetensors(file);
  if (begins_with(*file, "\x80\2")) {
    throw Failure(Status::bad_input, "a pickle of torch.save before PyTorch 1.6: save it again with a newer one");
  }
  throw Failure(Status::bad_input, "neither .npy, nor .pt of torch.save, nor .safetensors");
}

const at::Tensor& chosen(const NamedTensors& tensors, const std::string& name) {
  if (name.empty() && tensors.size() == 1) return tensors.front().second;
  const auto found = std::ranges::find(tensors, name, &NamedTensors::value_type::first);
  if (!name.empty() && found != tensors.end()) return found->second;
  std::string names;
  for (const auto& [known, tensor] : tensors) names += (names.empty() ? "" : ", ") + (known.empty() ? "one" : known);
  throw Failure(Status::bad_input,
                (name.empty() ? "which tensor? It holds " : "there is no tensor " + name + ", only ") +
                    (names.empty() ? "none" : names) +
                    (name.empty() && !names.empty() ? " (name one behind a colon, FILE:NAME)" : ""));
}

}  // namespace

TensorPlace tensor_place(const std::string& path) {
  const auto colon = path.rfind(':');
  std::error_code unknown;
  if (colon == std::string::npos || std::filesystem::exists(path, unknown)) return {path, ""};
  return {path.substr(0, colon), path.substr(colon + 1)};
}

at::Tensor open_tensor(const std::string& path) {
  const auto [file, name] = tensor_place(path);
  try {
    return chosen(tensors_of(std::make_shared<const MappedFile>(file), file), name).detach();
  } catch (const Failure& failure) {
    throw Failure(failure.status(), file + ": " + failure.what());
  } catch (const std::exception& error) {
    throw Failure(Status::bad_input, file + ": LibTorch cannot read it: " + first_line(error));
  }
}

}  // namespace saetap::tensors
