// make_planted_store FEATURES WIDTH CLUSTERS SAMPLES FOLDER: writes FOLDER/samples.saetap, with clusters to be found.
//
// Feature f belongs to cluster f % CLUSTERS: its direction is the cluster's with a little noise, and it is active on
// SAMPLES consecutive ones of the places whose token is of the cluster (token % CLUSTERS), beginning anywhere among the
// first SAMPLES of them. Of 50 features the last is never active; feature 3 has no direction, feature 5 one that is not
// a number, and feature 1 is a copy of feature 0, ten times as long.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "plugin/collect/sample_collector.h"
#include "plugin/store/half.h"
#include "plugin/store/store_writer.h"

namespace {

constexpr std::uint32_t kTokens = 64;  // of a sequence
constexpr std::int32_t kVocabulary = 3000;

struct Shape {
  std::size_t features = 0, width = 0, clusters = 0, samples = 0;
};

class Text : public saetap::TokenSource {
 public:
  // Enough of it for each cluster to have twice as many places as a feature has samples.
  Text(const Shape& shape, std::mt19937_64& random) {
    const std::size_t sequences = 3 * shape.samples * shape.clusters / kTokens + 8;
    for (std::size_t i = 0; i < sequences; ++i) {
      std::vector<std::int32_t> tokens(kTokens);
      for (std::int32_t& token : tokens) token = static_cast<std::int32_t>(random() % kVocabulary);
      const saetap::SequenceId id = saetap::sequence_id(tokens);
      for (std::uint32_t i = 0; i < kTokens; ++i) positions.push_back({id, i});
      by_id_[id] = std::move(tokens);
    }
  }
  [[nodiscard]] std::span<const std::int32_t> tokens(saetap::SequenceId sequence) const override {
    return by_id_.at(sequence);
  }
  // Rows of a cluster's tokens.
  [[nodiscard]] std::vector<std::vector<std::uint32_t>> rows_of(std::size_t clusters) const {
    std::vector<std::vector<std::uint32_t>> rows(clusters);
    for (std::uint32_t row = 0; row < positions.size(); ++row) {
      const std::int32_t token = by_id_.at(positions[row].sequence)[positions[row].position];
      rows[static_cast<std::size_t>(token) % clusters].push_back(row);
    }
    return rows;
  }

  std::vector<saetap::TokenPosition> positions;

 private:
  std::map<saetap::SequenceId, std::vector<std::int32_t>> by_id_;
};

saetap::HalfMatrix directions_of(const Shape& shape, std::mt19937_64& random) {
  std::normal_distribution<float> normal;
  std::vector<float> centres(shape.clusters * shape.width);
  for (float& one : centres) one = normal(random);
  std::vector<float> all;
  for (std::size_t i = 0; i < shape.features * shape.width; ++i) {
    const std::size_t feature = i / shape.width;
    all.push_back(centres[feature % shape.clusters * shape.width + i % shape.width] + 0.6f * normal(random));
  }
  for (std::size_t i = 0; i < shape.width; ++i) {
    all[shape.width + i] = 10 * all[i];
    all[3 * shape.width + i] = 0;
  }
  all[5 * shape.width] = NAN;
  saetap::HalfMatrix halves;
  for (const float one : all) halves.push_back(saetap::half_from_float(one));
  return halves;
}

void add_feature(std::uint32_t feature, std::span<const std::uint32_t> rows, std::mt19937_64& random,
                 saetap::FeatureSums& sums, std::vector<saetap::Candidate>& candidates) {
  for (const std::uint32_t row : rows) {
    const float activation = 1 + static_cast<float>(random() % 1024) / 256;
    candidates.push_back({row, feature, activation});
    sums.sum += static_cast<double>(activation);
    sums.sum_of_squares += static_cast<double>(activation) * static_cast<double>(activation);
    sums.max = std::max(sums.max, activation);
    ++sums.active;
  }
}

void make_store(const Shape& shape, const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  std::mt19937_64 random(1);
  const Text text(shape, random);
  const auto rows = static_cast<std::int64_t>(text.positions.size());
  const auto by_cluster = text.rows_of(shape.clusters);
  std::vector<saetap::FeatureSums> sums(shape.features);
  std::vector<saetap::RangeScan> found(1);
  for (std::uint32_t feature = 0; feature < shape.features; ++feature) {
    if (feature % 50 == 49) continue;
    const std::span own(by_cluster[feature % shape.clusters]);
    const std::size_t first = random() % shape.samples;
    const std::size_t count = std::min(shape.samples, own.size() - std::min(first, own.size()));
    add_feature(feature, own.subspan(std::min(first, own.size()), count), random, sums[feature], found[0].candidates);
  }

  saetap::RunHeader header;
  header.run_id = "planted";
  header.program = "make_planted_store";
  saetap::StoreWriter writer((folder / "samples.saetap").string(), header);
  saetap::CollectorOptions options;
  options.max_samples_per_feature = static_cast<std::uint32_t>(shape.samples);
  saetap::SampleCollector collector(options, [&](const auto& self, const saetap::CheckpointEvent& event) {
    writer.save(self, event);
    return true;
  });
  saetap::Site site;
  site.name = "planted";
  site.module_type = "Planted";
  site.method = "forward";
  site.features = static_cast<std::int64_t>(shape.features);
  site.d_in = site.d_out = static_cast<std::int64_t>(shape.width);
  collector.on_attach(site);
  collector.on_batch({.site = site,
                      .step = 0,
                      .phase = saetap::Phase::train,
                      .rows = rows,
                      .eligible = rows,
                      .positions = text.positions,
                      .sums = sums,
                      .found = found,
                      .tokens = text,
                      .contexts = {}});
  saetap::CheckpointEvent last;
  last.last = true;
  last.decoder_directions = [&](const saetap::Site&) { return directions_of(shape, random); };
  collector.on_checkpoint(last);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::cerr << "make_planted_store FEATURES WIDTH CLUSTERS SAMPLES FOLDER\n";
    return 2;
  }
  make_store({std::stoul(argv[1]), std::stoul(argv[2]), std::stoul(argv[3]), std::stoul(argv[4])}, argv[5]);
}
