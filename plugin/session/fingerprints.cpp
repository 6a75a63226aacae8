#include "plugin/session/fingerprints.h"

#include "plugin/trace/row_hash.h"

namespace saetap {

std::vector<std::uint64_t> row_fingerprints(const at::Tensor& rows) {
  const auto on_cpu = rows.device().is_cpu() ? rows : rows.to(at::kCPU);
  const auto matrix = on_cpu.reshape({-1, on_cpu.size(-1)}).contiguous();
  const auto row_bytes = static_cast<std::size_t>(matrix.size(1)) * matrix.element_size();
  const auto* memory = static_cast<const unsigned char*>(matrix.const_data_ptr());
  std::vector<std::uint64_t> fingerprints(static_cast<std::size_t>(matrix.size(0)));
  at::parallel_for(0, matrix.size(0), 256, [&](std::int64_t first, std::int64_t last) {
    for (auto row = first; row < last; ++row) {
      fingerprints[static_cast<std::size_t>(row)] =
          row_hash(memory + static_cast<std::size_t>(row) * row_bytes, row_bytes);
    }
  });
  return fingerprints;
}

}  // namespace saetap
