// saetap-collect: what `saetap collect` becomes, because the program itself links no LibTorch.
//
//   saetap-collect --KEY=VALUE..., each key as often as it has values; see request_of
#include <cstdlib>
#include <exception>
#include <iostream>

#include "integrations/analysis/visible_text.h"
#include "integrations/cli/failure.h"
#include "integrations/collect/pass.h"
#include "integrations/libtorch/first_line.h"

namespace saetap::collect {
namespace {

using cli::Failure;
using cli::Status;

// LibTorch warns of things that are its own business: a mapped file cannot be written.
class Silence : public c10::WarningHandler {
 public:
  void process(const c10::Warning&) override {}
};

int fail(Status status, const std::string& reason) {
  std::cerr << "saetap: collect: " << visible(reason) << '\n';
  return static_cast<int>(status);
}

int run(int argc, char** argv) {
  Silence silence;
  const c10::WarningUtils::WarningHandlerGuard silent(&silence);
  try {
    run_pass(request_of(argc, argv));
    if (!std::cout.flush()) throw Failure(Status::bad_input, "the output could not be written");
    return static_cast<int>(Status::success);
  } catch (const Failure& failure) {
    return fail(failure.status(), failure.what());
  } catch (const std::exception& error) {
    return fail(Status::bad_input, first_line(error));
  } catch (...) {
    return fail(Status::bad_input, "unknown error");
  }
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
