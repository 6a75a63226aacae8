#include "plugin/session/float_rows.h"

#include "plugin/session/parallel.h"
#include "plugin/trace/row_hash.h"

namespace saetap {

FloatRows::FloatRows(const at::Tensor& rows)
    : matrix_(rows.reshape({-1, rows.size(-1)}).to(at::kCPU, at::kFloat).contiguous()),
      fingerprints_(static_cast<std::size_t>(matrix_.size(0))) {
  const auto width = static_cast<std::size_t>(matrix_.size(1));
  const auto* values = matrix_.const_data_ptr<float>();
  in_parallel(matrix_.size(0), 256, [&](std::int64_t first, std::int64_t last) {
    for (auto row = static_cast<std::size_t>(first); row < static_cast<std::size_t>(last); ++row) {
      fingerprints_[row] = row_hash(values + row * width, width * sizeof(float));
    }
  });
}

RowMatrix FloatRows::view() const {
  if (!matrix_.defined()) return {nullptr, 0, fingerprints_};
  return {matrix_.const_data_ptr<float>(), static_cast<std::size_t>(matrix_.size(1)), fingerprints_};
}

ParallelFor libtorch_threads() {
  return [](std::size_t count, const std::function<void(std::size_t, std::size_t)>& work) {
    in_parallel(static_cast<std::int64_t>(count), 64, [&](std::int64_t first, std::int64_t last) {
      work(static_cast<std::size_t>(first), static_cast<std::size_t>(last));
    });
  };
}

}  // namespace saetap
