// What a program says and asks of a session by itself: sites that it declares, its steps, what is kept so far.
#include <stdexcept>

#include "hooks/tap.h"
#include "plugin/log.h"
#include "plugin/session/session.h"
#include "plugin/session/session_turn.h"
#include "plugin/session/token_rules.h"

namespace saetap {

// The session's turn for a request. Throws where it cannot be had.
class Session::Request {
 public:
  explicit Request(Session& session) : turn_(session) {
    if (turn_) return;
    if (session.finished_ || session.is_copy()) throw NotRecording();
    throw std::runtime_error("called from within a callback");
  }

 private:
  const hooks::QuietCall quiet_;
  const Turn turn_;
};

namespace {

bool is_declared_as(const Site& site, const std::string& name) {
  return site.method.empty() && site.module_type == name;
}

}  // namespace

int Session::declare(const DeclaredSite& site) {
  const Request request(*this);
  auto tap = tap_of(site);
  int lowest = 0;
  for (const auto& [number, known] : feature_taps_) {
    if (number >= 0) break;
    lowest = std::min(lowest, number);
    if (known.site.module_type != site.name) continue;
    if (known.site.features == site.features && known.site.d_in == site.d_in && known.site.d_out == site.d_out) {
      return number;
    }
    throw std::invalid_argument("site \"" + site.name + "\" was declared before, with other sizes");
  }
  log(LogLevel::info, "attached  " + tap.site.description);
  feature_taps_.emplace(--lowest, std::move(tap));
  return lowest;
}

void Session::set_decoder(int declared, const at::Tensor& directions, bool transposed, HoldDecoder hold) {
  const Request request(*this);
  auto& tap = feature_taps_.at(declared);
  const auto& site = tap.site;
  const bool fits = directions.defined() && directions.dim() == 2 && at::isFloatingType(directions.scalar_type()) &&
                    directions.size(transposed ? 1 : 0) == site.features &&
                    directions.size(transposed ? 0 : 1) == site.d_out;
  if (!fits) {
    throw std::invalid_argument("site \"" + site.name + "\": the decoder has to be [" + std::to_string(site.features) +
                                ", " + std::to_string(site.d_out) + "], floating");
  }
  tap.decoder_layout = {
      {}, transposed ? std::vector<std::int64_t>{1, 0} : std::vector<std::int64_t>{0, 1}, 1, site.features, site.d_out};
  tap.decoder_told = at::Tensor();
  tap.decoder_constant.reset();
  if (hold == HoldDecoder::shared) {
    tap.decoder_constant.emplace(directions.getIntrusivePtr());
  } else {
    tap.decoder_told = directions.to(at::kHalf, false, true);
  }
}

void Session::release_decoder(int declared) {
  const Request request(*this);
  auto& tap = feature_taps_.at(declared);
  tap.decoder_constant.reset();
  for (auto& [id, site] : sites_) {
    if (is_declared_as(site->site(), tap.site.module_type)) site->release_decoder();
  }
}

void Session::observe(int declared, const DeclaredCall& call) {
  const Request request(*this);
  auto& tap = feature_taps_.at(declared);
  const c10::IValue nobody;
  const hooks::FeatureEvent event{declared, call.activations,           call.indices, call.rows,
                                  nobody,   call.phase == Phase::train, call.phase};
  check_shapes(tap.site, call);
  if (is_due(tap.site, event)) pair_check_.check(tap.site, call);
  if (config_.activation_scale == ActivationScale::decoder_norm && !decoder_weight(tap, nobody).defined()) {
    throw std::invalid_argument("site \"" + tap.site.name +
                                "\": activation_scale is decoder_norm, and its decoder was not set");
  }
  tap.form = call.indices.defined() ? hooks::CodeForm::pair : hooks::CodeForm::dense;
  handle_features(tap, event);
  for (const auto& [id, site] : sites_) {
    if (site->off() && is_declared_as(site->site(), tap.site.module_type)) {
      throw std::runtime_error("site \"" + tap.site.name + "\" is switched off, see the log");
    }
  }
}

std::int64_t Session::place_of(int declared) {
  const Request request(*this);
  const auto& name = feature_taps_.at(declared).site.module_type;
  std::int64_t place = 0;
  for (const auto& [id, site] : sites_) {
    if (is_declared_as(site->site(), name)) return place;
    ++place;
  }
  throw std::invalid_argument("site \"" + name + "\" had no batch yet");
}

void Session::observe_model(const std::string& model, const at::Tensor& tokens, const at::Tensor& mask,
                            const at::Tensor& rows) {
  const Request request(*this);
  check_model_rows(tokens, mask, rows);
  if (!listens_to_models(config_.tokens, model)) return;
  device_queue_.advance();
  const auto two_dimensional = mask.defined() ? mask.reshape(tokens.sizes()) : mask;
  const c10::IValue returned(rows);
  record_stream({model, false, false}, {0, tokens, two_dimensional, returned}, {});
}

// Whether a call is looked at, or only counted.
bool Session::is_due(const Site& declared, const hooks::FeatureEvent& event) const {
  for (const auto& [id, site] : sites_) {
    if (is_declared_as(site->site(), declared.module_type)) return site->is_due(event, config_, steps_told_);
  }
  return true;
}

void Session::end_step() {
  const Request request(*this);
  steps_told_ = true;
  SiteContext context{config_, provenance_, collection_, device_queue_, unresolved_, steps_told_};
  for (auto& [id, site] : sites_) site->end_step(context);
}

void Session::look(const std::function<void(const SampleCollector&)>& look) {
  if (collection_.is_current()) {
    collection_.look(look);
    return;
  }
  {
    const Request request(*this);
    device_queue_.finish();
    collection_.look(look);
  }
  // Without the lock: training goes on meanwhile.
  if (!collection_.drain_unless_it_stands_still()) {
    throw std::runtime_error("collecting stands still, see the log");
  }
}

}  // namespace saetap
