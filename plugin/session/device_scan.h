// The scan of a batch that lies on an accelerator: compare, statistics and compaction run there, on the stream of the
// caller, with operations that none of them waits for. Only what was found comes over.
#pragma once

#include <cstdint>

#include "hooks/libtorch.h"
#include "plugin/collect/bar_board.h"
#include "plugin/collect/collected_batch.h"
#include "plugin/session/tapped_call.h"

namespace saetap {

// A copy on the host that is there once the device got so far; undefined stays undefined. Without a device the tensor
// itself.
[[nodiscard]] at::Tensor to_host_later(const at::Tensor& tensor);

// The active values of a batch, gathered. Room that is not used has row -1.
struct DeviceEntries {
  at::Tensor rows;      // int64 [room]
  at::Tensor features;  // int64 [room]
  at::Tensor values;    // float32 [room]; NaN and infinities too
  at::Tensor count;     // int64 []: how many there are; more than there is room for: not all are here
  [[nodiscard]] std::int64_t room() const { return rows.size(0); }
};

// `dense`: [rows, F] of any floating type on any device. The values that are not 0, row by row, at most `room` of them.
[[nodiscard]] DeviceEntries gather_active(const at::Tensor& dense, std::int64_t room);
// `values`, `features`: [rows, k].
[[nodiscard]] DeviceEntries gather_pairs(const at::Tensor& values, const at::Tensor& features);

// What was found of one batch, on its way to the host.
struct DeviceFindings {
  at::Tensor sums;                // float64 [2, F]: of the values, of their squares
  at::Tensor extremes;            // float32 [2, F]: of the positive and of the negated negative ones
  at::Tensor counts;              // int32 [3, F]: active, not finite, negative
  at::Tensor candidate_rows;      // int32 [room]; unused: -1
  at::Tensor candidate_features;  // int32 [room]
  at::Tensor candidate_values;    // float32 [room]
  at::Tensor candidate_count;     // int64 []; may be more than there is room for
  at::Tensor bins;                // int64 [room]: feature * kDeviceBins + bin; unused: -1
  at::Tensor bin_counts;          // int32 [room]

  // The same on the host, to be read once the device got so far.
  [[nodiscard]] DeviceFindings to_host_later() const;
  // The same, and waits for it.
  [[nodiscard]] DeviceFindings to_host() const;
};

// The histogram on a device covers 2^-16 to 2^16; what lies outside is counted in the bins at its ends.
inline constexpr std::int64_t kDeviceBins = 128;

// A ScanRequest on the device of the entries. Undefined bars: nothing is wanted of them.
struct DeviceRequest {
  at::Tensor eligible;    // uint8 [rows]
  at::Tensor row_hashes;  // int64 [rows]
  at::Tensor bars;        // float32 [F]
  at::Tensor hash_bars;   // int64 [F]
};
[[nodiscard]] DeviceRequest to_device(at::Device device, const std::vector<std::uint8_t>& eligible,
                                      const std::vector<std::uint32_t>& row_hashes, const BarBoard::Bars& bars);

// Scans gathered values; `room`: for candidates.
[[nodiscard]] DeviceFindings scan_entries(const DeviceEntries& entries, std::int64_t features,
                                          const DeviceRequest& request, std::int64_t room);

// Fills sums and found of a batch from findings that have arrived on the host. False, and nothing filled, if there were
// more candidates than room for them.
[[nodiscard]] bool read_findings(const DeviceFindings& findings, std::int64_t features, CollectedBatch& batch);

}  // namespace saetap
