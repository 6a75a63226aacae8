"""An SAE that is an eager nn.Module: what its methods are given and return goes to the plugin."""
from __future__ import annotations

import contextlib
import dataclasses
import math
import threading
import weakref
from typing import Any, Callable

import torch
from torch import nn

from saetap import hooks, library, log, recording
from saetap.library import SaetapError, operators
from saetap.parts import ENCODE, Parts
from saetap.products import DecoderProducts

DECODE, FORWARD = "decode", "forward"
PLAIN = (torch.Tensor, nn.Parameter)


@dataclasses.dataclass
class Pass:
    """One call of the module that is going on, on this thread."""

    rows: torch.Tensor | None
    encoding: bool  # inside a method that encodes: what it calls itself does not count
    counted: bool = False  # its features were seen: further decodes (auxiliary losses) are none of its own
    encoded: Any = None  # what a method that encodes returned, where it is not known yet whether that is decoded
    product: Any = None  # what entered the decoder's product, where `decode` may yet be called
    version: int = 0  # of that tensor: whether it was changed since
    product_seen: bool = False
    encoder: str = ""  # which method encoded


class SeenSae:
    """What is seen of one attached SAE. Any thread; never raises inside the module's calls: the first thing that cannot be
    read is said once, and nothing more is seen of it."""

    def __init__(self, module: nn.Module, name: str, parts: Parts) -> None:
        self.name, self.parts, self.off = name, parts, False
        self._module = weakref.ref(module)
        self._site = 0
        self._decoder_told: Any = lambda: None
        self._releases = False  # its parameter when the module goes
        self._local = threading.local()
        self._told_rows: torch.Tensor | None = None  # of a method that was named for it
        self._trains_by_encoding = False
        self._saw_any = False
        self._decodes = False  # it has a method `decode`
        self._forward_encodes: bool | None = None  # what its `encode` returns is the code; None: not known yet
        self._ends: list[Callable[[], None]] = []
        self.description = ""

    def declare_now(self) -> None:
        """Where its sizes are known before the first call, so that what is wrong is said to who attaches it."""
        decoder = self.parts.decoder
        if decoder is not None and self.parts.features is not None:
            self._declare(self.parts.features, self.parts.d_in or decoder.d_out)

    # ---- what is watched ----

    def watch_methods(self) -> None:
        """The way without names: what the methods that encode return; where they are not called what enters decode or the
        decoder's product."""
        module = self._module()
        self.description = f"what {self.parts.encoders[0]} returns" if self.parts.encoders else "what enters the decoder"
        self._watch(module, FORWARD, self._around_forward)
        for name in self.parts.encoders:
            self._watch(module, name, self._around_encoder)
        self._decodes = hooks.is_method(type(module), DECODE) or callable(vars(module).get(DECODE))
        if self._decodes:
            self._watch(module, DECODE, self._around_decode)

    def watch_features(self, features: str) -> None:
        """What a method or a submodule returns, by name; of one whose name begins with "dec" what it is given."""
        module = self._module()
        given = features.rpartition(".")[2].lower().startswith("dec")
        inner = dict(module.named_modules()).get(features)
        self.description = f"what {features} {'is given' if given else 'returns'}"
        if features != FORWARD:
            self._watch(module, FORWARD, self._around_forward)
        if inner is not None:
            def see(args: tuple, *output: Any) -> None:
                self._see_once(args if given else output[0])
            hook = hooks.ForwardHook(inner, see)
            handle = inner.register_forward_pre_hook(hook) if given else inner.register_forward_hook(hook)
            self._ends.append(handle.remove)
            return

        def around(_: str, call: Callable, args: tuple, kwargs: dict) -> Any:
            outer = self._current()
            rows = outer.rows if outer else first_tensor(args, kwargs)
            if given:
                self._see_once(args, rows=None)
                return call(*args, **kwargs)
            result = call(*args, **kwargs)
            self._see_once(result, rows=rows)
            return result
        self._watch(module, features, around)

    def watch_rows(self, rows: Any) -> None:
        """(object, "method"): the method's first tensor; or the name of a method or submodule of the module."""
        target, name = rows if isinstance(rows, tuple) else (self._module(), rows)
        inner = dict(target.named_modules()).get(name) if isinstance(target, nn.Module) else None

        def note(*given: Any) -> None:
            self._told_rows = detached(first_tensor(given[0], {}))
        if inner is not None:
            self._ends.append(inner.register_forward_pre_hook(hooks.ForwardHook(inner, note)).remove)
            return

        def around(_: str, call: Callable, args: tuple, kwargs: dict) -> Any:
            self._told_rows = detached(first_tensor(args, kwargs))
            try:
                return call(*args, **kwargs)
            finally:
                self._told_rows = None
        self._watch(target, name, around)

    def _watch(self, target: Any, name: str, around: hooks.Around) -> None:
        self._ends.append(hooks.watch(target, name, around))

    def remove(self) -> None:
        while self._ends:
            self._ends.pop()()

    # ---- inside the module's calls ----

    def _current(self) -> Pass | None:
        return getattr(self._local, "current", None)

    @contextlib.contextmanager
    def _inside(self, entered: Pass) -> Any:
        outer, self._local.current = self._current(), entered
        try:
            yield entered
        finally:
            self._local.current = outer

    def _around_forward(self, _: str, call: Callable, args: tuple, kwargs: dict) -> Any:
        if self._passes_by() or self._current() is not None:
            return call(*args, **kwargs)
        entered = Pass(detached(first_tensor(args, kwargs)), encoding=False)
        with self._inside(entered), self._products():
            result = call(*args, **kwargs)
        if entered.encoded is not None:
            self._settle(entered, None)
        if entered.product is not None and not entered.counted:
            self._see_kept_product(entered)
        if not (self._saw_any or self.off):
            log.warn(f"{self.name}: forward was called, and nothing that gives its features: name it, features=…, or tell it, "
                     "saetap.observe")
        return result

    def _products(self) -> contextlib.AbstractContextManager:
        decoder = self.parts.decoder
        if self._forward_encodes or decoder is None or torch.compiler.is_compiling():
            return contextlib.nullcontext()
        try:
            return DecoderProducts(decoder.weight.tensor(), decoder.features, self._see_product)
        except AttributeError as gone:
            self._give_up(f"its decoder is not there any more: {gone}")
            return contextlib.nullcontext()

    def _see_product(self, values: torch.Tensor, indices: torch.Tensor | None) -> None:
        entered = self._current()
        if entered is None or entered.encoding:
            return
        given = values if indices is None else (values, indices)
        if entered.encoded is not None and not self._decodes:
            self._settle(entered, given)
            return
        if entered.product is not None or (entered.counted and entered.product_seen):
            log.warn(f"{self.name}: its decoder is applied to several codes in one pass: the first is recorded; features=… "
                     "names another")
        if entered.counted or entered.product is not None:
            return
        entered.product_seen = True
        entered.product = values.detach() if indices is None else (values.detach(), indices)
        entered.version = version_of(values)
        if not self._decodes:
            self._see_kept_product(entered)

    def _see_kept_product(self, entered: Pass) -> None:
        entered.counted = True
        values = entered.product[0] if isinstance(entered.product, tuple) else entered.product
        if version_of(values) != entered.version:
            self._give_up("its features are changed in place after they are decoded: name what gives them, features=")
        else:
            self._see(entered.product, entered.rows)
        entered.product = None

    def _around_encoder(self, name: str, call: Callable, args: tuple, kwargs: dict) -> Any:
        outer = self._current()
        if self._passes_by() or (outer is not None and outer.encoding):
            return call(*args, **kwargs)
        rows = outer.rows if outer is not None else detached(first_tensor(args, kwargs))
        with self._inside(Pass(None, encoding=True)):
            result = call(*args, **kwargs)
        if name != ENCODE and not has_features(result, self.parts.features):
            return result
        if outer is None:
            self._see(result, rows)
            self._trains_by_encoding = self._trains_by_encoding or self._trains()
        elif outer.counted or self._forward_encodes is False:
            pass
        elif self._forward_encodes:
            outer.counted = True
            self._see(result, rows)
        elif outer.encoded is None:
            outer.encoded, outer.encoder = kept(result), name
        return result

    @torch.compiler.disable
    def _settle(self, entered: Pass, decoded: Any) -> None:
        """The first pass in which something was encoded: is it what is then decoded, or what a sparser code is made of?"""
        encoded, entered.encoded, entered.counted = entered.encoded, None, True
        try:
            first = dense_of(encoded, self.parts.features)
            second = first if decoded is None else dense_of(decoded, self.parts.features)
            same = first.shape == second.shape and bool(torch.equal(first, second))
            self._forward_encodes = same or not is_made_sparser(first, second)
        except Exception:  # of forms that cannot be held against each other
            same = self._forward_encodes = True
        if not self._forward_encodes:
            self.description = "what is decoded"
        elif not same:
            log.warn(f"{self.name}: what {entered.encoder} returns, which is recorded, is not what is decoded: "
                     "features=\"decode\" records that")
        self._see(encoded if self._forward_encodes else decoded, entered.rows)

    def _around_decode(self, _: str, call: Callable, args: tuple, kwargs: dict) -> Any:
        outer = self._current()
        if self._passes_by():
            pass
        elif outer is None:
            # A trainer that computes the code itself; others decode again for their losses.
            if self._trains() and not self._trains_by_encoding:
                self._see((*args, *kwargs.values()), None)
        elif outer.encoded is not None and not outer.encoding:
            self._settle(outer, (*args, *kwargs.values()))
        elif not outer.encoding and not outer.counted:
            outer.counted = True
            self._see((*args, *kwargs.values()), outer.rows)
        return call(*args, **kwargs)

    def _see_once(self, values: Any, rows: torch.Tensor | None = None) -> None:
        outer = self._current()
        if outer is not None:
            if outer.counted:
                return
            outer.counted, rows = True, outer.rows
        self._see(values, rows)

    def _passes_by(self) -> bool:
        # A traced copy is to have nothing of ours; what is computed once more on the way back was seen before.
        return self.off or torch.jit.is_tracing() or torch._C._current_graph_task_id() != -1

    def _trains(self) -> bool:
        module = self._module()
        return torch.is_grad_enabled() and module is not None and module.training

    @torch.compiler.disable
    def _see(self, values: Any, rows: torch.Tensor | None) -> None:
        if self._passes_by():
            return
        try:
            activations, indices = features_in(values, self.parts.features)
            self._saw_any = True
            if not observable(activations):
                return
            train = self._trains()
            with torch.no_grad():
                rows = self._told_rows if self._told_rows is not None else rows
                self._told_rows = None
                rows = fitting_rows(activations, rows, self.parts.d_in)
                if not self._site:
                    self._declare(activations.shape[-1], rows.shape[-1] if rows is not None else activations.shape[-1])
                self._tell_decoder()
                operators().observe(self._site, activations.detach(), indices, rows, train)
        except Exception as failed:  # inside somebody's training: nothing of ours may end it
            self._give_up(log.first_line(failed))

    def _give_up(self, why: str) -> None:
        self.off = True
        if library.ENDED not in why:  # in a forked child, at the end of a program
            log.warn(f"{self.name}: switched off: {why}")

    # ---- what the plugin is told ----

    def _declare(self, features: int, d_in: int) -> None:
        decoder = self.parts.decoder
        where = f"decoder {decoder.weight.path}" if decoder else "no decoder known"
        self._site = recording.declare(self.name, features, d_in, decoder.d_out if decoder else d_in,
                                       f"{self.name}: {self.description or 'features'} [.., {features}]; {where}")
        self._tell_decoder()

    def _tell_decoder(self) -> None:
        """Again where the parameter was replaced: the plugin reads it at checkpoints, and holds it until the module goes."""
        decoder = self.parts.decoder
        if decoder is None:
            return
        weight = decoder.weight.tensor()
        if self._decoder_told() is not weight and type(weight) in PLAIN:  # not a shard of one
            with torch.no_grad():
                operators().set_decoder(self._site, weight, decoder.transposed)
            self._decoder_told = weakref.ref(weight)
            if not self._releases:
                self._releases = True
                weakref.finalize(self._module(), release_decoder, self._site).atexit = False


