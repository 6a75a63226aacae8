"""Is an exported module, loaded again, what the library's eager module is?"""
import itertools
from dataclasses import dataclass

import torch
from torch import Tensor

from decoder_inputs import decoder_inputs
from export_forms import reloaded
from library_module import LibraryModule, dense


class NotTheSame(Exception):
    """The exported module does not do what the library's module does."""


def tensors(output) -> list[Tensor]:
    if isinstance(output, Tensor):
        return [dense(output)]
    return [tensor for part in output for tensor in tensors(part)]


def difference(left: Tensor, right: Tensor) -> float:
    """0.0 exactly if the values are equal."""
    if left.shape != right.shape:
        raise NotTheSame(f"shape {tuple(left.shape)} instead of {tuple(right.shape)}")
    if torch.equal(left, right):
        return 0.0
    distance = (left.double() - right.double()).abs().max().item()
    if distance != distance:
        raise NotTheSame("not a number")
    return distance


@dataclass
class Reference:
    """What the eager module does."""
    outputs: list[Tensor]
    decoder_input: Tensor | None  # [rows, F]

    def features_distance(self, source: LibraryModule, entering: Tensor) -> float:
        if source.meaning == "decoder_norm":
            entering = entering * source.decoder.norm(dim=-1)
        return difference(entering, source.features.reshape(-1, source.features.shape[-1]))


def reference_of(source: LibraryModule) -> Reference:
    outputs = tensors(source.module(*source.inputs))
    products = decoder_inputs(source.module, source.inputs, source.decoder) if source.decoder is not None else []
    reference = Reference(outputs, products[source.main_product] if products else None)
    if source.features is not None:
        active = source.features != 0
        if not active.any() or active.all():
            raise NotTheSame("features without zeros, or all of them zero")
    if source.meaning in ("decoder_input", "decoder_norm") and reference.decoder_input is not None:
        limit = 0.0 if source.meaning == "decoder_input" else 1e-5
        if reference.features_distance(source, reference.decoder_input) > limit:
            raise NotTheSame(f"the features do not enter the decoder as '{source.meaning}' says")
    return reference


@dataclass
class Measured:
    outputs: float = 0.0
    decoder_input: float = 0.0


def measure(data: bytes, source: LibraryModule, reference: Reference) -> Measured:
    """Several runs, with and without gradients: the executor specialises its graph after the first ones."""
    module, measured = reloaded(data), Measured()
    for grad, _ in itertools.product((True, False), range(3)):
        with torch.set_grad_enabled(grad):
            for left, right in zip(tensors(module(*source.inputs)), reference.outputs, strict=True):
                measured.outputs = max(measured.outputs, difference(left, right))
            if reference.decoder_input is not None:
                products = decoder_inputs(module, source.inputs, source.decoder)
                if not products:
                    raise NotTheSame("no product with the decoder was run")
                nearest = min(difference(product, reference.decoder_input) for product in products)
                measured.decoder_input = max(measured.decoder_input, nearest)
    limit = 0.1 if source.dtype == torch.bfloat16 else 1e-4
    if max(measured.outputs, measured.decoder_input) > limit:
        raise NotTheSame(f"it runs, but outputs differ by {measured.outputs:g} and what enters the decoder by "
                         f"{measured.decoder_input:g}: other kernels round to other features")
    return measured


def trains(data: bytes, source: LibraryModule) -> bool:
    module = reloaded(data)
    total = sum(output.float().sum() for output in floating(module(*source.inputs)))
    if not total.requires_grad:
        return False
    try:
        total.backward()
    except NotImplementedError:  # sparse features times decoder norms: the library's own module cannot be trained either
        return False
    return any(parameter.grad is not None and parameter.grad.any() for parameter in module.parameters())


def floating(output) -> list[Tensor]:
    """Like tensors(), with their gradients."""
    if isinstance(output, Tensor):
        return [output] if output.is_floating_point() else []
    return [tensor for part in output for tensor in floating(part)]
