#include "integrations/libtorch/part_main.h"

#include <iostream>

#include "hooks/libtorch.h"
#include "integrations/analysis/visible_text.h"
#include "integrations/cli/failure.h"
#include "integrations/libtorch/first_line.h"

namespace saetap {
namespace {

using cli::Failure;
using cli::Status;

// LibTorch warns of things that are its own business: a mapped file cannot be written.
class Silence : public c10::WarningHandler {
 public:
  void process(const c10::Warning&) override {}
};

}  // namespace

int run_part(const char* command, const std::string& about, const std::function<int()>& work) {
  Silence silence;
  const c10::WarningUtils::WarningHandlerGuard silent(&silence);
  const auto fail = [&](Status status, const std::string& reason) {
    std::cerr << "saetap: " << command << ": " << visible((about.empty() ? "" : about + ": ") + reason) << '\n';
    return static_cast<int>(status);
  };
  try {
    return work();
  } catch (const Failure& failure) {
    return fail(failure.status(), failure.what());
  } catch (const std::exception& error) {
    return fail(Status::bad_input, first_line(error));
  } catch (...) {
    return fail(Status::bad_input, "unknown error");
  }
}

}  // namespace saetap
