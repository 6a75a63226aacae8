// A callback in a library of the user's own, behind the C interface (plugin/saetap.h).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "plugin/callbacks/choice.h"
#include "plugin/collect/callback.h"
#include "plugin/saetap.h"

namespace saetap {

// What the C interface tells of a site. It points into `site`.
[[nodiscard]] saetap_site_info site_info(const Site& site);

// Turns events into those of the C interface, without copying what they hold; what the library answers with other than
// 0 becomes an exception, which switches it off. The library stays loaded: its code may have left something behind.
class LibraryCallback : public Callback {
 public:
  // Loads and opens it. `api`: given to the library. Throws std::runtime_error with the reason.
  LibraryCallback(const LibraryOptions& options, const saetap_api* api);
  LibraryCallback(const LibraryCallback&) = delete;
  LibraryCallback& operator=(const LibraryCallback&) = delete;
  ~LibraryCallback() override;

  // These throw std::runtime_error if the library's function failed.
  void on_attach(const Site& site) override;
  [[nodiscard]] CandidateBars bars(const Site& site, std::uint64_t step) override;
  void on_batch(const Batch& batch) override;
  void on_step(const StepEvent& event) override;
  void on_checkpoint(const CheckpointEvent& event) override;
  void on_finish() override;

 private:
  struct SiteBars {
    std::vector<float> at_attach;  // what it may want later, too
    std::vector<float> now;
  };
  void check(int status) const;
  void close() noexcept;

  saetap_callback callback_{};
  std::map<int, saetap_site_info> sites_;  // by Site::id; their addresses stay
  std::map<int, SiteBars> bars_;
  std::vector<saetap_candidates> found_;  // of the batch in hand
};

}  // namespace saetap
