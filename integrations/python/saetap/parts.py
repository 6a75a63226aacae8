"""What an SAE is made of: its decoder's weight, how many features it has, how they can be seen."""
from __future__ import annotations

import dataclasses
import re
import weakref
from typing import Any, Iterator

import torch
from torch import nn

from saetap import hooks
from saetap.library import SaetapError

ENCODE = "encode"  # and encode_with_hidden_pre, which sae-lens trains with
_DECODER = re.compile(r"(w_?)?dec(oder|ode)?(_?(weight|proj|linear))?|w_d|dictionary", re.IGNORECASE)
_ENCODER = re.compile(r"(w_?)?enc(oder|ode)?(_?(weight|proj|linear))?|w_e", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Weight:
    """A two-dimensional parameter, by the module it is in (held weakly) and its name there: it may be replaced."""

    owner: weakref.ref[nn.Module]
    name: str
    path: str
    linear: bool = False
    """Of an nn.Linear: [out, in]. Others may lie either way."""

    def tensor(self) -> torch.Tensor:
        return getattr(self.owner(), self.name)


@dataclasses.dataclass(frozen=True)
class Decoder:
    weight: Weight
    transposed: bool  # False: [F, d_out]; True: [d_out, F]

    @property
    def features(self) -> int:
        return self.weight.tensor().shape[1 if self.transposed else 0]

    @property
    def d_out(self) -> int:
        return self.weight.tensor().shape[0 if self.transposed else 1]


@dataclasses.dataclass(frozen=True)
class Parts:
    decoder: Decoder | None
    features: int | None  # None: the first call will tell
    d_in: int | None
    encoders: tuple[str, ...]  # methods that return the features, `encode` first


def unwrapped(module: Any) -> Any:
    """The module inside torch.compile, DistributedDataParallel and the like."""
    while True:
        inner = getattr(module, "_orig_mod", None)
        if inner is None and type(module).__name__ in ("DistributedDataParallel", "DataParallel", "FullyShardedDataParallel"):
            inner = module.module
        if not isinstance(inner, nn.Module):
            return module
        module = inner


def weights(module: nn.Module) -> Iterator[Weight]:
    """Its own two-dimensional parameters, then those of nn.Linear among its children (the first one inside a Sequential)."""
    for name, tensor in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]:
        if tensor is not None and tensor.dim() == 2 and tensor.is_floating_point():
            yield Weight(weakref.ref(module), name, name)
    for name, child in module.named_children():
        path = name
        if isinstance(child, nn.Sequential):
            inner = next(((n, c) for n, c in child.named_modules() if isinstance(c, nn.Linear)), None)
            if inner is not None:
                path, child = f"{name}.{inner[0]}", inner[1]
        if isinstance(child, nn.Linear):
            yield Weight(weakref.ref(child), "weight", f"{path}.weight", linear=True)


def _named(found: list[Weight], pattern: re.Pattern[str]) -> Weight | None:
    return next((weight for weight in found if pattern.fullmatch(weight.path.split(".")[0])), None)


def find_decoder(module: nn.Module) -> tuple[Decoder | None, int | None]:
    """The decoder and d_in, by name and by shape; (None, None) if nothing stands out."""
    found = list(weights(module))
    decoder, encoder = _named(found, _DECODER), _named(found, _ENCODER)
    if decoder is None:
        narrowing = [w for w in found if w.linear and w.tensor().shape[1] > w.tensor().shape[0]]
        decoder = narrowing[0] if len(narrowing) == 1 and narrowing[0] is not encoder else None
    if decoder is None and encoder is not None:  # tied weights
        shape = encoder.tensor().shape
        transposed = not encoder.linear and shape[1] > shape[0]
        return Decoder(encoder, transposed), shape[0 if transposed else 1]
    if decoder is None:
        return None, None
    return _laid_out(decoder, encoder)


def _laid_out(decoder: Weight, encoder: Weight | None) -> tuple[Decoder, int | None]:
    """Which of the decoder's dimensions are the features: those the encoder has too; of a square pair the larger."""
    shape = tuple(decoder.tensor().shape)
    if decoder.linear:
        result = Decoder(decoder, transposed=True)
    else:
        other = tuple(encoder.tensor().shape) if encoder is not None else shape
        shared = [dim for dim in shape if dim in other] or list(shape)
        features = max(shared)
        if encoder is not None and encoder.linear and other[0] in shape:
            features = other[0]
        result = Decoder(decoder, transposed=shape[0] != features)
    if encoder is None:
        return result, result.d_out
    shape = tuple(encoder.tensor().shape)
    if encoder.linear:
        return result, shape[1]
    return result, shape[0] if shape[1] == result.features else shape[1]


def encoders_of(module: nn.Module, with_others: bool) -> tuple[str, ...]:
    """`encode`, and if it is known how wide a code is, which tells them apart, `encode_…`."""
    methods = [name for name in dir(type(module)) if hooks.is_method(type(module), name)]
    own = [ENCODE] if ENCODE in methods or callable(vars(module).get(ENCODE)) else []
    return tuple(own + [name for name in methods if name.startswith(f"{ENCODE}_")] if with_others else own)


def parts_of(module: nn.Module) -> Parts:
    decoder, d_in = find_decoder(module)
    return Parts(decoder, decoder.features if decoder else None, d_in, encoders_of(module, decoder is not None))


def with_decoder(module: nn.Module, named: Any) -> Parts:
    """With the decoder that its user named: the path of a parameter or nn.Linear, or False."""
    found = parts_of(module)
    if named is False:
        return dataclasses.replace(found, decoder=None)
    path = f"{named}"
    owner_path, _, name = path.rpartition(".")
    modules = dict(module.named_modules())
    if path in modules and isinstance(modules[path], nn.Linear):
        weight = Weight(weakref.ref(modules[path]), "weight", f"{path}.weight", linear=True)
    elif owner_path in modules and isinstance(getattr(modules[owner_path], name, None), torch.Tensor):
        weight = Weight(weakref.ref(modules[owner_path]), name, path)
    else:
        raise SaetapError(f"saetap: {type(module).__name__} has no parameter or nn.Linear {path!r}")
    if weight.tensor().dim() != 2:
        raise SaetapError(f"saetap: {path} is {list(weight.tensor().shape)}, a decoder is [F, d_out]")
    encoder = _named([other for other in weights(module) if other.path != weight.path], _ENCODER)
    decoder, d_in = _laid_out(weight, encoder)
    return dataclasses.replace(found, decoder=decoder, features=decoder.features, d_in=d_in)


def sparse_autoencoders(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The module itself, or else the modules inside it that look like SAEs, with their paths: those with a method that
    encodes, or with a weight of a decoder's name."""

    def looks_like_one(inner: nn.Module) -> bool:
        return bool(encoders_of(inner, with_others=False)) or _named(list(weights(inner)), _DECODER) is not None

    taken: list[str] = []
    for path, inner in module.named_modules():
        if looks_like_one(inner) and not any(path.startswith(f"{outer}.") or outer == "" for outer in taken):
            taken.append(path)
            yield path, inner


def nothing_found(module: nn.Module) -> str:
    looked = ", ".join(f"{weight.path} {list(weight.tensor().shape)}" for weight in weights(module)) or "none"
    return (f"saetap: {type(module).__name__} has no method encode and no decoder that is known by its name or shape (its "
            f"weights: {looked}). Say what gives the features, and where the decoder is: saetap.attach(module, "
            'features="path.of.submodule" or "method", decoder="path.of.parameter")')
