// A callback of one's own: how many features are dead, checkpoint by checkpoint, as a CSV file that a dashboard can
// read.
//
//   {"saetap": {"callbacks": [{"library": "./libdead_features.so",
//                              "options": {"path": "dead_features.csv", "tokens": 1000000}}]}}
//
// A feature is dead if it was not active on any of the last `tokens` tokens.
#include <saetap/saetap.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace {

struct Watched {
  std::string name;
  std::uint64_t step = 0;
  std::int64_t tokens = 0;                // so far
  std::vector<std::int64_t> last_active;  // [features]: how many there were then
};

struct DeadFeatures {
  std::string path;
  std::int64_t tokens = 0;
  std::map<int, Watched> sites;
  std::string failure;
};

DeadFeatures& of(void* self) {
  return *static_cast<DeadFeatures*>(self);
}

// Nothing may be thrown at saetap: whatever goes wrong is told.
template <typename Work>
int guarded(void* self, Work work) noexcept {
  try {
    work(of(self));
    return 0;
  } catch (const std::exception& error) {
    try {
      of(self).failure = error.what();
    } catch (...) {
    }
    return 1;
  }
}

int attach(void* self, const saetap_site_info* site) {
  return guarded(self, [&](DeadFeatures& dead) {
    auto& watched = dead.sites[site->id];
    watched.name = site->name;
    watched.last_active.assign(static_cast<std::size_t>(site->features), 0);
  });
}

int batch(void* self, const saetap_batch* batch) {
  return guarded(self, [&](DeadFeatures& dead) {
    auto& watched = dead.sites.at(batch->site->id);
    watched.step = batch->step;
    watched.tokens += batch->eligible;
    for (std::size_t feature = 0; feature < watched.last_active.size(); ++feature) {
      if (batch->sums[feature].active > 0) watched.last_active[feature] = watched.tokens;
    }
  });
}

int checkpoint(void* self, int) {
  return guarded(self, [](DeadFeatures& dead) {
    std::ofstream file(dead.path, std::ios::app);
    for (const auto& [id, watched] : dead.sites) {
      const auto dead_now = std::count_if(watched.last_active.begin(), watched.last_active.end(),
                                          [&](std::int64_t active) { return watched.tokens - active >= dead.tokens; });
      file << watched.name << ',' << watched.step << ',' << watched.tokens << ',' << dead_now << '\n';
    }
    file.flush();
    if (!file) throw std::runtime_error(dead.path + " cannot be written");
  });
}

const char* failure(void* self) {
  return of(self).failure.c_str();
}

void close(void* self) {
  delete &of(self);
}

}  // namespace

int saetap_callback_open(const saetap_api*, const char* options_json, saetap_callback* callback) {
  auto* dead = new DeadFeatures();
  callback->self = dead;
  callback->failure = failure;
  callback->close = close;
  callback->on_attach = attach;
  callback->on_batch = batch;
  callback->on_checkpoint = checkpoint;
  return guarded(dead, [&](DeadFeatures& made) {
    const auto options = nlohmann::json::parse(options_json);
    made.path = options.value("path", "dead_features.csv");
    made.tokens = options.value("tokens", std::int64_t{1'000'000});
    std::ofstream(made.path) << "site,step,tokens,dead\n";
  });
}
