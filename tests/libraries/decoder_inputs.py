"""Watches which tensors enter products with a decoder: the truth about a module, whatever its library calls features."""
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

# Position of (what enters, weight) among the arguments.
PRODUCTS = {"mm": (0, 1), "addmm": (1, 2), "_sparse_mm": (0, 1), "_sparse_addmm": (1, 2), "linear": (0, 1),
            "mkldnn_linear": (0, 1)}


def as_dense(tensor: Tensor) -> Tensor:
    return tensor if tensor.layout == torch.strided else tensor.to_dense()


def bag_to_rows(weight: Tensor, indices: Tensor, offsets: Tensor, per_sample_weights: Tensor) -> Tensor:
    """(indices, values) of an embedding bag as dense rows [N, F]."""
    found = torch.zeros(offsets.numel(), weight.shape[0], dtype=per_sample_weights.dtype)
    return found.scatter_add_(1, indices.view(offsets.numel(), -1), per_sample_weights.view(offsets.numel(), -1))


class DecoderInputs(TorchDispatchMode):
    """Works for eager modules and for the TorchScript interpreter alike: both go through the dispatcher."""

    def __init__(self, decoder: Tensor):
        super().__init__()
        self.decoder = decoder
        self.found: list[Tensor] = []

    def is_decoder(self, weight: Tensor) -> bool:
        return any(w.shape == self.decoder.shape and torch.equal(w, self.decoder)
                   for w in (as_dense(weight), as_dense(weight).t()))

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        if name in PRODUCTS:
            entering, weight = (args[i] for i in PRODUCTS[name])
            if entering.shape[-1] == self.decoder.shape[0] and self.is_decoder(weight):
                self.found.append(as_dense(entering).reshape(-1, entering.shape[-1]).clone())
        elif name.startswith("_embedding_bag") and len(args) > 6 and self.is_decoder(args[0]):
            self.found.append(bag_to_rows(args[0], args[1], args[2], args[6]))
        return function(*args, **(kwargs or {}))


def decoder_inputs(module, inputs: list[Tensor], decoder: Tensor) -> list[Tensor]:
    with DecoderInputs(decoder.detach()) as watch:
        module(*inputs)
    return [found.detach() for found in watch.found]
