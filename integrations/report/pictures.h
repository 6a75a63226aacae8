// Pictures of a site and of its features, fit to print, each with the points it is made of.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>

#include "integrations/report/point_table.h"
#include "integrations/tokenizers/tokenizer.h"
#include "plugin/store/store_reader.h"

namespace saetap {

struct PictureRequest {
  const StoreReader& store;
  const StoredSite& site;
  Scope scope = Scope::recent;
  std::function<void(std::size_t done)> progress = {};  // features read, where all are; may be empty

  [[nodiscard]] const ScopeFacts& facts() const { return scope == Scope::recent ? site.recent : site.all_time; }
};

struct Picture {
  std::string svg;
  PointTable points;  // all of them, also where the picture has fewer marks
  std::string of;     // "4,096 features": what was drawn, for people
};

// What was asked for is not in what was read. One line.
class NothingToDraw : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// All throw StoreError and NothingToDraw. Features are of the site, and at most kMostSeries.

// How large the active values of features are: of each, the share of its values in bins of magnitude.
[[nodiscard]] Picture distribution_picture(const PictureRequest& request, std::span<const std::uint32_t> features);
// The same of a site as a whole: at each magnitude, which share of a feature's values is at least so large, as
// quantiles over features.
[[nodiscard]] Picture site_distribution_picture(const PictureRequest& request);
// How many features are how often active.
[[nodiscard]] Picture density_picture(const PictureRequest& request);
// The largest activation of each feature against its density.
[[nodiscard]] Picture max_density_picture(const PictureRequest& request);
// Density and largest activation of features, window by window of the whole run.
[[nodiscard]] Picture windows_picture(const PictureRequest& request, std::span<const std::uint32_t> features);

struct SamplesShown {
  std::size_t top = 20;
  std::uint32_t context = 5;             // tokens to each side
  const Tokenizer* tokenizer = nullptr;  // null: ids are shown
};
// The strongest samples of a feature, a row each: tokens around the activating one, the darker the more active it was.
[[nodiscard]] Picture samples_picture(const PictureRequest& request, std::uint32_t feature, const SamplesShown& shown);

}  // namespace saetap
