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
  if (hold == HoldDecoder::weakly) {
    tap.decoder_constant.emplace(directions.getIntrusivePtr());
  } else {
    tap.decoder_told = directions.to(at::kHalf, false, true);
  }
}

void Session::observe(int declared, const DeclaredCall& call) {
  const Request request(*this);
  auto& tap = feature_taps_.at(declared);
  check_call(tap.site, call);
  tap.form = call.indices.defined() ? hooks::CodeForm::pair : hooks::CodeForm::dense;
  const c10::IValue nobody;
  handle_features(
      tap, {declared, call.activations, call.indices, call.rows, nobody, call.phase == Phase::train, call.phase});
  for (const auto& [id, site] : sites_) {
    if (site->off() && site->site().module_type == tap.site.module_type) {
      throw std::runtime_error("site \"" + tap.site.name + "\" is switched off, see the log");
    }
  }
}

std::int64_t Session::place_of(int declared) {
  const Request request(*this);
  const auto& name = feature_taps_.at(declared).site.module_type;
  std::int64_t place = 0;
  for (const auto& [id, site] : sites_) {
    const auto& known = site->site();
    if (known.module_type == name && known.method.empty()) return place;
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

void Session::end_step() {
  const Request request(*this);
  steps_told_ = true;
  for (auto& [id, site] : sites_) site->end_step(collection_);
}

void Session::look(const std::function<void(const SampleCollector&)>& look) {
  if (!collection_.is_current()) {
    const Request request(*this);
    device_queue_.finish();
    if (!collection_.look(look)) throw std::runtime_error("collecting stands still, see the log");
    return;
  }
  (void)collection_.look(look);
}

}  // namespace saetap
