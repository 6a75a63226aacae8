#include "integrations/cli/feature_map_points.h"

#include <fcntl.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <sstream>
#include <system_error>

#include "integrations/cli/active_directions.h"
#include "integrations/cli/child_process.h"
#include "integrations/cli/failure.h"
#include "integrations/cli/held_signals.h"
#include "integrations/cli/map_features.h"
#include "integrations/cli/progress.h"
#include "integrations/cli/shared_options.h"
#include "plugin/number_text.h"

namespace saetap::cli {
namespace fs = std::filesystem;

namespace {

// Of its owner alone; removed with all that is in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "saetap-map-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
      throw Failure(Status::bad_input,
                    "no folder can be made in " + fs::temp_directory_path().string() + ": " + std::strerror(errno));
    }
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] fs::path operator/(const char* name) const { return path_ / name; }

 private:
  fs::path path_;
};

std::ofstream written(const fs::path& path) {
  std::ofstream file(path, std::ios::binary);
  file.exceptions(std::ios::badbit | std::ios::failbit);
  return file;
}

// NumPy's format 1.0: the head is filled up to a multiple of 64 bytes.
void write_npy(const fs::path& path, const UnitDirections& directions) {
  static_assert(std::endian::native == std::endian::little);
  std::string head = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(directions.size()) + ", " +
                     std::to_string(directions.width) + "), }";
  constexpr std::size_t kBefore = 10;
  while ((kBefore + head.size() + 1) % 64 != 0) head += ' ';
  head += '\n';
  std::ofstream file = written(path);
  file.write("\x93NUMPY\x01\x00", 8);
  file.put(static_cast<char>(head.size() & 0xFF)).put(static_cast<char>(head.size() >> 8));
  file << head;
  file.write(reinterpret_cast<const char*>(directions.values.data()),
             static_cast<std::streamsize>(directions.values.size() * sizeof(float)));
}

std::string python() {
  const char* named = std::getenv("SAETAP_PYTHON");
  return named != nullptr && *named != '\0' ? named : "python3";
}

// What it says goes to a file; how long it has run is on the terminal. Its exit status; a signal counts as 128 and its
// number.
int run(const std::vector<std::string>& words, const fs::path& errors, const HeldSignals& signals,
        const std::string& method) {
  const int said = ::open(errors.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (said < 0) throw Failure(Status::bad_input, errors.string() + " cannot be written: " + std::strerror(errno));
  pid_t child = -1;
  try {
    child = start_child(words, {-1, said, said}, &signals.usual());
  } catch (const std::system_error& failed) {
    ::close(said);
    throw Failure(Status::bad_input, words.front() + " cannot be started: " + failed.code().message() +
                                         "; UMAP and t-SNE need Python, named in SAETAP_PYTHON or found as python3");
  }
  ::close(said);
  Progress progress("s of " + method + " in Python", 0);
  const auto begin = std::chrono::steady_clock::now();
  return signals.wait_for(child, [&] {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begin);
    progress.update(static_cast<std::size_t>(seconds.count()));
  });
}

std::string last_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line, last;
  while (std::getline(file, line)) {
    if (!line.empty()) last = line;
  }
  return last;
}

FeatureMap points_by_python(const UnitDirections& directions, const MapRequest& request) {
  const HeldSignals signals;  // Ctrl-C leaves no folder
  const TemporaryFolder folder;
  written(folder / "map_features.py") << kMapFeaturesScript;
  write_npy(folder / "directions.npy", directions);
  const int status = run({python(), folder / "map_features.py", request.method, std::to_string(request.seed),
                          folder / "directions.npy", folder / "points"},
                         folder / "errors", signals, request.method == "umap" ? "UMAP" : "t-SNE");
  if (status != 0) {
    const std::string reason = last_line(folder / "errors");
    throw Failure(Status::bad_input,
                  "--method " + request.method + ": " +
                      (reason.empty() ? python() + " ended with status " + std::to_string(status) : reason));
  }
  std::vector<double> places(2 * directions.size());
  std::ifstream file(folder / "points", std::ios::binary);
  file.read(reinterpret_cast<char*>(places.data()),
            static_cast<std::streamsize>(std::as_bytes(std::span(places)).size()));
  if (!file) throw Failure(Status::bad_input, "--method " + request.method + ": Python wrote too few points");
  FeatureMap map;
  for (std::size_t at = 0; at < directions.size(); ++at) {
    map.points.push_back({directions.features[at], places[2 * at], places[2 * at + 1]});
  }
  return map;
}

}  // namespace

void add_map_options(CLI::App& command, MapRequest& request) {
  command
      .add_option("--method", request.method,
                  "Principal components, or UMAP or t-SNE by Python (SAETAP_PYTHON, or python3) with umap-learn or "
                  "scikit-learn")
      ->check(CLI::IsMember({"pca", "umap", "tsne"}))
      ->type_name("METHOD")
      ->capture_default_str();
  add_seed_option(command, request.seed);
}

FeatureMap feature_map_points(const OpenedStore& store, const MapRequest& request) {
  const UnitDirections directions = active_directions(store);
  constexpr std::size_t kFewest = 3;
  if (directions.size() < kFewest || directions.width < 2) {
    throw Failure(Status::not_there, store.reader.path() + ": a map needs " + std::to_string(kFewest) +
                                         " active features with directions of width 2; there are " +
                                         std::to_string(directions.size()) + " of width " +
                                         std::to_string(directions.width));
  }
  if (request.method == "pca" && directions.width > kWidestPlane) {
    throw Failure(Status::bad_input, "--method pca: directions of " + count_text(directions.width) +
                                         " numbers; principal components are found of " + count_text(kWidestPlane) +
                                         " at most (--method umap and tsne have no such limit)");
  }
  return request.method == "pca" ? principal_plane(directions) : points_by_python(directions, request);
}

}  // namespace saetap::cli
