#include "integrations/tensors/activation_files.h"

#include <algorithm>
#include <array>

#include "integrations/cli/failure.h"
#include "integrations/tensors/tensor_file.h"
#include "plugin/number_text.h"

namespace saetap::tensors {

using cli::Failure;
using cli::Status;

namespace {

constexpr std::array<at::ScalarType, 4> kTypes{at::kFloat, at::kDouble, at::kHalf, at::kBFloat16};

// [rows, d] or [batch, length, d].
at::Tensor open_activations(const std::string& path) {
  const auto tensor = open_tensor(path);
  const bool is_rows = (tensor.dim() == 2 || tensor.dim() == 3) && tensor.size(-1) > 0;
  if (!is_rows || std::ranges::find(kTypes, tensor.scalar_type()) == kTypes.end()) {
    throw Failure(Status::bad_input,
                  path + ": " + shape_text(tensor.scalar_type(), tensor.sizes()) +
                      "; [rows, d] or [batch, length, d] of float32, float64, float16 or bfloat16 is needed");
  }
  return tensor;
}

// [rows, d]; mapped from the file unless its rows do not lie in order there.
at::Tensor rows_of(const at::Tensor& activations) {
  return activations.reshape({-1, activations.size(-1)});
}

at::Tensor open_rows(const std::string& path) {
  return rows_of(open_activations(path));
}

}  // namespace

ActivationFiles::ActivationFiles(std::vector<std::string> paths) : paths_(std::move(paths)) {
  for (const auto& path : paths_) {
    const auto activations = open_activations(path);
    const auto rows = rows_of(activations);
    lengths_.push_back(activations.dim() == 3 ? activations.size(1) : 0);
    if (width_ == 0) width_ = rows.size(1);
    if (rows.size(1) != width_) {
      throw Failure(Status::bad_input, path + ": rows of width " + std::to_string(rows.size(1)) + ", and those of " +
                                           paths_.front() + " have " + std::to_string(width_));
    }
    rows_of_.push_back(rows.size(0));
    rows_ += rows.size(0);
  }
}

std::string ActivationFiles::text() const {
  const auto rows = count_text(static_cast<std::uint64_t>(rows_)) + " rows";
  if (paths_.size() == 1) return paths_.front() + " holds " + rows;
  return std::to_string(paths_.size()) + " files of --activations hold " + rows;
}

std::string ActivationFiles::not_of_length(std::int64_t length) const {
  const auto other = std::ranges::find_if(lengths_, [&](auto own) { return own != 0 && own != length; });
  if (other == lengths_.end()) return "";
  const auto& path = paths_[static_cast<std::size_t>(other - lengths_.begin())];
  const auto activations = open_activations(path);
  return path + ", " + shape_text(activations.scalar_type(), activations.sizes());
}

std::int64_t ActivationFiles::advance(std::int64_t count) {
  const auto passed = std::min(count, rows_of_[file_] - row_);
  row_ += passed;
  if (row_ == rows_of_[file_]) {
    open_.reset();
    row_ = 0;
    ++file_;
  }
  return passed;
}

at::Tensor ActivationFiles::next(std::int64_t count) {
  std::vector<at::Tensor> parts;
  while (count > 0 && file_ < paths_.size()) {
    if (!open_.defined()) open_ = open_rows(paths_[file_]);
    if (open_.size(0) != rows_of_[file_]) {
      throw Failure(Status::bad_input, paths_[file_] + ": it changed while it was read");
    }
    const auto end = std::min(row_ + count, rows_of_[file_]);
    if (end > row_) parts.push_back(open_.slice(0, row_, end));
    count -= advance(count);
  }
  if (parts.size() == 1) return parts.front();
  return parts.empty() ? at::empty({0, width_}) : at::cat(parts);
}

void ActivationFiles::skip(std::int64_t count) {
  while (count > 0 && file_ < paths_.size()) count -= advance(count);
}

at::Tensor ActivationFiles::sample(std::int64_t count) const {
  const auto stride = std::max<std::int64_t>(1, rows_ / count);
  std::vector<at::Tensor> parts;
  std::int64_t left = std::min(count, rows_);
  std::int64_t skip = 0;  // rows of the next file before the next one wanted
  for (std::size_t file = 0; file < paths_.size() && left > 0; ++file) {
    if (skip < rows_of_[file]) {
      const auto wanted = std::min(left, (rows_of_[file] - skip + stride - 1) / stride);
      const auto rows = open_rows(paths_[file]);
      parts.push_back(rows.index_select(0, skip + at::arange(wanted) * stride).to(at::kFloat));
      left -= wanted;
      skip += wanted * stride;
    }
    skip -= rows_of_[file];
  }
  return parts.empty() ? at::empty({0, width_}) : at::cat(parts).contiguous();
}

}  // namespace saetap::tensors
