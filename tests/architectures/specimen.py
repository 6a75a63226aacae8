"""What the zoo knows of an architecture: how to build it, what to feed it, and what its features are.

The answer is asked of the eager Python module alone: each class has a method `features`, with the parameters of
`forward`, that returns what enters the decoder product. `forward` never calls it unless people write it so themselves,
and TorchScript exports only what `forward` calls.
"""

import dataclasses
import math
import zlib

import torch
from torch import Tensor, nn


@dataclasses.dataclass(frozen=True)
class Specimen:
    """One architecture with its arguments; `variant` tells specimens of one class apart."""

    module: type[nn.Module]
    d_in: int
    width: int  # F; 0 where there is no code
    activation: str = ""
    decoder: str | tuple[str, ...] = "W_dec"  # one path per expected site
    variant: str = ""
    arguments: dict = dataclasses.field(default_factory=dict)
    d_out: int = 0  # 0: as d_in
    groups: int = 1
    form_of_code: str = "dense"
    expect: str = "hooked"
    # Shapes of the inputs by label. Empty: rows [N, d_in], and a batch of sequences [B, T, d_in].
    shapes: dict[str, tuple[tuple[int, ...], ...]] = dataclasses.field(default_factory=dict)
    flags: tuple[float, ...] = ()  # passed as tensors without dimensions, behind the inputs
    vocabulary: int = 0  # the inputs are token ids
    methods: tuple[str, ...] = ("forward",)
    not_scripted: str = ""  # why this is not even tried
    not_traced: str = ""
    only_float32: str = ""  # why other dtypes are left out
    not_autocast: str = ""  # why calls under autocast are
    note: str = ""

    @property
    def name(self) -> str:
        return self.module.__name__ + (f"-{self.variant}" if self.variant else "")

    @property
    def decoders(self) -> tuple[str, ...]:
        return (self.decoder,) if isinstance(self.decoder, str) else self.decoder

    def build(self) -> nn.Module:
        torch.manual_seed(zlib.crc32(self.name.encode()))
        return self.module(**{"d_in": self.d_in, "width": self.width} | self.arguments)

    def inputs(self) -> dict[str, list[Tensor]]:
        torch.manual_seed(zlib.crc32(self.name.encode()) + 1)
        shapes = self.shapes or {"rows": ((18, self.d_in),), "sequences": ((3, 5, self.d_in),)}
        flags = [torch.tensor(flag) for flag in self.flags]
        return {label: [self._input(shape) for shape in of_label] + flags for label, of_label in shapes.items()}

    def _input(self, shape: tuple[int, ...]) -> Tensor:
        return torch.randint(self.vocabulary, shape) if self.vocabulary else torch.randn(shape)


def random_parameter(*shape: int, scale: float = 1.0, offset: float = 0.0) -> nn.Parameter:
    return nn.Parameter(offset + scale * torch.randn(shape))


def random_decoder(*shape: int) -> nn.Parameter:
    """Directions [..., F, d] whose norms differ and are not 1, as in the middle of a training run."""
    norms = 0.5 + torch.rand(*shape[:-1], 1)
    return nn.Parameter(norms * torch.randn(shape) / math.sqrt(shape[-1]))


class SparseCoder(nn.Module):
    """The four parameters nearly everybody has, in the orientation x @ W_enc, f @ W_dec."""

    def __init__(self, d_in: int, width: int, d_out: int = 0):
        super().__init__()
        d_out = d_out or d_in
        self.W_enc = random_parameter(d_in, width, scale=1 / math.sqrt(d_in))
        self.b_enc = random_parameter(width, scale=0.2, offset=-0.1)
        self.W_dec = random_decoder(width, d_out)
        self.b_dec = random_parameter(d_out, scale=0.3)

    def decode(self, f: Tensor) -> Tensor:
        return f @ self.W_dec + self.b_dec
