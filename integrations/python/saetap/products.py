"""What enters the decoder's matrix product, seen where it is computed: for modules that have neither a method nor a
submodule which gives the features."""
from __future__ import annotations

from typing import Any, Callable

import torch
from torch.overrides import TorchFunctionMode

_PRODUCTS = {torch.matmul, torch.Tensor.matmul, torch.Tensor.__matmul__, torch.mm, torch.Tensor.mm, torch.bmm, torch.Tensor.bmm,
             torch.addmm, torch.Tensor.addmm, torch.einsum, torch.nn.functional.linear, torch.sparse.mm,
             torch.nn.functional.embedding_bag}


class DecoderProducts(TorchFunctionMode):
    """While it is entered, `see(features, indices)` is told the other operand, [.., `features`], of each product with
    `weight` or a transpose of it (with tied weights the encoder's product has another). Nothing is changed."""

    def __init__(self, weight: torch.Tensor, features: int,
                 see: Callable[[torch.Tensor, torch.Tensor | None], None]) -> None:
        super().__init__()
        self._weight, self._features, self._see = weight, features, see

    def _is_weight(self, value: Any) -> bool:
        return value is self._weight or (isinstance(value, torch.Tensor) and value._base is self._weight
                                         and value.numel() == self._weight.numel())

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if func in _PRODUCTS:
            operands = [value for value in (*args, *kwargs.values()) if isinstance(value, torch.Tensor)]
            if func in (torch.addmm, torch.Tensor.addmm):
                operands = operands[1:]
            if len(operands) > 1 and self._is_weight(operands[1]):
                self._tell(func, operands[0], kwargs.get("per_sample_weights"))
        return func(*args, **kwargs)

    def _tell(self, func: Callable, operand: torch.Tensor, values: torch.Tensor | None) -> None:
        if func is torch.nn.functional.embedding_bag:
            if values is not None:
                self._see(values, operand)
        elif operand.dim() and operand.shape[-1] == self._features:
            self._see(operand, None)
