#include "plugin/session/torch_operators.h"

#include <torch/library.h>

#include <stdexcept>
#include <string>

#include "hooks/discover.h"
#include "plugin/session/c_sites.h"
#include "plugin/session/process.h"
#include "plugin/session/session.h"

namespace saetap {

namespace {

using MaybeTensor = std::optional<at::Tensor>;

DeclaredBehind behind_number(std::int64_t site) {
  return behind(reinterpret_cast<const saetap_site*>(static_cast<std::intptr_t>(site)));
}

void observe(std::int64_t site, const at::Tensor& activations, const MaybeTensor& indices, const MaybeTensor& rows,
             bool train) {
  const auto [session, declared] = behind_number(site);
  session->observe(declared, {activations, indices.value_or(at::Tensor()), rows.value_or(at::Tensor()),
                              train ? Phase::train : Phase::eval});
}

void observe_model_call(const std::string& model, const at::Tensor& tokens, const MaybeTensor& mask,
                        const at::Tensor& rows) {
  process_session()->observe_model(model, tokens, mask.value_or(at::Tensor()), rows);
}

void set_decoder(std::int64_t site, const at::Tensor& weight, bool transposed) {
  const auto [session, declared] = behind_number(site);
  session->set_decoder(declared, weight, transposed, HoldDecoder::shared);
}

void release_decoder(std::int64_t site) {
  const auto [session, declared] = behind_number(site);
  session->release_decoder(declared);
}

// Python chooses a method's code before its first call is seen.
void meet(const c10::OperatorHandle&, torch::jit::Stack* stack) {
  const auto method = torch::jit::pop(*stack).toStringRef();
  const auto module = torch::jit::pop(*stack);
  if (!module.isObject()) throw std::invalid_argument("meet: this is no script module");
  static_cast<void>(process_session());
  const auto& object = module.toObjectRef();
  auto* function = object.type()->findMethod(method);
  if (function == nullptr) throw std::invalid_argument("meet: the module has no method \"" + method + "\"");
  hooks::Discovery::of_process().meet(object, *function);
}

}  // namespace

void register_torch_operators() {
  static const bool once = [] {
    auto* library = new torch::Library(torch::Library::FRAGMENT, "saetap", std::nullopt, __FILE__, __LINE__);
    library->def("observe(int site, Tensor activations, Tensor? indices, Tensor? rows, bool train) -> ()", observe);
    library->def("observe_model(str model, Tensor tokens, Tensor? mask, Tensor rows) -> ()", observe_model_call);
    library->def("set_decoder(int site, Tensor weight, bool transposed) -> ()", set_decoder);
    library->def("release_decoder(int site) -> ()", release_decoder);
    library->def("meet(Any module, str method) -> ()", torch::CppFunction::makeFromBoxedFunction<&meet>());
    return true;
  }();
  static_cast<void>(once);
}

}  // namespace saetap
