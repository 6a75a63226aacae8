#include "plugin/scan/vector_kernel.h"

#include <bit>

#include "plugin/scan/scalar.h"

// Highway compiles what follows once for each set of instructions. Only its headers are used: its own choice at run
// time lives in a shared library, and nothing may be linked into other people's programs that is not there anyway.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugin/scan/vector_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace saetap {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

constexpr std::int64_t kBlock = 64;
constexpr std::int64_t kAhead = 16 * kBlock;

// Bit i tells whether words[i] is not ±0: by the bits with the sign shifted out, so that NaN is seen.
template <typename Word>
HWY_INLINE HWY_ATTR std::uint64_t nonzero_mask(const Word* words) {
  const hn::CappedTag<Word, kBlock> tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  std::uint64_t mask = 0;
  for (std::int64_t i = 0; i < kBlock; i += lanes) {
    const auto value = hn::LoadU(tag, words + i);
    const auto set = hn::Not(hn::Eq(hn::Add(value, value), hn::Zero(tag)));
    std::uint64_t bits = 0;
    hn::StoreMaskBits(tag, set, reinterpret_cast<std::uint8_t*>(&bits));
    mask |= bits << i;
  }
  return mask;
}

// Most blocks are empty, which one test of all words together tells.
template <typename Word>
HWY_INLINE HWY_ATTR bool all_zero(const Word* words) {
  const hn::CappedTag<Word, kBlock> tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  auto any = hn::Zero(tag);
  for (std::int64_t i = 0; i < kBlock; i += lanes) any = hn::Or(any, hn::LoadU(tag, words + i));
  return hn::AllTrue(tag, hn::Eq(hn::Add(any, any), hn::Zero(tag)));
}

// Writes the places of the ones, and returns how many there are. Four are written whatever there is: how many are set
// is as good as random, and a branch on it costs more. `places` has room for all of them and four more.
HWY_INLINE HWY_ATTR std::size_t list_ones(std::uint64_t mask, std::uint32_t first, std::uint32_t* places) {
  const auto count = static_cast<std::size_t>(std::popcount(mask));
  for (int i = 0; i < 4; ++i) {
    places[i] = first + static_cast<std::uint32_t>(std::countr_zero(mask));
    mask &= mask - 1;
  }
  for (std::size_t i = 4; i < count; ++i) {
    places[i] = first + static_cast<std::uint32_t>(std::countr_zero(mask));
    mask &= mask - 1;
  }
  return count;
}

// Which of the values reach their feature's bar, or lie in a row whose hash is below their feature's.
template <typename Float, typename Unsigned, typename Magnitude>
HWY_INLINE HWY_ATTR auto wanted_lanes(Float floats, Unsigned integers, const ValueList& list, std::size_t at,
                                      Magnitude magnitude, const ScanRequest& request) {
  const hn::RebindToSigned<Float> places;
  const auto feature = hn::BitCast(places, hn::LoadU(integers, list.features.data() + at));
  auto wanted = hn::Lt(magnitude, hn::Zero(floats));  // none
  if (request.bars != nullptr) wanted = hn::Ge(magnitude, hn::GatherIndex(floats, request.bars, feature));
  if (request.hash_bars != nullptr) {
    const auto row = hn::BitCast(places, hn::LoadU(integers, list.rows.data() + at));
    const auto bars = hn::GatherIndex(integers, request.hash_bars, feature);
    const auto hashes = hn::GatherIndex(integers, request.row_hashes, row);
    wanted = hn::Or(wanted, hn::RebindMask(floats, hn::Eq(hn::Max(bars, hashes), bars)));
  }
  return wanted;
}

HWY_INLINE HWY_ATTR void take_listed(Tile& tile) {
  ValueList& list = tile.list();
  const hn::CappedTag<float, ValueList::kPadding> floats;
  const hn::RebindToUnsigned<decltype(floats)> integers;
  const auto lanes = hn::Lanes(floats);
  // What is read beyond the end has to be a feature and a row, too.
  for (std::size_t i = 0; i < ValueList::kPadding && list.count > 0; ++i) {
    list.features[list.count + i] = list.features[0];
    list.rows[list.count + i] = list.rows[0];
  }
  for (std::size_t at = 0; at < list.count; at += lanes) {
    const auto magnitude = hn::Abs(hn::LoadU(floats, list.values.data() + at));
    // See histogram_bin.
    const auto bits = hn::BitCast(integers, magnitude);
    const auto fraction = hn::And(bits, hn::Set(integers, 0x7FFFFFu));
    constexpr std::uint32_t kOne = 1u << 23;
    const auto carry = [&](std::uint32_t from)
                           HWY_ATTR { return hn::ShiftRight<23>(hn::Add(fraction, hn::Set(integers, kOne - from))); };
    const auto quarter = hn::Add(hn::Add(carry(0x1837F1u), carry(0x3504F4u)), carry(0x5744FDu));
    hn::StoreU(hn::Add(hn::ShiftLeft<2>(hn::ShiftRight<23>(bits)), quarter), integers, list.bins.data() + at);

    const auto count = std::min(lanes, list.count - at);
    const auto wanted = wanted_lanes(floats, integers, list, at, magnitude, tile.request());
    std::uint64_t ones = 0;
    hn::StoreMaskBits(floats, wanted, reinterpret_cast<std::uint8_t*>(&ones));
    for (ones &= (std::uint64_t{1} << count) - 1; ones != 0; ones &= ones - 1) {
      const auto one = at + static_cast<std::size_t>(std::countr_zero(ones));
      tile.add_candidate(list.rows[one], list.features[one], list.values[one]);
    }
  }
  tile.take_list();
}

