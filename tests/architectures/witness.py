"""Sees what enters matrix products, in eager code and inside TorchScript alike.

Below autocast and above the kernels: what it records is what the product multiplies.
"""

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

PRODUCTS = (
    *("mm", "addmm", "bmm", "baddbmm", "mv", "linear", "_sparse_mm", "_sparse_addmm"),
    *("_embedding_bag", "_embedding_bag_forward_only", "mul"),
)


class ProductWitness(TorchDispatchMode):
    """Copies the operands of products: tensors may be changed in place later.

    `mul` is among them because a pair may be decoded by (W_dec[indices] * values.unsqueeze(-1)).sum(-2).
    """

    def __init__(self):
        super().__init__()
        self.operands: list[Tensor] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func._schema.name.removeprefix("aten::") in PRODUCTS:
            for value in [*args, *(kwargs or {}).values()]:
                if isinstance(value, Tensor) and value.is_floating_point():
                    self.operands.append(_unexpanded(value.detach().to_dense()).clone())
        return func(*args, **(kwargs or {}))

    def distance_to(self, features: Tensor) -> float | None:
        """The largest difference between `features` and the operand nearest to them; 0.0: equal to the last bit.

        Operands may be views of another shape, other orders of the dimensions, or the values of a pair: beside an equal
        shape, what counts is the sorted values that are not 0. None: no operand is like the features.
        """
        distances = [_distance(features, operand) for operand in self.operands if operand.dtype == features.dtype]
        return min((d for d in distances if d is not None), default=None)


def _unexpanded(tensor: Tensor) -> Tensor:
    """Without the repetitions of a broadcast: one code that a batched product multiplies with several matrices."""
    for dim in range(tensor.dim()):
        if tensor.stride(dim) == 0 and tensor.shape[dim] > 1:
            tensor = tensor.narrow(dim, 0, 1)
    return tensor


def _largest_difference(expected: Tensor, met: Tensor) -> float:
    return (expected.double() - met.double()).abs().max().item()


def _active(values: Tensor) -> Tensor:
    return values[values != 0].sort().values


def _distance(features: Tensor, operand: Tensor) -> float | None:
    distances = []
    if operand.numel() == features.numel():
        distances.append(_largest_difference(features, operand.reshape(features.shape)))
    if distances != [0.0] and 0 < torch.count_nonzero(features) == torch.count_nonzero(operand):
        distances.append(_largest_difference(_active(features), _active(operand)))
    close = 0.05 * features.double().abs().max().item()  # farther than rounding explains: another tensor by chance
    return min((d for d in distances if d <= close), default=None)
