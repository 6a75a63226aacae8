"""One module of a library, with an input and the library's own features for it."""
import contextlib
import types
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from unittest import mock

import torch
from torch import Tensor, nn

ROWS, D_IN, FEATURES = 12, 16, 80


@dataclass
class LibraryModule:
    library: str
    class_name: str
    variant: str
    module: nn.Module  # what is exported: the library's module, or a wrapper around it
    inputs: list[Tensor]
    features: Tensor | None  # the library's answer, dense [rows..., F]; None for a control
    decoder: Tensor | None  # [F, d_out]: row i is the decoder direction of feature i
    wrapped: bool = False
    meaning: str = "decoder_input"
    note: str = ""
    main_product: int = 0  # of the products with this decoder, in order: the one whose result is the reconstruction
    # What a user must do to trace it, where a trace of the module as it is cannot be saved or run, and why.
    workaround: Callable[[], contextlib.AbstractContextManager] | None = None
    workaround_note: str = ""

    @property
    def name(self) -> str:
        parts = (self.library.split()[0], self.class_name, self.variant)
        return ".".join("".join(c if c.isalnum() else "_" for c in part) for part in parts if part)

    @property
    def dtype(self) -> torch.dtype:
        return self.inputs[0].dtype


def seeded(*name: str) -> torch.Generator:
    """Each module has its own seed, so that adding one changes no other."""
    return torch.Generator().manual_seed(zlib.crc32("/".join(name).encode()))


def rows(generator: torch.Generator, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=generator).to(dtype)


@torch.no_grad()
def fill_with_random_values(module: nn.Module, generator: torch.Generator) -> None:
    """Encoder, decoder, biases: all different, so that no wrong value equals the features by luck. Decoder directions
    are not of unit norm. Thresholds lie where about a third of the features pass."""
    for name, parameter in module.named_parameters():
        values = torch.randn(parameter.shape, generator=generator) * 0.3
        if name.endswith("threshold"):
            values = torch.rand(parameter.shape, generator=generator) * 0.8 + 0.2
        parameter.copy_(values)


def dense(features: Tensor) -> Tensor:
    return (features.to_dense() if features.is_sparse else features).detach().clone().contiguous()


INLINED_NOTE = ("traced with the forward of its Python autograd functions inlined, because TorchScript cannot save them; gradients "
                "are those of the inlined operators")


@contextlib.contextmanager
def inlined(*functions: type[torch.autograd.Function]) -> Iterator[None]:
    """Calls the functions' own forward where they are applied, so that its operators are traced."""
    with contextlib.ExitStack() as stack:
        for function in functions:
            takes_context = function.setup_context is torch.autograd.Function.setup_context
            context = [types.SimpleNamespace(save_for_backward=lambda *_: None)] if takes_context else []
            stack.enter_context(mock.patch.object(function, "apply", lambda *args, f=function, c=context: f.forward(*c, *args)))
        yield