HWY_ATTR void take_values(Tile& tile) {
  take_listed(tile);
}

// Lists what is not zero in a row of the tile.
template <typename Word, ScalarKind kKind>
HWY_INLINE HWY_ATTR void list_row(const Word* words, std::uint32_t row, FeatureRange range, ValueList& list) {
  const auto width = range.last - range.first;
  list.reserve(static_cast<std::size_t>(width));
  auto* features = list.features.data() + list.count;
  std::size_t count = 0;
  std::int64_t feature = 0;
  for (; feature + kBlock <= width; feature += kBlock) {
    // A branch that was guessed wrong waits for its data: what comes after has to be on its way before that.
    for (std::int64_t i = 0; i < kBlock; i += 64 / static_cast<std::int64_t>(sizeof(Word))) {
      __builtin_prefetch(words + feature + kAhead + i);
    }
    if (all_zero(words + feature)) continue;
    count += list_ones(nonzero_mask(words + feature), static_cast<std::uint32_t>(feature), features + count);
  }
  for (; feature < width; ++feature) {
    features[count] = static_cast<std::uint32_t>(feature);
    count += static_cast<Word>(words[feature] << 1) != 0 ? 1 : 0;
  }
  for (std::size_t one = 0; one < count; ++one) {
    list.values[list.count + one] = scalar_at(words, kKind, features[one]);
    features[one] += static_cast<std::uint32_t>(range.first);
    list.rows[list.count + one] = row;
  }
  list.count += count;
}

template <typename Word, ScalarKind kKind>
HWY_ATTR void scan_words(const ContiguousRows& rows, std::span<Tile> tiles) {
  for (std::int64_t i = 0; i < rows.rows; ++i) {
    const auto row = rows.first_row + i;
    if (rows.eligible != nullptr && rows.eligible[row] == 0) continue;
    const auto* words = static_cast<const Word*>(rows.values) + i * rows.row_stride;
    for (Tile& tile : tiles) {
      list_row<Word, kKind>(words, static_cast<std::uint32_t>(row), tile.range(), tile.list());
      words += tile.range().last - tile.range().first;
      if (tile.list().count >= ValueList::kEnough) take_listed(tile);
    }
  }
  for (Tile& tile : tiles) take_listed(tile);
}

HWY_ATTR void scan_rows(const ContiguousRows& rows, std::span<Tile> tiles) {
  switch (rows.kind) {
    case ScalarKind::float32:
      return scan_words<std::uint32_t, ScalarKind::float32>(rows, tiles);
    case ScalarKind::float64:
      return scan_words<std::uint64_t, ScalarKind::float64>(rows, tiles);
    case ScalarKind::bfloat16:
      return scan_words<std::uint16_t, ScalarKind::bfloat16>(rows, tiles);
    case ScalarKind::float16:
      return scan_words<std::uint16_t, ScalarKind::float16>(rows, tiles);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace saetap
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace saetap {

const std::vector<VectorTarget>& vector_targets() {
  static const std::vector<VectorTarget> targets = [] {
    std::vector<VectorTarget> found{VectorTarget::portable};
#if HWY_TARGETS & HWY_AVX2
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
        __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("pclmul")) {
      found.push_back(VectorTarget::avx2);
    }
#endif
#if HWY_TARGETS & HWY_AVX3
    if (found.size() == 2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw")) {
      found.push_back(VectorTarget::avx512);
    }
#endif
    return found;
  }();
  return targets;
}

void scan_rows(VectorTarget target, const ContiguousRows& rows, std::span<Tile> tiles) {
  switch (target) {
#if HWY_TARGETS & HWY_AVX3
    case VectorTarget::avx512:
      return N_AVX3::scan_rows(rows, tiles);
#endif
#if HWY_TARGETS & HWY_AVX2
    case VectorTarget::avx2:
      return N_AVX2::scan_rows(rows, tiles);
#endif
    default:
      return HWY_STATIC_DISPATCH(scan_rows)(rows, tiles);
  }
}

void take_values(VectorTarget target, Tile& tile) {
  switch (target) {
#if HWY_TARGETS & HWY_AVX3
    case VectorTarget::avx512:
      return N_AVX3::take_values(tile);
#endif
#if HWY_TARGETS & HWY_AVX2
    case VectorTarget::avx2:
      return N_AVX2::take_values(tile);
#endif
    default:
      return HWY_STATIC_DISPATCH(take_values)(tile);
  }
}

}  // namespace saetap
#endif
