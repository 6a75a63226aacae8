#include "plugin/callbacks/library_callback.h"

#include <dlfcn.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace saetap {
namespace {

// What the C interface shows is what we have, under other names.
template <typename Theirs, typename Ours>
const Theirs* shown(const Ours* ours) {
  static_assert(sizeof(Theirs) == sizeof(Ours) && alignof(Theirs) == alignof(Ours));
  static_assert(std::is_trivially_copyable_v<Ours> && std::is_standard_layout_v<Ours>);
  return reinterpret_cast<const Theirs*>(ours);
}
static_assert(offsetof(saetap_place, position) == offsetof(TokenPosition, position));
static_assert(offsetof(saetap_sums, max) == offsetof(FeatureSums, max));
static_assert(offsetof(saetap_sums, negative) == offsetof(FeatureSums, negative));
static_assert(offsetof(saetap_candidate, activation) == offsetof(Candidate, activation));

// The public part comes first, so that its address is that of all of it.
struct ShownBatch {
  saetap_batch shown;
  const Batch* batch;
};

std::int64_t tokens_of(const saetap_batch* shown, std::uint64_t sequence, const std::int32_t** tokens) {
  const auto known = reinterpret_cast<const ShownBatch*>(shown)->batch->tokens.tokens(sequence);
  *tokens = known.empty() ? nullptr : known.data();
  return static_cast<std::int64_t>(known.size());
}

std::string failure_of(const saetap_callback& callback, int status) {
  const char* why = callback.failure != nullptr ? callback.failure(callback.self) : nullptr;
  return why != nullptr ? why : "it returned " + std::to_string(status);
}

}  // namespace

saetap_site_info site_info(const Site& site) {
  return {sizeof(saetap_site_info),
          site.id,
          site.name.c_str(),
          site.module_type.c_str(),
          site.path.c_str(),
          site.method.c_str(),
          site.description.c_str(),
          site.features,
          site.d_in,
          site.d_out,
          site.group};
}

LibraryCallback::LibraryCallback(const LibraryOptions& options, const saetap_api* api) {
  void* library = dlopen(options.path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* said = dlerror();
    std::string why = said != nullptr ? said : "cannot be loaded";
    if (why.rfind(options.path + ": ", 0) == 0) why.erase(0, options.path.size() + 2);
    throw std::runtime_error(why);
  }
  const auto open = reinterpret_cast<decltype(&saetap_callback_open)>(dlsym(library, "saetap_callback_open"));
  if (open == nullptr) throw std::runtime_error("it exports no saetap_callback_open");
  callback_.struct_size = sizeof callback_;
  const int status = open(api, options.options.c_str(), &callback_);
  if (status == 0) return;
  const std::string why = failure_of(callback_, status);
  close();
  throw std::runtime_error("saetap_callback_open: " + why);
}

LibraryCallback::~LibraryCallback() {
  close();
}

// Once. Nothing of the library is called afterwards.
void LibraryCallback::close() noexcept {
  const auto last = std::exchange(callback_, saetap_callback{});
  if (last.close != nullptr) last.close(last.self);
}

void LibraryCallback::check(int status) const {
  if (status != 0) throw std::runtime_error(failure_of(callback_, status));
}

void LibraryCallback::on_attach(const Site& site) {
  const auto& info = sites_.emplace(site.id, site_info(site)).first->second;
  if (callback_.on_attach != nullptr) check(callback_.on_attach(callback_.self, &info));
}

// A later wish that goes beyond the first is no error: the activations would not come, so it is cut down to it.
CandidateBars LibraryCallback::bars(const Site& site, std::uint64_t step) {
  if (callback_.bars == nullptr) return {};
  SiteBars& bars = bars_[site.id];
  bars.now.assign(static_cast<std::size_t>(site.features), std::numeric_limits<float>::infinity());
  check(callback_.bars(callback_.self, &sites_.at(site.id), step, bars.now.data()));
  for (float& bar : bars.now) {
    if (std::isnan(bar)) bar = std::numeric_limits<float>::infinity();
  }
  if (bars.at_attach.empty()) bars.at_attach = bars.now;
  std::transform(bars.now.begin(), bars.now.end(), bars.at_attach.begin(), bars.now.begin(),
                 [](float now, float first) { return std::max(now, first); });
  return {bars.now, {}};
}

void LibraryCallback::on_batch(const Batch& batch) {
  if (callback_.on_batch == nullptr) return;
  found_.clear();
  for (const RangeScan& range : batch.found) {
    found_.push_back(
        {shown<saetap_candidate>(range.candidates.data()), static_cast<std::int64_t>(range.candidates.size())});
  }
  ShownBatch one{{}, &batch};
  one.shown.struct_size = sizeof one.shown;
  one.shown.phase = batch.phase == Phase::train ? SAETAP_TRAIN : SAETAP_EVAL;
  one.shown.site = &sites_.at(batch.site.id);
  one.shown.step = batch.step;
  one.shown.rows = batch.rows;
  one.shown.eligible = batch.eligible;
  one.shown.places = shown<saetap_place>(batch.positions.data());
  one.shown.sums = shown<saetap_sums>(batch.sums.data());
  one.shown.found = found_.data();
  one.shown.found_count = static_cast<std::int64_t>(found_.size());
  one.shown.tokens = tokens_of;
  check(callback_.on_batch(callback_.self, &one.shown));
}

void LibraryCallback::on_step(const StepEvent& event) {
  if (callback_.on_step == nullptr) return;
  const saetap_step step{sizeof(saetap_step), event.collected ? 1 : 0, &sites_.at(event.site.id), event.step};
  check(callback_.on_step(callback_.self, &step));
}

void LibraryCallback::on_checkpoint(const CheckpointEvent& event) {
  if (callback_.on_checkpoint != nullptr) check(callback_.on_checkpoint(callback_.self, event.last ? 1 : 0));
}

void LibraryCallback::on_finish() {
  std::string why;
  if (callback_.on_finish != nullptr) {
    if (const int status = callback_.on_finish(callback_.self); status != 0) why = failure_of(callback_, status);
  }
  close();
  if (!why.empty()) throw std::runtime_error(why);
}

}  // namespace saetap
