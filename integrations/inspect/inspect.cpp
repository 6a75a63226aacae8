// saetap-inspect: what `saetap inspect` becomes, because the program itself links no LibTorch.
//
//   saetap-inspect [--json] [--all] -- MODEL
#include <iostream>
#include <string_view>

#include "integrations/analysis/visible_text.h"
#include "integrations/cli/failure.h"
#include "integrations/inspect/listing.h"
#include "integrations/inspect/model_file.h"
#include "integrations/inspect/model_sites.h"
#include "integrations/libtorch/part_main.h"

namespace saetap::inspect {
namespace {

using cli::Failure;
using cli::Status;

struct Request {
  std::string model;
  bool json = false;
  bool all = false;
};

// `saetap inspect` has looked at the arguments before.
Request request_of(int argc, char** argv) {
  Request request;
  int next = 1;
  for (; next < argc && std::string_view(argv[next]) != "--"; ++next) {
    request.json |= std::string_view(argv[next]) == "--json";
    request.all |= std::string_view(argv[next]) == "--all";
  }
  if (next + 2 != argc) throw Failure(Status::bad_input, "this is a part of saetap: use saetap inspect MODEL");
  request.model = argv[next + 1];
  return request;
}

int inspect(const Request& request) {
  const auto found = inspect_model(load_model(request.model), request.model);
  for (const auto& note : found.notes) std::cerr << "saetap: " << visible(note) << '\n';
  if (request.json) std::cout << json_of(found);
  if (!request.json && !found.sites.empty()) std::cout << text_of(found, request.all);
  if (!std::cout.flush()) throw Failure(Status::bad_input, "the output could not be written");
  if (!found.sites.empty()) return static_cast<int>(Status::success);
  throw Failure(Status::not_there, "no SAE or transcoder found in " + std::to_string(found.methods) +
                                       (found.methods == 1 ? " method" : " methods"));
}

int run(int argc, char** argv) {
  Request request;
  return run_part("inspect", request.model, [&] {
    request = request_of(argc, argv);
    return inspect(request);
  });
}

}  // namespace
}  // namespace saetap::inspect

int main(int argc, char** argv) {
  return saetap::inspect::run(argc, argv);
}
