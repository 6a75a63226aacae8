// The stages scan -> keep -> store on hand-made activations, without a session and without LibTorch.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "plugin/collect/sample_collector.h"
#include "plugin/scan/batch_scan.h"
#include "plugin/store/store_reader.h"
#include "plugin/store/store_writer.h"

namespace saetap::testing {

// A folder of its own, gone with the object. In memory where the system has such a place: hundreds of checkpoints, each
// synced to a disk, would take the tests' time.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    const std::filesystem::path memory("/dev/shm");
    const bool usable = ::access(memory.c_str(), W_OK) == 0;
    path_ = ((usable ? memory : std::filesystem::temp_directory_path()) / "saetap-test-XXXXXX").string();
    if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("no temporary folder");
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class KnownSequences : public TokenSource {
 public:
  SequenceId add(const std::vector<std::int32_t>& tokens) {
    const SequenceId id = sequence_id(tokens);
    tokens_[id] = tokens;
    return id;
  }
  void forget(SequenceId id) { tokens_.erase(id); }
  [[nodiscard]] std::span<const std::int32_t> tokens(SequenceId id) const override {
    const auto found = tokens_.find(id);
    if (found == tokens_.end()) return {};
    return found->second;
  }

 private:
  std::map<SequenceId, std::vector<std::int32_t>> tokens_;
};

using Row = std::vector<float>;  // the activations of one token, one per feature

class Pipeline {
 public:
  explicit Pipeline(std::int64_t features, CollectorOptions options = {})
      : collector(options, [this](const SampleCollector& kept, const CheckpointEvent& event) {
          if (fails || !writer) return false;
          writer->save(kept, event);
          return true;
        }) {
    site.name = "sae.forward.0";
    site.module_type = "TopKSae";
    site.method = "forward";
    site.description = "features enter W_dec";
    site.features = features;
    site.d_in = 4;
    site.d_out = 3;
    collector.on_attach(site);
  }
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // One collected call of the site, as the session makes it: in two ranges of features, as if by two threads.
  void batch(std::uint64_t step, const std::vector<Row>& rows, const std::vector<TokenPosition>& positions,
             const std::vector<std::uint8_t>& eligible = {}) {
    std::vector<float> dense;
    for (const Row& row : rows) dense.insert(dense.end(), row.begin(), row.end());
    const auto count = static_cast<std::int64_t>(rows.size());
    const CandidateBars bars = collector.bars(site, step);
    std::vector<std::uint32_t> hashes;
    for (const TokenPosition& at : positions) hashes.push_back(static_cast<std::uint32_t>(place_hash(at) >> 32));
    std::vector<FeatureSums> sums(static_cast<std::size_t>(site.features));
    std::vector<RangeScan> found(2);
    const ScanRequest request{eligible.empty() ? nullptr : eligible.data(),
                              bars.activation.empty() ? nullptr : bars.activation.data(),
                              bars.hash.empty() ? nullptr : bars.hash.data(), hashes.data()};
    const DenseActivations view{dense.data(), count, site.features, site.features};
    const std::int64_t middle = site.features / 2;
    scan_features(view, {0, middle}, request, sums.data(), found[0]);
    scan_features(view, {middle, site.features}, request, sums.data(), found[1]);
    std::int64_t counted = count;
    for (const std::uint8_t counts : eligible) counted -= counts == 0 ? 1 : 0;
    std::vector<CandidateContexts> contexts(2);
    const ContextRows around(positions, sequences, collector.context_size());
    for (std::size_t range = 0; range < 2; ++range) {
      scan_contexts(view, found[range].candidates, around, contexts[range]);
    }
    const std::vector<std::int32_t> tokens = tokens_of(positions, eligible);
    collector.on_batch({site, step, Phase::train, count, counted, positions, sums, found, sequences, contexts, tokens});
  }

  // A whole sequence, one row per token.
  void sequence(std::uint64_t step, const std::vector<std::int32_t>& tokens, const std::vector<Row>& rows) {
    const SequenceId id = sequences.add(tokens);
    std::vector<TokenPosition> positions;
    for (std::uint32_t i = 0; i < tokens.size(); ++i) positions.push_back({id, i});
    batch(step, rows, positions);
  }

  // As the trace stage gives them.
  [[nodiscard]] std::vector<std::int32_t> tokens_of(const std::vector<TokenPosition>& positions,
                                                    const std::vector<std::uint8_t>& eligible) const {
    std::vector<std::int32_t> tokens;
    for (std::size_t row = 0; row < positions.size(); ++row) {
      const auto text = sequences.tokens(positions[row].sequence);
      const bool known = positions[row].position < text.size() && (eligible.empty() || eligible[row] != 0);
      tokens.push_back(known ? text[positions[row].position] : kNoToken);
    }
    return tokens;
  }

  TokenText token_text;
  bool fails = false;  // nothing can be saved

  void checkpoint(bool last = false) {
    if (!writer) writer = std::make_unique<StoreWriter>(folder.file("samples.saetap"), header);
    const auto counts = [](const Site&) { return SiteCounts{3, 2, 40, 30, 5, 29, 4, 1}; };
    const auto directions = [this](const Site&) { return decoder; };
    const auto tracing = [](const Site&) { return TraceReport{TokenSourceKind::fingerprint, "MiniLM", ""}; };
    collector.on_checkpoint({last, counts, directions, tracing, token_text});
  }

  // Saves, and opens what was saved.
  StoreReader saved() {
    checkpoint(true);
    return StoreReader(folder.path());
  }

  TemporaryFolder folder;
  RunHeader header{"run-1", "2.13.0", "./train --fast", "2026-11-22T19:00:00Z", "/models/tokenizer.json", 1};
  HalfMatrix decoder;
  std::unique_ptr<StoreWriter> writer;
  KnownSequences sequences;
  Site site;
  SampleCollector collector;
};

}  // namespace saetap::testing
