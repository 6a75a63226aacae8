"""A language model that is an eager nn.Module: its tokens, and what it computed from them, go to the plugin, so that rows are
found again however they are buffered and shuffled."""
from __future__ import annotations

import inspect
import threading
import weakref
from typing import Any, Callable, Iterator

import torch
from torch import nn

from saetap import hooks, library, log
from saetap.eager import observable
from saetap.library import SaetapError, operators

_INTEGERS = (torch.int64, torch.int32)


class SeenModel:
    """Any thread; never raises inside the model's calls."""

    def __init__(self, model: nn.Module, at: str | None) -> None:
        self.name, self.at, self.off, self.users = type(model).__name__, at, False, 0
        self.widths: set[int] = set()  # of the SAEs that read it
        self._local = threading.local()
        self._signature = inspect.signature(model.forward)
        self._seen = False
        self._ends: list[Callable[[], None]] = []
        before, after = hooks.ForwardHook(model, self._enter), hooks.ForwardHook(model, self._leave)
        self._ends.append(model.register_forward_pre_hook(before, with_kwargs=True).remove)
        self._ends.append(model.register_forward_hook(after, always_call=True).remove)
        if at is not None:
            inner = dict(model.named_modules()).get(at)
            if inner is None:
                near = ", ".join(sorted(name for name, _ in model.named_modules() if name.count(".") == at.count("."))[:8])
                raise SaetapError(f"saetap: {self.name} has no submodule {at!r}; there are: {near or 'none'}")
            self._ends.append(inner.register_forward_hook(hooks.ForwardHook(inner, self._inside)).remove)

    def remove(self) -> None:
        while self._ends:
            self._ends.pop()()

    def _enter(self, args: tuple, kwargs: dict) -> None:
        self._local.tokens = None if self.off else self._guarded(lambda: tokens_in(self._signature, args, kwargs))

    def _inside(self, _: tuple, output: Any) -> None:
        tokens = getattr(self._local, "tokens", None)
        if tokens is not None:
            self._guarded(lambda: self._tell(self.at or "", output, *tokens))

    def _leave(self, _: tuple, output: Any) -> None:
        tokens, self._local.tokens = getattr(self._local, "tokens", None), None
        if tokens is not None and self.at is None and output is not None:
            self._guarded(lambda: self._tell("output", output, *tokens))

    def _guarded(self, see: Callable[[], Any]) -> Any:
        if self.off or torch.jit.is_tracing():
            return None
        try:
            return see()
        except Exception as failed:
            self.off = True
            if library.ENDED not in str(failed):
                log.warn(f"{self.name}: its tokens are not seen any more: {log.first_line(failed)}")
            return None

    @torch.compiler.disable
    def _tell(self, place: str, output: Any, tokens: torch.Tensor, mask: torch.Tensor | None) -> None:
        found = False
        for path, tensor in tensors_in(output, place):
            rows = rows_for(tensor, tokens, self.widths, any_width=self.at is not None)
            if rows is None or not observable(rows):
                continue
            found = True
            with torch.no_grad():
                operators().observe_model(f"{self.name} › {self.at or path}", tokens, mask, rows.detach())
            if self.at is not None:
                break
        if not found and not self._seen:
            wanted = "" if self.at else f" of width {', '.join(map(str, sorted(self.widths)))}"
            log.warn(f"{self.name} › {place}: no rows{wanted} for its tokens {list(tokens.shape)}: name a submodule that returns "
                     'them, saetap.attach(sae, lm=model, at="path.of.submodule")')
        self._seen = True


def tokens_in(signature: inspect.Signature, args: tuple, kwargs: dict) -> tuple[torch.Tensor, torch.Tensor | None] | None:
    """The first [batch, length] (or [length]) integers that a model is given, and a mask of their shape by its name."""
    try:
        given = dict(signature.bind(*args, **kwargs).arguments)
        for parameter in signature.parameters.values():
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                given.update(given.pop(parameter.name, {}))
            elif parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                given.update(enumerate(given.pop(parameter.name, ())))
    except TypeError:
        return None  # the model will say it itself
    for name, value in given.items():
        if not isinstance(value, torch.Tensor) or value.dtype not in _INTEGERS or "mask" in str(name):
            continue
        tokens = value.unsqueeze(0) if value.dim() == 1 else value
        if tokens.dim() != 2 or not observable(tokens):
            continue
        mask = given.get("attention_mask")
        if not isinstance(mask, torch.Tensor) or mask.shape != value.shape:
            mask = None
        return tokens, None if mask is None else (mask != 0).reshape(tokens.shape)
    return None


def tensors_in(output: Any, path: str) -> Iterator[tuple[str, torch.Tensor]]:
    """All tensors in what a module returned, with where they are in it."""
    if isinstance(output, torch.Tensor):
        yield path, output
    elif isinstance(output, dict):
        for key, value in output.items():
            yield from tensors_in(value, f"{path}.{key}")
    elif isinstance(output, (tuple, list)):
        for place, value in enumerate(output):
            yield from tensors_in(value, f"{path}[{place}]")


def rows_for(tensor: torch.Tensor, tokens: torch.Tensor, widths: set[int], any_width: bool) -> torch.Tensor | None:
    """[batch, length, d] or [batch · length, d], one row for each token; of attention heads [batch, length, heads, d_head] one
    after the other. None if the tensor is nothing of that."""
    if not tensor.is_floating_point():
        return None
    if tensor.dim() == 4 and tensor.shape[:2] == tokens.shape and tensor.shape[2] * tensor.shape[3] in widths:
        return tensor.detach().flatten(2)
    if tensor.dim() not in (2, 3) or not (any_width or tensor.shape[-1] in widths):
        return None
    fits = tensor.shape[:-1] == tokens.shape or (tensor.dim() == 2 and tensor.shape[0] == tokens.numel())
    return tensor if fits else None


_seen_models: dict[tuple[int, str | None], tuple[Any, SeenModel]] = {}


def see_model(model: nn.Module, at: str | None, width: int | None) -> Callable[[], None]:
    """One SeenModel for all SAEs that read the same place of a model. Returns what gives it up."""
    key = (id(model), at)
    of, seen = _seen_models.get(key, (lambda: None, None))
    if of() is not model or seen is None:
        seen = SeenModel(model, at)
        _seen_models[key] = (weakref.ref(model), seen)
    if width is not None:
        seen.widths.add(width)
    seen.users += 1
    ended = []

    def end() -> None:
        if ended:
            return
        ended.append(True)
        seen.users -= 1
        if seen.users == 0:
            seen.remove()
            if _seen_models.get(key, (None, None))[1] is seen:
                del _seen_models[key]
    return end
