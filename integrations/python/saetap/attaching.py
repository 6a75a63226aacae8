"""`saetap.attach` and `saetap.observe`: what is recorded."""
from __future__ import annotations

import math
import weakref
from typing import Any, Callable, Sequence

from saetap import library, log, recording
from saetap.library import SaetapError


class Attached:
    """What `attach` returns. Keep it or not: the module is recorded until `remove()`, `saetap.stop()`, or its end."""

    def __init__(self, sites: Sequence[str], ends: list[Callable[[], None]]) -> None:
        self.sites: tuple[str, ...] = tuple(sites)
        """Names of the sites in the store; of TorchScript modules () for the plugin finds and names them."""
        self._ends = ends

    def remove(self) -> None:
        """Takes the hooks out; the module is as if it had never been attached. (A TorchScript module is given back by
        `saetap.stop`.) May be called again."""
        while self._ends:
            self._ends.pop()()
        if self in _attached:
            _attached.remove(self)


_attached: list[Attached] = []
_names: dict[str, Callable[[], Any]] = {}  # sites of this recording, and which module each is


def _forget() -> None:
    while _attached:
        _attached[-1].remove()
    _names.clear()
    _told.clear()
    _decoders.clear()


recording._on_stop.append(_forget)


def attach(module: Any, lm: Any = None, *, at: str | None = None, name: str | None = None, features: str | None = None,
           rows: Any = None, decoder: Any = None) -> Attached:
    """Records an SAE or a transcoder: a TorchScript module or an eager nn.Module, alone or inside torch.compile or
    DistributedDataParallel; or a module with several of them inside.

    `lm`: the language model whose activations it reads, so that every row is brought back to its token, through shuffled
    buffers as well. A TorchScript module, or an eager one: Hugging Face, TransformerLens, any that is given integers
    [batch, length]. `at`: the submodule of an eager `lm` whose output is read, as in `lm.named_modules()`
    ("transformer.h.5"); without it what `lm` itself returns.

    Of an eager module the features are found by its methods and weights (docs/python.md): what `encode` returns; where that
    is not called, what `decode` or the decoder's matrix product is given. `name`: of the site in the store, the same in every
    run of the same SAE (default: class, path, method and number of features). Where they are not found, or not right:
    `features`: the name of a method or submodule that returns them, or, if its name begins with "dec", is given them. `rows`:
    the name of a method or submodule that is given the SAE's input [.., d_in], or (object, "method") for one of a trainer.
    `decoder`: the path of its parameter or nn.Linear ([F, d_out], or [d_out, F]), or False: none is saved.

    Attach before training and, with torch.compile, before the first call. The modules' outputs, gradients and checkpoints are
    what they would be without; nothing is raised inside their calls. Calls with gradients of a module in training mode are
    steps. Raises SaetapError, in one line: nothing is recording, or the features are not found."""
    import torch
    from torch import nn

    if not recording.is_recording():
        return Attached((), [])
    from saetap import parts

    if not isinstance(module, nn.Module):
        raise SaetapError(f"saetap: attach takes a module, not {type(module).__name__}")
    if at is not None and lm is None:
        raise SaetapError(f"saetap: attach: at={at!r} is a place in a language model: say which, lm=…")
    ends: list[Callable[[], None]] = []
    sites: list[str] = []
    width = None
    module = parts.unwrapped(module)
    try:
        if isinstance(module, torch.jit.ScriptModule):
            meet(module)
        else:
            found = [("", module)] if features else list(parts.sparse_autoencoders(module))
            if not found:
                found = [("", module)]
            if name is not None and len(found) > 1:
                raise SaetapError(f"saetap: attach: name={name!r} is one name, and {type(module).__name__} has {len(found)} "
                                  "SAEs inside: attach each by itself")
            for path, inner in found:
                seen = _see(inner, path, name if len(found) == 1 else None, features, rows, decoder)
                ends.append(seen.remove)
                sites.append(seen.name)
                width = seen.parts.d_in
                if lm is not None:
                    ends.append(_see_model(lm, at, width))
        if lm is not None and isinstance(module, torch.jit.ScriptModule):
            ends.append(_see_model(lm, at, None))
    except BaseException:
        for end in ends:
            end()
        raise
    handle = Attached(sites, ends)
    _attached.append(handle)
    return handle


def meet(module: Any) -> None:
    """A TorchScript module: its methods are hooked now, so that their first call is not missed."""
    for method in module._c._method_names():
        if not method.startswith("_"):
            library.operators().meet(module._c, method)


