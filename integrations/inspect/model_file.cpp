#include "integrations/inspect/model_file.h"

#include <caffe2/serialize/inline_container.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "integrations/cli/failure.h"
#include "integrations/libtorch/archive.h"
#include "integrations/libtorch/first_line.h"

namespace saetap::inspect {

namespace fs = std::filesystem;
using caffe2::serialize::PyTorchStreamReader;
using cli::Failure;
using cli::Status;

namespace {

constexpr const char* kDamaged = "the file is cut short or damaged";
constexpr const char* kOtherArchive = "a zip archive, but not a TorchScript file";

[[noreturn]] void refuse(const std::string& reason) {
  throw Failure(Status::bad_input, reason);
}

void check_readable(const std::string& path) {
  std::error_code failed;
  const auto status = fs::status(path, failed);
  if (status.type() == fs::file_type::directory) refuse("it is a folder");
  // LibTorch would wait for ever at a pipe.
  if (fs::exists(status) && status.type() != fs::file_type::regular) refuse("it is no regular file");
  if (access(path.c_str(), R_OK) != 0) refuse(std::strerror(errno));
}

bool begins_as_zip(const std::string& path) {
  std::array<char, 4> start{};
  std::ifstream(path, std::ios::binary).read(start.data(), start.size());
  return std::string_view(start.data(), start.size()) == std::string_view("PK\3\4", 4);
}

bool says(const std::exception& error, std::string_view words) {
  return std::string_view(error.what()).find(words) != std::string_view::npos;
}

// Every file of torch.save and torch.jit.save is a zip archive; what is inside tells them apart.
void check_contents(const std::string& path) {
  if (fs::file_size(path) == 0) refuse("the file is empty");
  if (!begins_as_zip(path)) refuse("not a TorchScript file, as torch.jit.save writes it");
  std::unique_ptr<PyTorchStreamReader> archive;
  try {
    archive = std::make_unique<PyTorchStreamReader>(path);
  } catch (const std::exception& error) {
    const bool whole = says(error, "not in a subdirectory") || says(error, "hasRecord(\"version\")");
    refuse(whole ? kOtherArchive : kDamaged);
  }
  check_unpacked_size(*archive, fs::file_size(path));
  if (archive->hasRecord("constants.pkl") || archive->hasRecord("model.json")) return;
  if (archive->hasRecord("archive_format")) refuse("an archive of torch.export, not a TorchScript file");
  if (!archive->hasRecord("data.pkl")) refuse(kOtherArchive);
  refuse("written by torch.save (a state dict or a pickled object): it holds no code, as torch.jit.save writes it");
}

}  // namespace

torch::jit::Module load_model(const std::string& path) {
  check_readable(path);
  check_contents(path);
  try {
    return torch::jit::load(path, at::kCPU);
  } catch (const std::exception& error) {
    const bool damaged = says(error, "PytorchStreamReader failed") || says(error, "INTERNAL ASSERT");
    refuse(damaged ? kDamaged : "LibTorch cannot load it: " + first_line(error));
  }
}

}  // namespace saetap::inspect
