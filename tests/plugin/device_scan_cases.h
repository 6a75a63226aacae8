// Random batches, scanned on a device and on the host.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "plugin/session/device_scan.h"

namespace saetap::testing {

struct Wanted {
  std::vector<std::uint8_t> eligible;
  std::vector<std::uint32_t> row_hashes;
  BarBoard::Bars bars;
};

inline Wanted random_wanted(std::int64_t rows, std::int64_t features) {
  Wanted wanted;
  for (std::int64_t row = 0; row < rows; ++row) {
    wanted.eligible.push_back(std::rand() % 5 != 0);
    wanted.row_hashes.push_back(static_cast<std::uint32_t>(std::rand()) * 2u);
  }
  for (std::int64_t f = 0; f < features; ++f) {
    wanted.bars.activation.push_back(static_cast<float>(std::rand() % 400) / 100);
    wanted.bars.hash.push_back(static_cast<std::uint32_t>(std::rand()) / 4);
  }
  return wanted;
}

// Sparse, signed, with what no activation should be.
inline at::Tensor random_code(std::int64_t rows, std::int64_t features, double active) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  auto code = at::randn({rows, features}) * at::rand({rows, features}).lt(active);
  code.view(-1)[0] = kInfinity;
  code.view(-1)[code.numel() / 2] = std::nan("");
  code.view(-1)[code.numel() - 1] = -kInfinity;
  return code;
}

using Found = std::vector<std::tuple<std::uint32_t, std::uint32_t, float>>;

inline Found candidates_of(const CollectedBatch& batch) {
  Found found;
  for (const auto& range : batch.found) {
    for (const auto& one : range.candidates) found.emplace_back(one.row, one.feature, one.activation);
  }
  std::sort(found.begin(), found.end());
  return found;
}

inline std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint64_t> bins_of(const CollectedBatch& batch) {
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint64_t> bins;
  for (const auto& range : batch.found) {
    for (const auto& one : range.histogram) bins[{one.feature, one.bin}] += one.count;
  }
  return bins;
}

inline CollectedBatch on_host(const Activations& activations, std::int64_t features, const Wanted& wanted) {
  CollectedBatch batch;
  batch.sums.resize(static_cast<std::size_t>(features));
  batch.found.resize(1);
  scan_features(
      activations, {0, features},
      {wanted.eligible.data(), wanted.bars.activation.data(), wanted.bars.hash.data(), wanted.row_hashes.data()},
      batch.sums.data(), batch.found[0]);
  return batch;
}

inline CollectedBatch on_device(const DeviceEntries& entries, std::int64_t features, const Wanted& wanted) {
  CollectedBatch batch;
  const auto request = to_device(entries.values.device(), wanted.eligible, wanted.row_hashes, wanted.bars);
  const auto findings = scan_entries(entries, features, request, entries.room()).to_host();
  REQUIRE(read_findings(findings, features, batch));
  return batch;
}

inline void check_same(const CollectedBatch& device, const CollectedBatch& host) {
  for (std::size_t f = 0; f < host.sums.size(); ++f) {
    CHECK(device.sums[f].sum == doctest::Approx(host.sums[f].sum));
    CHECK(device.sums[f].sum_of_squares == doctest::Approx(host.sums[f].sum_of_squares));
    CHECK(device.sums[f].max == host.sums[f].max);
    CHECK(device.sums[f].active == host.sums[f].active);
    CHECK(device.sums[f].nonfinite == host.sums[f].nonfinite);
    CHECK(device.sums[f].negative == host.sums[f].negative);
  }
  const bool same_candidates = candidates_of(device) == candidates_of(host);
  const bool same_bins = bins_of(device) == bins_of(host);
  CHECK(same_candidates);
  CHECK(same_bins);
}

}  // namespace saetap::testing
