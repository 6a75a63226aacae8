#include "plugin/store/decoder_likeness.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>

#include "plugin/store/half.h"
#include "plugin/store/store_format.h"

namespace saetap {
namespace {

std::int64_t stride_of(const Site& site) {
  constexpr std::int64_t kRows = 101;
  return std::max<std::int64_t>(1, site.features / kRows);
}

// Rows from `first` on, of which those are taken that are compared.
void take_rows(std::span<const std::byte> halves, std::int64_t first, const Site& site, std::vector<float>& rows) {
  const auto width = static_cast<std::size_t>(site.d_out);
  const auto count = width == 0 ? 0 : static_cast<std::int64_t>(halves.size() / 2 / width);
  for (std::int64_t row = 0; row < count; ++row) {
    if ((first + row) % stride_of(site) != 0) continue;
    for (std::size_t i = 0; i < width; ++i) {
      std::uint16_t half = 0;
      std::memcpy(&half, halves.data() + 2 * (static_cast<std::size_t>(row) * width + i), sizeof half);
      rows.push_back(float_from_half(half));
    }
  }
}

}  // namespace

std::vector<float> compared_rows(const HalfMatrix& directions, const Site& site) {
  std::vector<float> rows;
  take_rows(std::as_bytes(std::span(directions)), 0, site, rows);
  return rows;
}

std::vector<float> stored_compared_rows(const Database& database, const Site& site) {
  Statement select = database.prepare("SELECT block, directions FROM decoder WHERE site = ? ORDER BY block");
  select.bind(0, std::int64_t{site.id});
  std::vector<float> rows;
  while (select.step()) {
    const std::int64_t block = select.integer(0);
    if (block < 0 || block > site.features / kDecoderBlockFeatures) {
      throw StoreError(database.path() + ": the store is damaged (decoder directions of another size)");
    }
    take_rows(select.blob(1), block * kDecoderBlockFeatures, site, rows);
  }
  return rows;
}

bool are_akin(const std::vector<float>& a, const std::vector<float>& b, std::int64_t d_out) {
  if (a.empty() || b.empty() || d_out <= 0) return true;
  if (a.size() != b.size()) return false;
  const auto width = static_cast<std::size_t>(d_out);
  std::vector<double> cosines;
  for (std::size_t row = 0; row + width <= a.size(); row += width) {
    double dot = 0, norm_a = 0, norm_b = 0;
    for (std::size_t i = row; i < row + width; ++i) {
      const double x = a[i], y = b[i];
      dot += x * y;
      norm_a += x * x;
      norm_b += y * y;
    }
    const auto tells_nothing = [](double norm) { return norm == 0 || !std::isfinite(norm); };
    if (tells_nothing(norm_a) && tells_nothing(norm_b)) continue;
    const double cosine = dot / std::sqrt(norm_a * norm_b);
    cosines.push_back(std::isfinite(cosine) ? cosine : 0);  // of zeros, infinities and NaN in one of them
  }
  if (cosines.empty()) return true;
  const auto middle = cosines.begin() + static_cast<std::ptrdiff_t>(cosines.size() / 2);
  std::nth_element(cosines.begin(), middle, cosines.end());
  constexpr double kAkin = 0.5;
  return *middle > kAkin;
}

}  // namespace saetap
