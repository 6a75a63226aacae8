#include "integrations/tensors/token_file.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "integrations/cli/failure.h"
#include "integrations/tensor_files/tensor_file_error.h"
#include "integrations/tensors/tensor_file.h"

namespace saetap::tensors {

using cli::Failure;
using cli::Status;

namespace {

constexpr std::int64_t kLargestId = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kTokensAtOnce = 8192;

[[noreturn]] void refuse(const std::string& path, const std::string& reason) {
  throw Failure(Status::bad_input, path + ": " + reason);
}

at::Tensor open_raw(const std::string& path) {
  const auto file = [&] {
    try {
      return std::make_shared<const MappedFile>(path);
    } catch (const TensorFileError& error) {
      refuse(path, error.what());
    }
  }();
  const auto bytes = file->bytes().size();
  if (bytes % 4 != 0) refuse(path, std::to_string(bytes) + " bytes are no whole number of int32 ids");
  return mapped_tensor(
      file, {.name = "", .type = NumberType::i32, .shape = {static_cast<std::int64_t>(bytes / 4)}, .offset = 0});
}

// [rows, length], whatever the file has.
at::Tensor open_rows(const std::string& path, std::int64_t length) {
  auto tensor = path.ends_with(".bin") ? open_raw(path) : open_tensor(path);
  const auto shape = shape_text(tensor.scalar_type(), tensor.sizes());
  if (tensor.dim() == 2) {
    if (length > 0 && tensor.size(1) != length) {
      refuse(path,
             shape + " has rows of " + std::to_string(tensor.size(1)) + ", and --length is " + std::to_string(length));
    }
  } else if (tensor.dim() == 1) {
    if (length == 0) refuse(path, shape + " is flat: say with --length how many tokens are in a row");
    if (tensor.size(0) % length != 0) {
      refuse(path, std::to_string(tensor.size(0)) + " tokens are no whole number of rows of " + std::to_string(length));
    }
    tensor = tensor.view({-1, length});
  } else {
    refuse(path, shape + "; [rows, length] or flat is needed");
  }
  if (tensor.numel() == 0) refuse(path, shape + " holds no token");
  return tensor;
}

}  // namespace

TokenFile::TokenFile(std::string path, std::string mask_path, const TokenReading& reading)
    : path_(std::move(path)),
      mask_path_(std::move(mask_path)),
      ids_(open_rows(path_, reading.length)),
      omitted_ids_(reading.omitted_ids),
      omit_masked_(reading.omit_masked) {
  std::ranges::sort(omitted_ids_);
  if (!at::isIntegralType(ids_.scalar_type(), /*includeBool=*/false)) {
    refuse(path_, shape_text(ids_.scalar_type(), ids_.sizes()) + "; token ids are integers");
  }
  if (mask_path_.empty()) return;
  mask_ = open_rows(mask_path_, reading.length);
  if (!mask_.sizes().equals(ids_.sizes())) {
    refuse(mask_path_, shape_text(mask_.scalar_type(), mask_.sizes()) + " is no mask of " + path_ + ", " +
                           shape_text(ids_.scalar_type(), ids_.sizes()));
  }
}

std::string TokenFile::text() const {
  return path_ + ", " + shape_text(ids_.scalar_type(), ids_.sizes());
}

TokenRows TokenFile::read(std::int64_t first, std::int64_t count) const {
  const auto where = [&](std::int64_t i) {
    return " in row " + std::to_string(first + i / length()) + ", place " + std::to_string(i % length());
  };
  const auto ids = ids_.slice(0, first, first + count).to(at::kLong).contiguous();
  const auto* id = ids.const_data_ptr<std::int64_t>();
  at::Tensor mask;
  if (mask_.defined()) mask = mask_.slice(0, first, first + count).to(at::kDouble).contiguous();
  const auto* attended = mask.defined() ? mask.const_data_ptr<double>() : nullptr;
  TokenRows rows;
  for (std::int64_t i = 0; i < ids.numel(); ++i) {
    if (id[i] < 0 || id[i] > kLargestId) {
      refuse(path_, "the token id" + where(i) + " is " + std::to_string(id[i]) + "; 0 to " +
                        std::to_string(kLargestId) + " are allowed");
    }
    if (attended != nullptr && attended[i] != 0 && attended[i] != 1) {
      refuse(mask_path_, "the mask" + where(i) + " is " + std::to_string(attended[i]) + "; 0 and 1 are allowed");
    }
    const bool seen = attended == nullptr || attended[i] != 0;
    const bool omitted = std::ranges::binary_search(omitted_ids_, id[i]) || (omit_masked_ && !seen);
    rows.ids.push_back(static_cast<std::int32_t>(id[i]));
    rows.attended.push_back(seen ? 1 : 0);
    rows.has_row.push_back(omitted ? 0 : 1);
    rows.with_row += omitted ? 0 : 1;
  }
  return rows;
}

void TokenFile::for_each(const std::function<void(const TokenRows&)>& work) const {
  const auto at_once = std::max<std::int64_t>(1, kTokensAtOnce / length());
  for (std::int64_t first = 0; first < rows(); first += at_once) work(read(first, std::min(at_once, rows() - first)));
}

TokenCounts count_tokens(const TokenFile& tokens) {
  TokenCounts counts;
  bool attended = false;
  tokens.for_each([&](const TokenRows& rows) {
    counts.all += static_cast<std::int64_t>(rows.ids.size());
    counts.with_row += rows.with_row;
    attended = attended || std::ranges::find(rows.attended, std::uint8_t{1}) != rows.attended.end();
  });
  if (!attended) refuse(tokens.path(), "its mask leaves out every token; 1 is what is attended to");
  return counts;
}

std::vector<TokenFile> open_token_files(const std::vector<std::string>& paths, const std::vector<std::string>& masks,
                                        const TokenReading& reading) {
  if (!masks.empty() && masks.size() != paths.size()) {
    throw Failure(Status::bad_input, std::to_string(paths.size()) + " files of --tokens and " +
                                         std::to_string(masks.size()) + " of --mask: as many are needed");
  }
  std::vector<TokenFile> files;
  for (std::size_t i = 0; i < paths.size(); ++i) files.emplace_back(paths[i], masks.empty() ? "" : masks[i], reading);
  return files;
}

}  // namespace saetap::tensors
