#include <algorithm>
#include <array>
#include <iostream>
#include <memory>
#include <optional>

#include "integrations/analysis/visible_text.h"
#include "integrations/cli/commands.h"
#include "integrations/cli/failure.h"
#include "integrations/cli/feature_map_points.h"
#include "integrations/cli/json_text.h"
#include "integrations/cli/opened_store.h"
#include "integrations/cli/picture_file.h"
#include "integrations/cli/progress.h"
#include "integrations/cli/shared_options.h"
#include "integrations/report/map_picture.h"
#include "integrations/report/pictures.h"
#include "integrations/report/plot_style.h"

namespace saetap::cli {
namespace {

struct PlotRequest {
  StoreRequest store;
  std::string kind;
  std::vector<std::int64_t> features;
  std::string output;
  std::string format;
  std::optional<std::size_t> samples;    // of the kind samples
  std::optional<std::uint32_t> context;  // of the kind samples
  MapRequest map;
  bool map_asked = false;  // --method or --seed was given
};

// What can be drawn, and of how many features.
struct Kind {
  const char* name;
  std::size_t fewest;
  std::size_t most;
};
constexpr std::array<Kind, 6> kKinds{{{"distribution", 0, kMostSeries},
                                      {"density", 0, 0},
                                      {"max-density", 0, 0},
                                      {"map", 0, 0},
                                      {"samples", 1, 1},
                                      {"windows", 1, kMostSeries}}};

const Kind& kind_of(const PlotRequest& request) {
  return *std::find_if(kKinds.begin(), kKinds.end(), [&](const Kind& kind) { return request.kind == kind.name; });
}

std::string number_wanted(const Kind& kind) {
  if (kind.most == 0) return "no feature: it is of all of the site";
  if (kind.fewest == kind.most) return "one feature";
  return (kind.fewest == 0 ? "up to " : "one to ") + std::to_string(kind.most) + " features";
}

void check(const PlotRequest& request) {
  const Kind& kind = kind_of(request);
  if (request.features.size() < kind.fewest || request.features.size() > kind.most) {
    throw Failure(Status::bad_input, "plot " + request.kind + " takes " + number_wanted(kind));
  }
  if (request.kind != "samples" && (request.samples || request.context)) {
    throw Failure(Status::bad_input, "--samples and --context are for the kind samples");
  }
  if (request.kind != "map" && request.map_asked) {
    throw Failure(Status::bad_input, "--method and --seed are for the kind map");
  }
}

// "feature-7-samples", "distribution": what the file is called if nothing else is said.
std::string default_name(const PlotRequest& request) {
  std::string name;
  for (const std::int64_t feature : request.features) name += (name.empty() ? "" : "-") + std::to_string(feature);
  return name.empty() ? request.kind : request.kind + "-" + name;
}

MapNames names_of(const MapRequest& map) {
  if (map.method == "pca") {
    return {.method = "The two principal components of the decoder directions, each of length 1.",
            .axes = "principal component"};
  }
  const std::string name = map.method == "umap" ? "UMAP" : "t-SNE";
  return {.method = name + " of the decoder directions by their cosines, seed " + std::to_string(map.seed) +
                    ": features near each other are similar, how far others are apart says little.",
          .axes = name + " dimension"};
}

Picture picture_of(const PlotRequest& request, const OpenedStore& store) {
  const auto features = asked_features(store.reader, store.stored(), store.scope, request.features);
  Progress progress("features read", static_cast<std::size_t>(store.stored().site.features));
  const PictureRequest of{
      .store = store.reader, .site = store.stored(), .scope = store.scope, .progress = [&](std::size_t done) {
        progress.update(done);
      }};
  if (request.kind == "density") return density_picture(of);
  if (request.kind == "max-density") return max_density_picture(of);
  if (request.kind == "map") {
    return map_picture(of, feature_map_points(store, request.map), names_of(request.map));
  }
  if (request.kind == "windows") return windows_picture(of, features);
  if (request.kind == "distribution") {
    return features.empty() ? site_distribution_picture(of) : distribution_picture(of, features);
  }
  SamplesShown shown{.tokenizer = store.tokenizer.get()};
  if (request.samples) shown.top = *request.samples;
  if (request.context) shown.context = *request.context;
  return samples_picture(of, features.front(), shown);
}

Json json_of(const PointCell& cell) {
  return std::visit(
      [](const auto& value) -> Json {
        using Value = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<Value, std::monostate>) {
          return nullptr;
        } else if constexpr (std::is_same_v<Value, float>) {
          return as_printed(value);
        } else {
          return value;
        }
      },
      cell);
}

Json json_of(const PlotRequest& request, const OpenedStore& store, const PointTable& table) {
  const Scope scope = request.kind == "windows" ? Scope::all_time : store.scope;
  Json object{{"store", store.reader.path()},
              {"site", store.stored().site.name},
              {"scope", json_of_scope(store.stored(), scope)},
              {"kind", request.kind},
              {"points", Json::array()}};
  for (const auto& row : table.rows) {
    Json& point = object["points"].emplace_back(Json::object());
    for (std::size_t i = 0; i < row.size(); ++i) point[table.columns[i].name] = json_of(row[i]);
  }
  return object;
}

void plot(const PlotRequest& request) {
  check(request);
  const PictureTarget target = picture_target(request.output, request.format, default_name(request));
  // Only samples show text.
  const OpenedStore store = request.kind == "samples" ? open_store(request.store) : open_site(request.store);
  try {
    const Picture picture = picture_of(request, store);
    if (request.store.json) {
      print_json(json_of(request, store, picture.points));
      return;
    }
    write_picture(picture, target);
    if (target.picture != "-") {
      std::cout << visible(target.picture) << " and " << visible(target.table) << ": " << picture.of << '\n';
    }
  } catch (const NothingToDraw& nothing) {
    throw Failure(Status::not_there, nothing.what());
  }
}

std::vector<std::string> kind_names() {
  std::vector<std::string> names;
  for (const Kind& kind : kKinds) names.emplace_back(kind.name);
  return names;
}

constexpr const char* kFooter =
    "KIND is one of\n"
    "  distribution [FEATURE...]  how large active values are: of up to 8 features, or of the site as a whole\n"
    "  density                    how many features are how often active\n"
    "  max-density                largest activation of every feature against its density\n"
    "  map                        features near each other where their decoder directions are (--method)\n"
    "  samples FEATURE            its strongest samples, each token the darker the more active it was there\n"
    "  windows FEATURE...         density and largest activation over the run, of up to 8 features\n"
    "\n"
    "Beside the picture, the same name with .points.csv has its points.\n"
    "\n"
    "Example: saetap plot activation_samples samples 1730 -o 1730.pdf";

}  // namespace

