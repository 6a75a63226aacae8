#include "integrations/tensor_files/matrix_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cstring>

#include "integrations/tensor_files/tensor_file_error.h"
#include "plugin/store/half.h"

namespace saetap::tensors {

namespace {

StoredTensor matrix_in(std::span<const std::byte> file, const TensorPlace& place) {
  const auto tensors = stored_tensors(file, place.file);
  if (!tensors) throw TensorFileError("neither .npy nor .safetensors");
  std::vector<std::string> names;
  for (const StoredTensor& tensor : *tensors) names.push_back(tensor.name);
  const StoredTensor& chosen = (*tensors)[chosen_tensor(names, place.name)];
  const bool floats = chosen.type == NumberType::f32 || chosen.type == NumberType::f64 ||
                      chosen.type == NumberType::f16 || chosen.type == NumberType::bf16;
  if (chosen.shape.size() != 2 || !floats) {
    throw TensorFileError(shape_text(chosen) + "; a matrix of float32, float64, float16 or bfloat16 is needed");
  }
  return chosen;
}

// Of numbers that lie at any address.
template <typename Stored, typename Widened>
void widen(const std::byte* from, std::span<float> values, Widened widened) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    Stored stored{};
    std::memcpy(&stored, from + i * sizeof stored, sizeof stored);
    values[i] = widened(stored);
  }
}

}  // namespace

MatrixFile::MatrixFile(const std::string& path) {
  const TensorPlace place = tensor_place(path);
  path_ = place.file;
  try {
    file_ = std::make_shared<const MappedFile>(place.file);
    stored_ = matrix_in(file_->bytes(), place);
  } catch (const TensorFileError& error) {
    throw TensorFileError(place.file + ": " + error.what());
  }
}

void MatrixFile::read(std::size_t row, std::span<float> values) const {
  const std::byte* from = file_->bytes().data() + stored_.offset + row * columns() * bytes_of(stored_.type);
  switch (stored_.type) {
    case NumberType::f64:
      return widen<double>(from, values, [](double value) { return static_cast<float>(value); });
    case NumberType::f16:
      return widen<std::uint16_t>(from, values, float_from_half);
    case NumberType::bf16:
      return widen<std::uint16_t>(from, values,
                                  [](std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); });
    default:
      return widen<float>(from, values, [](float value) { return value; });
  }
}

void MatrixFile::forget_before(std::size_t row) const {
  const std::uint64_t end = stored_.offset + row * columns() * bytes_of(stored_.type);
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  // The pages are the file's: they come back when somebody asks.
  ::madvise(const_cast<std::byte*>(file_->bytes().data()), end - end % page, MADV_DONTNEED);
}

}  // namespace saetap::tensors
