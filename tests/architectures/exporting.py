"""TorchScript forms of an eager module, and comparing what both compute."""

import io
import re
from collections.abc import Iterator

import torch
from specimen import Specimen
from torch import Tensor, nn

FORMS = ("scripted", "traced", "frozen", "optimized")


class NotExported(Exception):
    """Carries the reason in one line."""


def reason(error: Exception) -> str:
    """The first line of an error that says something; paths of this machine are none of the reader's business."""
    lines = [line.strip() for line in str(error).splitlines()]
    telling = [line for line in lines if line and not re.match(r'File "|The following operation|Traceback', line)]
    text = telling[0] if telling else type(error).__name__
    return re.sub(r"/\S*/", "", text)[:200].rstrip(":")


# TorchScript remembers half of a class that it failed to compile, and complains of something else the next time.
_not_compiled: dict[type, str] = {}


def scripted(specimen: Specimen, eager: nn.Module) -> torch.jit.ScriptModule:
    why = specimen.not_scripted or _not_compiled.get(specimen.module)
    if why:
        raise NotExported(why)
    try:
        return torch.jit.script(eager)
    except Exception as error:  # whatever TorchScript's compiler objects to
        _not_compiled[specimen.module] = reason(error)
        raise NotExported(reason(error)) from error


def traced(specimen: Specimen, eager: nn.Module, inputs: dict[str, list[Tensor]]) -> torch.jit.ScriptModule:
    if specimen.not_traced:
        raise NotExported(specimen.not_traced)
    try:
        if list(inputs) == ["forward"]:
            return torch.jit.trace(eager, tuple(inputs["forward"]), check_trace=False, strict=False)
        return torch.jit.trace_module(eager, {m: tuple(i) for m, i in inputs.items()}, check_trace=False, strict=False)
    except Exception as error:
        raise NotExported(reason(error)) from error


def frozen(specimen: Specimen, module: torch.jit.ScriptModule, optimize: bool) -> torch.jit.ScriptModule:
    kept = [method for method in specimen.methods if method != "forward"]
    try:
        if optimize:
            return torch.jit.optimize_for_inference(module.eval(), other_methods=kept)
        return torch.jit.freeze(module.eval(), preserved_attrs=kept)
    except Exception as error:
        raise NotExported(reason(error)) from error


def saved(module: torch.jit.ScriptModule) -> bytes:
    buffer = io.BytesIO()
    try:
        torch.jit.save(module, buffer)
    except Exception as error:
        raise NotExported(reason(error)) from error
    return buffer.getvalue()


def loaded(content: bytes) -> torch.jit.ScriptModule:
    return torch.jit.load(io.BytesIO(content))


def tensors_in(output) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, dict):
        for key in sorted(output):
            yield from tensors_in(output[key])
    elif isinstance(output, (tuple, list)):
        for element in output:
            yield from tensors_in(element)


def difference(expected: list[Tensor], met: list[Tensor]) -> float | None:
    """The largest difference of two outputs; 0.0: equal to the last bit; None: not comparable."""
    if [t.shape for t in expected] != [t.shape for t in met]:
        return None
    largest = 0.0
    for one, other in zip(expected, met):
        if one.dtype == other.dtype and torch.equal(one.to_dense(), other.to_dense()):
            continue
        largest = max(largest, (one.to_dense().double() - other.to_dense().double()).abs().max().item())
    return largest


def train_step(module: nn.Module, arguments: list[Tensor]) -> bool:
    """Whether a backward pass through everything returned reaches a parameter."""
    parameters = list(module.parameters())
    for parameter in parameters:
        parameter.grad = None
    try:
        returned = [t for t in tensors_in(module(*arguments)) if t.requires_grad]
        if returned:
            sum(t.float().sum() for t in returned).backward()
    except RuntimeError:
        return False
    return any(parameter.grad is not None for parameter in parameters)
