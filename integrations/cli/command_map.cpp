#include <iostream>
#include <memory>

#include "integrations/analysis/visible_text.h"
#include "integrations/cli/commands.h"
#include "integrations/cli/counted.h"
#include "integrations/cli/feature_map_points.h"
#include "integrations/cli/json_text.h"
#include "integrations/cli/opened_store.h"
#include "integrations/cli/shared_options.h"
#include "integrations/cli/written_file.h"
#include "plugin/number_text.h"

namespace saetap::cli {
namespace {

struct MapCommand {
  StoreRequest store;
  MapRequest map;
  std::string output = "-";
};

void write_csv(std::ostream& out, const OpenedStore& store, const FeatureMap& map) {
  const std::vector<FeatureStatistics> statistics = store.reader.statistics(store.site(), store.scope);
  out << "feature,x,y,density,max\n";
  for (const MapPoint& point : map.points) {
    const FeatureStatistics& own = statistics[point.feature];
    out << point.feature << ',' << point.x << ',' << point.y << ',' << own.density(store.facts().eligible) << ','
        << own.max << '\n';
  }
}

Json json_of(const OpenedStore& store, const MapCommand& command, const FeatureMap& map) {
  Json object{{"store", store.reader.path()},
              {"site", store.stored().site.name},
              {"scope", json_of_scope(store.stored(), store.scope)},
              {"method", command.map.method}};
  if (command.map.method == "pca") {
    object["x_share_of_variance"] = map.x_share;
    object["y_share_of_variance"] = map.y_share;
  } else {
    object["seed"] = command.map.seed;
  }
  object["points"] = Json::array();
  for (const MapPoint& point : map.points) {
    object["points"].push_back({{"feature", point.feature}, {"x", point.x}, {"y", point.y}});
  }
  return object;
}

void map_features(const MapCommand& command) {
  const OpenedStore store = open_site(command.store);
  const FeatureMap map = feature_map_points(store, command.map);
  const auto write = [&](std::ostream& out) {
    if (command.store.json) {
      write_json(out, json_of(store, command, map));
    } else {
      write_csv(out, store, map);
    }
  };
  if (command.output == "-") return write(std::cout);
  write_atomically(command.output, write);
  if (command.store.json) {
    print_json({{"store", store.reader.path()}, {"output", command.output}, {"points", map.points.size()}});
    return;
  }
  std::cout << counted(map.points.size(), "feature") << " written to " << visible(command.output);
  if (command.map.method == "pca") {
    std::cout << "; of the variance of their directions x has " << percent_text(map.x_share) << ", y "
              << percent_text(map.y_share);
  }
  std::cout << '\n';
}

}  // namespace

void add_map(CLI::App& program) {
  auto command = std::make_shared<MapCommand>();
  CLI::App* sub = program.add_subcommand("map", "Features as points of a plane, by their decoder directions, as CSV");
  add_store_argument(*sub, command->store);
  add_map_options(*sub, command->map);
  add_output_option(*sub, command->output);
  add_scope_option(*sub, command->store);
  add_site_option(*sub, command->store);
  add_json_option(*sub, command->store);
  sub->footer("Example: saetap map activation_samples --method pca -o map.csv");
  sub->callback([command] { map_features(*command); });
}

}  // namespace saetap::cli
