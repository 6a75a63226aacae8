// torch.ops.saetap: what Python gives as tensors, wherever they lie.
#pragma once

namespace saetap {

// Makes the operators known to LibTorch, once; they stay for the life of the process.
//   observe(int site, Tensor activations, Tensor? indices, Tensor? rows, bool train) -> ()
//   observe_model(str model, Tensor tokens, Tensor? mask, Tensor rows) -> ()
//   set_decoder(int site, Tensor weight, bool transposed) -> ()   the parameter itself: read at checkpoints
//   release_decoder(int site) -> ()                               read now, and let go of: its module is about to go
//   meet(Any module, str method) -> ()                            a script module's method is hooked now
// `site`: a saetap_site*. As in saetap_api; what is refused is an exception, which Python's side of saetap catches.
void register_torch_operators();

}  // namespace saetap
