#include "plugin/session/parallel.h"

#include <ATen/Parallel.h>
#include <ATen/TensorIterator.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace saetap {

// at::parallel_for is a template that does everything on one thread in code that is not compiled with OpenMP; compiled
// with it, we would bring a second OpenMP and its threads into the process. A tensor iterator's loop is run by
// LibTorch's own code: here over a tensor of the numbers of the parts.
void in_parallel(std::int64_t count, std::int64_t least, c10::function_ref<void(std::int64_t, std::int64_t)> part) {
  const auto threads = at::in_parallel_region() ? 1 : at::get_num_threads();
  const auto parts = std::clamp<std::int64_t>(count / least, 1, threads);
  if (parts == 1) {
    if (count > 0) part(0, count);
    return;
  }
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(parts));
  std::iota(numbers.begin(), numbers.end(), 0);
  const auto tensor = at::from_blob(numbers.data(), {parts}, at::kLong);
  auto iterator = at::TensorIteratorConfig().add_const_input(tensor).build();
  iterator.for_each(
      [&](char** data, const std::int64_t* strides, std::int64_t size, std::int64_t) {
        for (std::int64_t i = 0; i < size;
             ++i) {  // the tensor has one dimension, the loop of a second one has one turn
          const auto number = *reinterpret_cast<const std::int64_t*>(data[0] + i * strides[0]);
          part(count * number / parts, count * (number + 1) / parts);
        }
      },
      1);
}

}  // namespace saetap
