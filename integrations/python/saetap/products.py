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
    """While it is entered, `see(features, indices)` is told the other operand of each product with `weight` or a transpose
    of it. Nothing is changed."""

    def __init__(self, weight: torch.Tensor, see: Callable[[torch.Tensor, torch.Tensor | None], None]) -> None:
        super().__init__()
        self._weight, self._see = weight, see

    def _is_weight(self, value: Any) -> bool:
        return value is self._weight or (isinstance(value, torch.Tensor) and value._base is self._weight
                                         and value.numel() == self._weight.numel())

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if func in _PRODUCTS:
            operands = [value for value in (*args, *kwargs.values()) if isinstance(value, torch.Tensor)]
            if func is torch.nn.functional.embedding_bag and len(operands) > 1 and self._is_weight(operands[1]):
                values = kwargs.get("per_sample_weights")
                if values is not None:
                    self._see(values, operands[0])
            elif func is torch.addmm or func is torch.Tensor.addmm:
                if self._is_weight(operands[-1]):
                    self._see(operands[-2], None)
            elif len(operands) > 1 and self._is_weight(operands[1]):
                self._see(operands[0], None)
        return func(*args, **kwargs)
