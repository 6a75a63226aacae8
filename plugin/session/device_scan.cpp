#include "plugin/session/device_scan.h"

#include "plugin/scan/activation_histogram.h"

namespace saetap {

namespace {

// As biased exponents: see histogram_bin.
constexpr std::int64_t kFirstDeviceBin = (127 - 16) * kBinsPerOctave;

// The places of the ones of a mask [length], in order, at most `room`; past the last one, the mask's length. `nonzero`
// would wait for the device to tell how many there are; a running count that is searched does not. It is one of blocks,
// because one of every number takes eight times the memory of a batch of half precision.
at::Tensor places_of(const at::Tensor& mask, std::int64_t room, at::Tensor& count) {
  constexpr std::int64_t kBlock = 32;
  const auto length = mask.size(0);
  const auto whole = mask.options().dtype(at::kLong);
  if (length == 0) {
    count = at::zeros({}, whole);
    return at::zeros({room}, whole);
  }
  const auto over = length % kBlock;
  const auto blocks = (over == 0 ? mask : at::constant_pad_nd(mask, {0, kBlock - over})).view({-1, kBlock});
  const auto counts = blocks.sum(1, /*keepdim=*/false, at::kLong);
  const auto ends = counts.cumsum(0);
  count = ends[-1];
  const auto number = at::arange(1, room + 1, whole);
  const auto block = at::searchsorted(ends, number).clamp_max(ends.size(0) - 1);
  // Which of the ones of its block it is, and where that one stands there.
  const auto of_block = (number - (ends - counts).index_select(0, block)).clamp_max(kBlock + 1).to(at::kByte);
  const auto running = blocks.index_select(0, block).cumsum(1, at::kByte);
  const auto inside = running.lt(of_block.unsqueeze(1)).sum(1, /*keepdim=*/false, at::kLong);
  return (block * kBlock + inside).masked_fill(number.gt(count), length);
}

// Elements at `places`; where a place is past the end, `otherwise`.
at::Tensor pick(const at::Tensor& from, const at::Tensor& places, const at::Scalar& otherwise) {
  const auto inside = places.lt(from.size(0));
  return from.index_select(0, places.clamp_max(from.size(0) - 1)).masked_fill(inside.logical_not(), otherwise);
}

// See histogram_bin.
at::Tensor device_bins(const at::Tensor& magnitudes) {
  const auto bits = magnitudes.view(at::kInt).to(at::kLong);
  const auto fraction = bits.bitwise_and(0x7FFFFF);
  const auto quarter = fraction.ge(0x1837F1).to(at::kLong) + fraction.ge(0x3504F4) + fraction.ge(0x5744FD);
  const auto bin = bits.bitwise_right_shift(23) * kBinsPerOctave + quarter;
  return (bin - kFirstDeviceBin).clamp(0, kDeviceBins - 1);
}

}  // namespace

at::Tensor to_host_later(const at::Tensor& tensor) {
  if (!tensor.defined()) return tensor;
  return tensor.to(tensor.options().device(at::kCPU), /*non_blocking=*/true);
}

DeviceEntries gather_active(const at::Tensor& dense, std::int64_t room) {
  const at::NoGradGuard no_grad;
  const auto width = dense.size(1);
  room = std::min(room, dense.numel());
  DeviceEntries entries;
  const auto places = places_of(dense.ne(0).reshape({-1}), room, entries.count);
  const auto past_end = places.ge(dense.numel());
  const auto safe = places.masked_fill(past_end, 0);
  const auto rows = safe.floor_divide(width);
  entries.features = safe.remainder(width);
  entries.values = dense.index({rows, entries.features}).to(at::kFloat);
  entries.rows = rows.masked_fill(past_end, -1);
  return entries;
}

DeviceEntries gather_pairs(const at::Tensor& values, const at::Tensor& features) {
  const at::NoGradGuard no_grad;
  DeviceEntries entries;
  const auto rows = at::arange(values.size(0), features.options().dtype(at::kLong));
  entries.rows = rows.unsqueeze(1).expand_as(features).reshape({-1});
  entries.features = features.reshape({-1}).to(at::kLong);
  entries.values = values.reshape({-1}).to(at::kFloat);
  entries.count = at::full({}, values.numel(), entries.rows.options());
  return entries;
}

DeviceRequest to_device(at::Device device, const std::vector<std::uint8_t>& eligible,
                        const std::vector<std::uint32_t>& row_hashes, const BarBoard::Bars& bars) {
  // From pinned memory, or the copy waits for what the device is doing.
  const auto up = [&](const at::Tensor& here) {
    return device.is_cpu() ? here : here.pin_memory().to(device, here.scalar_type(), /*non_blocking=*/true);
  };
  const auto wide = [&](const std::vector<std::uint32_t>& numbers) {
    if (numbers.empty()) return at::Tensor();
    return up(at::tensor(std::vector<std::int64_t>(numbers.begin(), numbers.end()), at::kLong));
  };
  DeviceRequest request{up(at::tensor(eligible, at::kByte)), wide(row_hashes), {}, wide(bars.hash)};
  if (!bars.activation.empty()) request.bars = up(at::tensor(bars.activation));
  return request;
}

DeviceFindings scan_entries(const DeviceEntries& entries, std::int64_t features, const DeviceRequest& request,
                            std::int64_t room) {
  const at::NoGradGuard no_grad;
  const auto& values = entries.values;
  const auto row = entries.rows.clamp_min(0);
  const auto in_range = entries.features.ge(0).logical_and(entries.features.lt(features));
  const auto feature = entries.features.clamp(0, features - 1);
  const auto counted = entries.rows.ge(0)
                           .logical_and(values.ne(0))
                           .logical_and(in_range)
                           .logical_and(request.eligible.index_select(0, row).ne(0));
  const auto finite = values.isfinite();
  const auto active = counted.logical_and(finite);
  const auto value = values.masked_fill(active.logical_not(), 0);
  const auto magnitude = value.abs();
  const auto real = value.to(at::kDouble);

  DeviceFindings found;
  const auto like = values.options();
  found.sums = at::zeros({2, features}, like.dtype(at::kDouble));
  found.sums.index_add_(1, feature, at::stack({real, real * real}));
  found.counts = at::zeros({3, features}, like.dtype(at::kInt));
  const auto kinds = at::stack({active, counted.logical_and(finite.logical_not()), value.lt(0)});
  found.counts.index_add_(1, feature, kinds.to(at::kInt));
  found.extremes = at::zeros({2, features}, like);
  const auto both = at::stack({value.clamp_min(0), value.neg().clamp_min(0)});
  found.extremes.scatter_reduce_(1, feature.unsqueeze(0).expand_as(both), both, "amax");

  auto histogram = at::zeros({features * kDeviceBins}, like.dtype(at::kInt));
  histogram.index_add_(0, feature * kDeviceBins + device_bins(magnitude), active.to(at::kInt));
  at::Tensor unused;
  found.bins = places_of(histogram.ne(0), std::min(entries.room(), histogram.numel()), unused);
  found.bin_counts = pick(histogram, found.bins, 0);
  found.bins = found.bins.masked_fill(found.bins.ge(histogram.numel()), -1);

  auto wanted = at::zeros_like(active);
  if (request.bars.defined()) wanted.logical_or_(magnitude.ge(request.bars.index_select(0, feature)));
  if (request.hash_bars.defined()) {
    wanted.logical_or_(request.row_hashes.index_select(0, row).le(request.hash_bars.index_select(0, feature)));
  }
  wanted.logical_and_(active);
  const auto places = places_of(wanted, std::min(room, entries.room()), found.candidate_count);
  found.candidate_rows = pick(entries.rows, places, -1).to(at::kInt);
  found.candidate_features = pick(feature, places, 0).to(at::kInt);
  found.candidate_values = pick(value, places, 0);
  return found;
}

namespace {

DeviceFindings moved(DeviceFindings findings, bool wait) {
  for (auto* tensor :
       {&findings.sums, &findings.extremes, &findings.counts, &findings.candidate_rows, &findings.candidate_features,
        &findings.candidate_values, &findings.candidate_count, &findings.bins, &findings.bin_counts}) {
    *tensor = wait ? tensor->to(at::kCPU) : to_host_later(*tensor);
  }
  return findings;
}

}  // namespace

DeviceFindings DeviceFindings::to_host_later() const {
  return moved(*this, false);
}

DeviceFindings DeviceFindings::to_host() const {
  return moved(*this, true);
}

bool read_findings(const DeviceFindings& findings, std::int64_t features, CollectedBatch& batch) {
  const auto candidates = findings.candidate_count.item<std::int64_t>();
  if (candidates > findings.candidate_rows.size(0)) return false;
  const auto* sums = findings.sums.const_data_ptr<double>();
  const auto* extremes = findings.extremes.const_data_ptr<float>();
  const auto* counts = findings.counts.const_data_ptr<std::int32_t>();
  batch.sums.resize(static_cast<std::size_t>(features));
  for (std::int64_t f = 0; f < features; ++f) {
    const auto count = [&](std::int64_t kind) { return static_cast<std::uint32_t>(counts[kind * features + f]); };
    batch.sums[static_cast<std::size_t>(f)] = {
        sums[f],  sums[features + f], extremes[features + f] > extremes[f] ? -extremes[features + f] : extremes[f],
        count(0), count(1),           count(2)};
  }
  batch.found.resize(1);
  auto& found = batch.found.front();
  found.candidates.clear();
  const auto* rows = findings.candidate_rows.const_data_ptr<std::int32_t>();
  const auto* of_feature = findings.candidate_features.const_data_ptr<std::int32_t>();
  const auto* values = findings.candidate_values.const_data_ptr<float>();
  for (std::int64_t i = 0; i < candidates; ++i) {
    found.candidates.push_back(
        {static_cast<std::uint32_t>(rows[i]), static_cast<std::uint32_t>(of_feature[i]), values[i]});
  }
  found.histogram.clear();
  const auto* bins = findings.bins.const_data_ptr<std::int64_t>();
  const auto* bin_counts = findings.bin_counts.const_data_ptr<std::int32_t>();
  for (std::int64_t i = 0; i < findings.bins.size(0) && bins[i] >= 0; ++i) {
    for (auto left = bin_counts[i]; left > 0; left -= UINT16_MAX) {
      found.histogram.push_back({static_cast<std::uint32_t>(bins[i] / kDeviceBins),
                                 static_cast<std::uint16_t>(bins[i] % kDeviceBins + kFirstDeviceBin),
                                 static_cast<std::uint16_t>(std::min<std::int32_t>(left, UINT16_MAX))});
    }
  }
  return true;
}

}  // namespace saetap