def release_decoder(site: int) -> None:
    """The module is gone: the plugin keeps its decoder's directions as they are, and lets go of the parameter."""
    with contextlib.suppress(Exception):  # nothing is being recorded any more
        operators().release_decoder(site)


def kept(values: Any) -> Any:
    """Without what it was computed by, and safe from changes in place."""
    if isinstance(values, torch.Tensor):
        return values.detach().clone()
    return tuple(kept(value) for value in values) if isinstance(values, (tuple, list)) else values


def dense_of(values: Any, features: int | None) -> torch.Tensor:
    activations, indices = features_in(values, features)
    if indices is None:
        return activations.detach().to_dense()
    empty = torch.zeros(*activations.shape[:-1], features or 0, dtype=activations.dtype, device=activations.device)
    return empty.scatter(-1, indices.long(), activations.detach())


def is_made_sparser(first: torch.Tensor, second: torch.Tensor) -> bool:
    """Whether the second has fewer active features, all of them active in the first: pre-activations, and their code."""
    active = second != 0
    return first.shape == second.shape and not bool((active & (first == 0)).any()) and bool(active.sum() < (first != 0).sum())


def first_tensor(args: tuple, kwargs: dict) -> torch.Tensor | None:
    return next((value for value in (*args, *kwargs.values()) if isinstance(value, torch.Tensor)), None)


