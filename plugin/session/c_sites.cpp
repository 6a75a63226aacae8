#include "plugin/session/c_sites.h"

#include <cstddef>
#include <deque>
#include <mutex>
#include <stdexcept>
#include <string>

#include "plugin/session/c_answer.h"
#include "plugin/session/c_arrays.h"
#include "plugin/session/process.h"
#include "plugin/session/session.h"

// Never freed: a program may ask with one long after its recording ended.
struct saetap_site {
  std::weak_ptr<saetap::Session> session;
  int declared = 0;
};

namespace saetap {

namespace {

struct Handles {
  std::mutex mutex;
  std::deque<saetap_site> all;  // their addresses stay
};

Handles& handles() {
  static auto* handles = new Handles();
  return *handles;
}

saetap_site* handle_of(const std::shared_ptr<Session>& session, int declared) {
  auto& known = handles();
  const std::lock_guard lock(known.mutex);
  for (auto& site : known.all) {
    if (site.declared == declared && site.session.lock() == session) return &site;
  }
  known.all.push_back({session, declared});
  return &known.all.back();
}

// Of the structures in version 1: what was built with a newer header brings more, and is read as far as we know it.
constexpr std::size_t kSiteSpec1 = offsetof(saetap_site_spec, description) + sizeof(saetap_site_spec::description);
constexpr std::size_t kCall1 = offsetof(saetap_call, rows) + sizeof(saetap_call::rows);

std::string text_or_nothing(const char* text) {
  return text != nullptr ? text : "";
}

}  // namespace

void check_size(std::uint32_t given, std::size_t least, const char* what) {
  if (given >= least) return;
  throw std::invalid_argument(std::string(what) + ".struct_size is " + std::to_string(given) + ", has to be at least " +
                              std::to_string(least));
}

DeclaredBehind behind(const saetap_site* site) {
  const auto current = process_session();  // in a forked child no lock is to be touched
  auto& known = handles();
  const std::lock_guard lock(known.mutex);
  for (const auto& one : known.all) {
    if (&one != site) continue;
    if (one.session.lock() != current) throw NotRecording();
    return {current, one.declared};
  }
  throw std::invalid_argument("this is no site that was attached");
}

int attach_site(const saetap_site_spec* spec, saetap_site** site) {
  return answer([&](std::string&) -> int {
    if (spec == nullptr || site == nullptr) throw std::invalid_argument("spec or site is NULL");
    check_size(spec->struct_size, kSiteSpec1, "saetap_site_spec");
    const auto session = process_session();
    const DeclaredSite declared{text_or_nothing(spec->name), text_or_nothing(spec->description), spec->features,
                                spec->d_in, spec->d_out};
    *site = handle_of(session, session->declare(declared));
    return SAETAP_OK;
  });
}

int set_site_decoder(saetap_site* site, const saetap_array* directions) {
  return answer([&](std::string&) -> int {
    const auto [session, declared] = behind(site);
    session->set_decoder(declared, tensor_of(directions, "directions"), false, HoldDecoder::kept);
    return SAETAP_OK;
  });
}

int observe_site(saetap_site* site, const saetap_call* call) {
  return answer([&](std::string&) -> int {
    if (call == nullptr) throw std::invalid_argument("call is NULL");
    check_size(call->struct_size, kCall1, "saetap_call");
    if (call->phase != SAETAP_TRAIN && call->phase != SAETAP_EVAL) {
      throw std::invalid_argument("phase " + std::to_string(call->phase) + " is none of enum saetap_phase");
    }
    const auto [session, declared] = behind(site);
    session->observe(declared,
                     {tensor_of(call->activations, "activations"), tensor_of(call->indices, "indices"),
                      tensor_of(call->rows, "rows"), call->phase == SAETAP_TRAIN ? Phase::train : Phase::eval});
    return SAETAP_OK;
  });
}

int observe_model(const char* model, const saetap_array* tokens, const saetap_array* mask, const saetap_array* rows) {
  return answer([&](std::string&) -> int {
    process_session()->observe_model(text_or_nothing(model), tensor_of(tokens, "tokens"), tensor_of(mask, "mask"),
                                     tensor_of(rows, "rows"));
    return SAETAP_OK;
  });
}

int read_place(saetap_site* site, int64_t* place) {
  return answer([&](std::string&) -> int {
    if (place == nullptr) throw std::invalid_argument("place is NULL");
    const auto [session, declared] = behind(site);
    *place = session->place_of(declared);
    return SAETAP_OK;
  });
}

int end_step() {
  return answer([](std::string&) -> int {
    process_session()->end_step();
    return SAETAP_OK;
  });
}

}  // namespace saetap