def _see(module: Any, path: str, name: str | None, features: str | None, rows: Any, decoder: Any) -> eager.SeenSae:
    from saetap import eager, parts

    found = parts.parts_of(module) if decoder is None else parts.with_decoder(module, decoder)
    if not features and not found.encoders and found.decoder is None:
        raise SaetapError(parts.nothing_found(module))
    if features and not callable(getattr(module, features, None)) and features not in dict(module.named_modules()):
        raise SaetapError(f"saetap: {type(module).__name__} has no method or submodule {features!r}")
    method = features or (found.encoders[0] if found.encoders else "forward")
    wide = "" if found.features is None else str(found.features)
    wanted = name or ".".join(filter(None, (type(module).__name__, path, method, wide)))
    seen = eager.SeenSae(module, _name_for(module, wanted), found)
    try:
        seen.watch_features(features) if features else seen.watch_methods()
        if rows is not None:
            seen.watch_rows(rows)
        seen.declare_now()
    except BaseException:
        seen.remove()
        raise
    return seen


def _name_for(module: Any, wanted: str) -> str:
    """Of several SAEs of one class in a process, the second is called `…#1`, as the plugin's own sites are."""
    name, number = wanted, 0
    while name in _names and _names[name]() is not module:
        number += 1
        name = f"{wanted}#{number}"
    _names[name] = weakref.ref(module)
    return name


def _see_model(lm: Any, at: str | None, width: int | None) -> Callable[[], None]:
    import torch
    from torch import nn

    from saetap import language_model, parts

    lm = parts.unwrapped(lm)
    if isinstance(lm, torch.jit.ScriptModule):
        if at is not None:
            raise SaetapError(f"saetap: at={at!r} needs an eager model; of a TorchScript module all that it returns is read")
        meet(lm)
        return lambda: None
    if not isinstance(lm, nn.Module):
        raise SaetapError(f"saetap: lm is a {type(lm).__name__}, no module")
    return language_model.see_model(lm, at, width)


_told: dict[str, int] = {}  # sites of `observe`
_decoders: dict[str, Any] = {}


def observe(activations: Any, tokens: Any = None, *, indices: Any = None, rows: Any = None, mask: Any = None,
            site: str = "observed", features: int | None = None, decoder: Any = None, train: bool = True) -> None:
    """Takes note of one batch of feature activations, for code that has no module to attach.

    `activations`: tensor [.., F], floating, dense or sparse COO, on any device; or with `indices` [.., k] the values of those
    features, and `features`: F. `tokens`: [batch, length] integers of which the batch's rows are the text, in order, and
    `mask`, as `set_tokens` takes them; or `rows`: [.., d_in], what was encoded, to find the tokens by. `site`: its name in the
    store, declared at the first call. `decoder`: [F, d_out] tensor, kept and read at checkpoints until another is given.
    `train`: whether the call counts as a step. Nothing else is kept, and nothing changed. Raises SaetapError."""
    import torch

    if not recording.is_recording():
        return
    activations = torch.as_tensor(activations).detach()
    if indices is not None and features is None and decoder is None:
        raise SaetapError("saetap: observe: with indices, say how many features there are: features=F")
    wide = features or (decoder.shape[0] if indices is not None else activations.shape[-1])
    rows = None if rows is None else torch.as_tensor(rows).detach()
    number = _told.get(site)
    if number is None:
        d_out = decoder.shape[1] if decoder is not None else rows.shape[-1] if rows is not None else 1
        d_in = rows.shape[-1] if rows is not None else d_out
        number = _told[site] = recording.declare(site, wide, d_in, d_out, f"{site}: told by the program [.., {wide}]")
        _names[site] = lambda: None
    if tokens is not None:
        given, wanted = torch.as_tensor(tokens).numel(), math.prod(activations.shape[:-1])
        if given != wanted:
            raise SaetapError(f"saetap: observe: {given} tokens for {wanted} rows")
        recording.set_tokens(tokens, mask)
    try:
        with torch.no_grad():
            if decoder is not None and _decoders.get(site) is not decoder:
                library.operators().set_decoder(number, decoder, False)
                _decoders[site] = decoder
            library.operators().observe(number, activations, None if indices is None else torch.as_tensor(indices), rows, train)
    except (RuntimeError, ValueError) as failed:
        raise SaetapError(f"saetap: {log.first_line(failed)}") from None
