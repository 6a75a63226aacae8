"""Starting and ending a recording, and telling it things by hand."""
from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable

from saetap import library, log
from saetap.library import NOT_RUNNING, OFF, OK, RUNNING, SaetapError, address, check

_on_stop: list[Callable[[], None]] = []  # what hangs in other people's modules
_running = False  # as far as Python knows
_off = False  # the latest config said not to record: everything is accepted and nothing done


class Recording:
    """What `start` returns: `with saetap.start(…):` ends the recording at the end of the block.

    One that was running before (`saetap record`, another `start`) is not ended."""

    def __init__(self, status: int) -> None:
        self.started = status == OK
        """False: the config says not to record, or something was recording already."""
        self._ours = status != RUNNING

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *_: object) -> None:
        if self._ours:
            stop()


def config_text(config: Mapping[str, Any] | str | os.PathLike[str] | None, keys: Mapping[str, Any]) -> str:
    """The JSON text of a config, with `keys` before what it says, and with recording on unless it says otherwise."""
    given = dict(config) if isinstance(config, Mapping) else {} if config is None else read_config(os.fspath(config))
    if "saetap" not in given and (config is None or isinstance(config, Mapping)):
        given = {"saetap": given}
    own = given.setdefault("saetap", {})
    if not isinstance(own, Mapping):
        raise SaetapError('saetap: the config\'s "saetap" is no object')
    given["saetap"] = {"save_activation_samples": given.get("save_activation_samples", True), **own, **keys}
    try:
        return json.dumps(given, default=os.fspath, allow_nan=False)
    except (TypeError, ValueError) as failed:
        raise SaetapError(f"saetap: the config has a value that JSON has not: {failed}") from None


def read_config(text: str) -> dict[str, Any]:
    """Of JSON text, or of a file that holds it."""
    if not text.lstrip().startswith("{"):
        try:
            text = Path(text).read_text(encoding="utf-8")
        except (OSError, ValueError) as failed:
            raise SaetapError(f"saetap: the config {text!r} cannot be read: {failed}") from None
    try:
        given = json.loads(text)
    except ValueError as failed:
        raise SaetapError(f"saetap: the config is not JSON: {failed}") from None
    if not isinstance(given, dict):
        raise SaetapError("saetap: the config is no JSON object")
    return given


def start(config: Mapping[str, Any] | str | os.PathLike[str] | None = None, **keys: Any) -> Recording:
    """Starts recording in this process.

    `config`: a dict of saetap's keys; or the path of a JSON file or JSON text, as `saetap record --config` takes it: keys in
    an object "saetap", the first seven also at the top of a trainer's own config. `keys`: the same by name, before those:
    `start(output_dir="samples", max_samples_per_feature=20)`. It records unless the key `save_activation_samples` is false;
    then nothing is done here, nor by `attach` and the others.

    Returns a context manager that ends the recording; it ends by itself when the program does. Where something records
    already (`saetap record -- python train.py`) it goes on, as it was begun, and this is no error.

    Raises SaetapError, with one line: the library is not there or was built with another LibTorch, or a key is wrong."""
    global _running, _off
    text = config_text(config, keys)
    status = library.table().start(text.encode())
    if status != RUNNING:
        check(status)
    elif config is not None or keys:
        log.warn("start: something records already, as it was begun: this config is not used")
    _running, _off = status in (OK, RUNNING), status == OFF
    return Recording(status)


def stop() -> None:
    """Ends recording: saves, says what was done, takes every hook out again. Without a recording it does nothing.

    Raises SaetapError if the last save failed."""
    global _running, _off
    for forget in _on_stop:
        forget()
    was_off, _running, _off = _off, False, False
    if was_off or (library._table is None and library.mapped_library() is None):
        return
    status = library.table().stop()
    if status != NOT_RUNNING:
        check(status)


def checkpoint() -> None:
    """Saves what was collected so far; the file on disk is whole at every moment. Raises SaetapError if it cannot."""
    if is_recording():
        check(library.table().checkpoint())


def step() -> None:
    """Ends a step of every site. From then on the program tells where a step ends; without it each call of an SAE with
    gradients is one. For trainers that sum gradients over several calls: call it before the first batch, too."""
    if is_recording():
        check(library.table().step())


def is_recording() -> bool:
    """True if something records; False if the config said not to. Raises SaetapError if nothing was started."""
    global _running
    if _off:
        return False
    if not _running and library.mapped_library() is not None:
        count = ctypes.c_int64()
        _running = library.table().site_count(ctypes.byref(count)) == OK  # begun by somebody else
    if not _running:
        raise SaetapError("saetap: nothing is recording: call saetap.start(…) first, or run under `saetap record`")
    return True


def set_tokens(tokens: Any, mask: Any = None, rows: Any = None) -> None:
    """Says which tokens the rows of the next call of an SAE are, where that cannot be found by itself.

    `tokens`: [batch, length] or [length] integers, a tensor on any device, an array or lists; the text as the language
    model was given it. `mask`: the same shape, 0 for what does not count (padding). Row i of the call is token i of
    `tokens.flatten()`, or token rows[i] with `rows`: [n] integers, -1 for a row without a token.

    It holds for the next call, of each site, that has so many rows. Copied. Raises SaetapError."""
    if not is_recording():
        return
    import torch

    def on_host(values: Any, dtype: torch.dtype) -> torch.Tensor:
        return torch.as_tensor(values).detach().to("cpu", dtype).contiguous()

    if torch.as_tensor(tokens).is_floating_point():
        raise SaetapError("saetap: tokens are integers")
    ids = on_host(tokens, torch.int64)
    ids = ids.unsqueeze(0) if ids.dim() == 1 else ids
    if ids.dim() != 2:
        raise SaetapError(f"saetap: tokens are [batch, length], not {list(ids.shape)}")
    counts = None if mask is None else on_host(torch.as_tensor(mask) != 0, torch.uint8)
    if counts is not None and counts.numel() != ids.numel():
        raise SaetapError(f"saetap: the mask is {list(counts.shape)}, the tokens are {list(ids.shape)}")
    order = None if rows is None else on_host(rows, torch.int64).flatten()
    if order is not None and order.numel() and not -1 <= int(order.min()) <= int(order.max()) < ids.numel():
        raise SaetapError(f"saetap: rows are places in the tokens, from -1 to {ids.numel() - 1}")
    check(library.table().set_tokens(address(ids), *ids.shape, address(counts), address(order),
                                     0 if order is None else order.numel()))


def declare(name: str, features: int, d_in: int, d_out: int, description: str) -> int:
    """Declares a site; the same name again is the same site. Returns what torch.ops.saetap calls it."""
    spec = library.SiteSpec(ctypes.sizeof(library.SiteSpec), name.encode(), features, d_in, d_out, description.encode())
    site = ctypes.c_void_p()
    check(library.table().attach(ctypes.byref(spec), ctypes.byref(site)))
    return site.value or 0