void add_plot(CLI::App& program) {
  auto request = std::make_shared<PlotRequest>();
  CLI::App* sub = program.add_subcommand("plot", "Draw a site or its features as a picture fit to print");
  add_store_argument(*sub, request->store);
  sub->add_option("KIND", request->kind, "What to draw: see below")->required()->check(CLI::IsMember(kind_names()));
  sub->add_option("FEATURE", request->features, "Numbers of the features")->check(feature_number())->type_name("N");
  CLI::Option* output =
      sub->add_option("-o,--output", request->output, "File to write; - is stdout (default: after the kind)")
          ->check(file_name())
          ->type_name("FILE");
  CLI::Option* format =
      sub->add_option("--format", request->format, "svg, png or pdf (default: as FILE ends, else svg)")
          ->check(CLI::IsMember({"svg", "png", "pdf"}))
          ->type_name("FORMAT");
  sub->add_option("--samples", request->samples, "Of the kind samples: how many (default: 20)")->check(from_to(1, 100));
  sub->add_option("--context", request->context, "Of the kind samples: tokens to show on each side (default: 5)")
      ->check(from_to(0, 20));
  add_map_options(*sub, request->map);
  add_scope_option(*sub, request->store);
  add_site_option(*sub, request->store);
  add_tokenizer_option(*sub, request->store);
  sub->add_flag("--json", request->store.json, "Print the points as one JSON object instead (docs/json_output.md)")
      ->excludes(output)
      ->excludes(format);
  sub->footer(kFooter);
  sub->callback([request, sub] {
    request->map_asked = sub->count("--method") + sub->count("--seed") > 0;
    plot(*request);
  });
}

}  // namespace saetap::cli
