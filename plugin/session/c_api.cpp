// The C interface: its functions, and the table of all of them.
#include <torch/headeronly/version.h>

#include <string>

#include "plugin/config.h"
#include "plugin/log.h"
#include "plugin/saetap.h"
#include "plugin/session/c_answer.h"
#include "plugin/session/c_sites.h"
#include "plugin/session/process.h"

namespace saetap {

std::string& last_error() {
  thread_local std::string error;
  return error;
}

namespace {

// In the order of the header; behind the last one there may be more in later versions.
constexpr saetap_api kTable{sizeof(saetap_api),
                            SAETAP_ABI_VERSION,
                            saetap_version,
                            [] { return TORCH_VERSION; },
                            [] { return std::int32_t{_GLIBCXX_USE_CXX11_ABI}; },
                            saetap_last_error,
                            saetap_plugin_init,
                            saetap_checkpoint,
                            saetap_stop,
                            saetap_set_tokens,
                            saetap_set_token_text,
                            attach_site,
                            set_site_decoder,
                            observe_site,
                            observe_model,
                            end_step,
                            count_sites,
                            read_site,
                            read_site_counts,
                            read_statistics,
                            read_top_samples,
                            read_sample_tokens,
                            read_place};

}  // namespace

}  // namespace saetap

extern "C" {

int saetap_plugin_init(const char* config_json) {
  return saetap::answer([&](std::string& why) -> int {
    if (config_json == nullptr) {
      why = "config_json is null";
      return SAETAP_BAD_CONFIG;
    }
    const auto config = saetap::parse_config(config_json);
    for (const auto& warning : config.warnings) saetap::log(saetap::LogLevel::warning, warning);
    return saetap::start_process_session(config, why);
  });
}

int saetap_set_tokens(const int64_t* tokens, int64_t batch, int64_t length, const uint8_t* mask, const int64_t* rows,
                      int64_t row_count) {
  return saetap::answer([&](std::string& why) -> int {
    return saetap::set_process_tokens({tokens, batch, length, mask, rows, row_count}, why);
  });
}

int saetap_set_token_text(saetap_token_text text, void* user) {
  return saetap::answer([&](std::string& why) -> int { return saetap::set_process_token_text(text, user, why); });
}

int saetap_checkpoint(void) {
  return saetap::answer([](std::string& why) -> int { return saetap::checkpoint_process_session(why); });
}

int saetap_stop(void) {
  return saetap::answer([](std::string& why) -> int { return saetap::stop_process_session(why); });
}

const char* saetap_last_error(void) {
  return saetap::last_error().c_str();
}

const char* saetap_version(void) {
  return SAETAP_VERSION;
}

const saetap_api* saetap_get_api(uint32_t abi_version) {
  saetap::last_error().clear();
  if (abi_version == SAETAP_ABI_VERSION) return &saetap::kTable;
  saetap::last_error() = "this program was built for version " + std::to_string(abi_version) +
                         " of saetap's C interface, and libsaetap.so " + SAETAP_VERSION + " has version " +
                         std::to_string(SAETAP_ABI_VERSION);
  return nullptr;
}

}  // extern "C"
