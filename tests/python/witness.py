"""Stands where the plugin's operators stand, and keeps what they are told."""
from __future__ import annotations

import dataclasses
import itertools

import pytest
import torch

from saetap import eager, language_model, recording


@dataclasses.dataclass
class Call:
    site: str
    activations: torch.Tensor
    indices: torch.Tensor | None
    rows: torch.Tensor | None
    train: bool

    def dense(self, features: int) -> torch.Tensor:
        if self.indices is None:
            return self.activations.to_dense()
        return torch.zeros(*self.activations.shape[:-1], features).scatter(-1, self.indices, self.activations)


_numbers = itertools.count(1)  # no two sites of a process have the same, as the plugin's


class Witness:
    def __init__(self) -> None:
        self.sites: dict[int, tuple[str, int, int, int]] = {}
        self.calls: list[Call] = []
        self.decoders: list[tuple[str, torch.Tensor, bool]] = []
        self.model_calls: list[tuple[str, torch.Tensor, torch.Tensor | None, torch.Tensor]] = []

    def declare(self, name: str, features: int, d_in: int, d_out: int, description: str) -> int:
        number = next(_numbers)
        self.sites[number] = (name, features, d_in, d_out)
        return number

    def observe(self, site: int, activations, indices, rows, train: bool) -> None:
        assert not activations.requires_grad and (rows is None or not rows.requires_grad)
        copies = [None if tensor is None else tensor.clone() for tensor in (activations, indices, rows)]
        self.calls.append(Call(self.sites[site][0], *copies, train))

    def observe_model(self, model: str, tokens, mask, rows) -> None:
        self.model_calls.append((model, tokens.clone(), mask, rows.clone()))

    def set_decoder(self, site: int, weight, transposed: bool) -> None:
        self.decoders.append((self.sites[site][0], weight, transposed))

    def release_decoder(self, site: int) -> None:
        if site in self.sites:  # else of a module of an earlier test, which is collected only now
            self.decoders = [told for told in self.decoders if told[0] != self.sites[site][0]]


@pytest.fixture
def witness(monkeypatch: pytest.MonkeyPatch):
    from saetap import attaching

    told = Witness()
    monkeypatch.setattr(recording, "is_recording", lambda: True)
    monkeypatch.setattr(recording, "declare", told.declare)
    monkeypatch.setattr(eager, "operators", lambda: told)
    monkeypatch.setattr(language_model, "operators", lambda: told)
    yield told
    attaching._forget()
