// saetap-collect: what `saetap collect` becomes, because the program itself links no LibTorch.
//
//   saetap-collect --KEY=VALUE..., each key as often as it has values; see request_of
#include <cstdlib>
#include <iostream>

#include "integrations/cli/failure.h"
#include "integrations/collect/pass.h"
#include "integrations/libtorch/part_main.h"

namespace saetap::collect {
namespace {

using cli::Failure;
using cli::Status;

int run(int argc, char** argv) {
  return run_part("collect", "", [&] {
    run_pass(request_of(argc, argv));
    if (!std::cout.flush()) throw Failure(Status::bad_input, "the output could not be written");
    return static_cast<int>(Status::success);
  });
}

}  // namespace
}  // namespace saetap::collect

int main(int argc, char** argv) {
  const int status = saetap::collect::run(argc, argv);
  // After a failure the recording is still at work, and must not see LibTorch go.
  std::cout.flush();
  std::cerr.flush();
  std::_Exit(status);
}