def detached(tensor: torch.Tensor | None) -> torch.Tensor | None:
    return None if tensor is None else tensor.detach()


def version_of(tensor: torch.Tensor) -> int:
    """Counts the changes of a tensor in place; 0 where nobody counts them."""
    return 0 if tensor.is_inference() else tensor._version


def observable(tensor: torch.Tensor) -> bool:
    """False while a model is traced with tensors that hold nothing. Raises for those that are no plain tensors."""
    if type(tensor) in PLAIN:
        return True
    if type(tensor).__name__ in ("FakeTensor", "FunctionalTensor", "Proxy"):
        return False
    raise SaetapError(f"its activations are a {type(tensor).__name__}, which cannot be read")


def features_in(values: Any, features: int | None) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Of what a method returned or was given: (activations [.., F] or sparse, None), or (values [.., k], indices)."""
    if isinstance(values, torch.Tensor):
        return values, None
    if isinstance(values, dict):
        values = tuple(values.values())
    tensors = [value for value in values if isinstance(value, torch.Tensor)] if isinstance(values, (tuple, list)) else []
    floating = [tensor for tensor in tensors if tensor.is_floating_point()]
    if len(tensors) > 1 and tensors[0].is_floating_point() and tensors[1].dtype in (torch.int64, torch.int32):
        if tensors[0].shape == tensors[1].shape:
            return tensors[0], tensors[1]
    wide = [tensor for tensor in floating if tensor.dim() and (features is None or tensor.shape[-1] == features)]
    if not wide:
        raise SaetapError(f"no tensor [.., {features}] and no pair of values and indices among {type(values).__name__} of "
                          f"{[list(tensor.shape) for tensor in tensors]}")
    return wide[0], None


def has_features(values: Any, features: int | None) -> bool:
    try:
        features_in(values, features)
        return True
    except SaetapError:
        return False


def fitting_rows(activations: torch.Tensor, rows: torch.Tensor | None, d_in: int | None) -> torch.Tensor | None:
    """Rows as [.., d_in] with one for each row of the activations; None if they cannot be those."""
    if rows is None or not rows.is_floating_point() or type(rows) not in PLAIN:
        return None
    count = math.prod(activations.shape[:-1])
    if d_in is None:
        d_in = rows.shape[-1] if rows.dim() else 0
    if count * d_in != rows.numel() or d_in == 0:
        return None
    return rows if rows.shape[-1] == d_in else rows.reshape(count, d_in)

