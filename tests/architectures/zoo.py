"""The folder that is written: module files, tensor files and the manifest that says what belongs together."""

import json
import pathlib

import torch
from specimen import Specimen
from torch import Tensor


class Zoo:
    def __init__(self, out: pathlib.Path):
        self.out = out
        self.cases: list[dict] = []
        self.not_exported: list[dict] = []
        self.without_backward: set[tuple[str, str]] = set()  # (specimen, form) whose backward pass fails
        self._tensors: dict[str, list[Tensor]] = {}
        for folder in ("modules", "inputs", "features"):
            (out / folder).mkdir(parents=True, exist_ok=True)

    def take_over(self, other: "Zoo") -> None:
        self.cases += other.cases
        self.not_exported += other.not_exported

    def leave_out(self, specimen: Specimen, form: str, why: str) -> None:
        entry = {"library": "architectures", "class": specimen.name, "form": form, "reason": why}
        if entry not in self.not_exported:
            self.not_exported.append(entry)

    def keep_module(self, name: str, content: bytes) -> str:
        path = f"modules/{name}.pt"
        (self.out / path).write_bytes(content)
        return path

    def keep_tensors(self, folder: str, name: str, tensors: list[Tensor]) -> str | None:
        """Forms of one specimen share inputs and features: equal tensors are one file."""
        if not tensors:
            return None
        stem, count = name, 1
        while name in self._tensors and not _same(self._tensors[name], tensors):
            count += 1
            name = f"{stem}-{count}"
        path = f"{folder}/{name}.pt"
        if name not in self._tensors:
            self._tensors[name] = tensors
            torch.save([t.detach().contiguous().clone() for t in tensors], self.out / path)
        return path

    def write_manifest(self) -> None:
        content = {"cases": self.cases, "not_exported": self.not_exported}
        (self.out / "manifest.json").write_text(json.dumps(content, indent=1) + "\n")

    def summary(self) -> str:
        files = len({case["file"] for case in self.cases})
        return f"{len(self.cases)} cases of {files} modules in {self.out}, {len(self.not_exported)} not exported"


def _same(ones: list[Tensor], others: list[Tensor]) -> bool:
    return len(ones) == len(others) and all(
        a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b) for a, b in zip(ones, others)
    )
