"""The forms in which a module can be exported to TorchScript, each as the bytes of its file."""
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from library_module import LibraryModule

REASON_LENGTH = 200


def without_graph_dump(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
    named = [line for line in lines if not line.startswith(("File", "Arguments", "~", "graph(", "%"))]
    reason = re.sub(r"0x[0-9a-f]{6,}", "0x…", f"{type(error).__name__}: {(named or lines)[0]}")
    reason = re.sub(r' at "[^"]*":\d+, please report a bug to PyTorch\.', ":", reason)
    return reason if len(reason) <= REASON_LENGTH else reason[:REASON_LENGTH] + "…"


def serialised(script: torch.jit.ScriptModule) -> bytes:
    buffer = io.BytesIO()
    torch.jit.save(script, buffer)
    return buffer.getvalue()


def forget_script_classes() -> None:
    """Otherwise a class that could not be compiled fails the next time for that reason alone."""
    torch._C._jit_clear_class_registry()
    torch.jit._recursive.concrete_type_store = torch.jit._recursive.ConcreteTypeStore()
    torch.jit._state._clear_class_state()


def reloaded(data: bytes) -> torch.jit.ScriptModule:
    return torch.jit.load(io.BytesIO(data))


@dataclass
class Export:
    form: str
    base: str  # of a frozen or optimized module: what it was made from
    data: bytes
    note: str = ""


class Exporter:
    """Makes every form of one module that can be made, and keeps the reasons of those that cannot."""

    def __init__(self, source: LibraryModule):
        self.source = source
        self.failures: list[dict] = []

    def attempt(self, form: str, make: Callable[[], torch.jit.ScriptModule]) -> bytes | None:
        try:
            data = serialised(make())
            reloaded(data)(*self.source.inputs)
            return data
        except Exception as error:  # whatever TorchScript throws is the reason
            self.fail(form, without_graph_dump(error))
            return None

    def fail(self, form: str, reason: str) -> None:
        self.failures.append({"library": self.source.library, "class": self.source.class_name, "variant": self.source.variant,
                              "form": form, "reason": reason})

    def script(self) -> torch.jit.ScriptModule:
        forget_script_classes()
        return torch.jit.script(self.source.module)

    def trace(self) -> torch.jit.ScriptModule:
        return torch.jit.trace(self.source.module, tuple(self.source.inputs), check_trace=False)

    def bases(self) -> Iterator[Export]:
        if data := self.attempt("scripted", self.script):
            yield Export("scripted", "", data)
        if data := self.attempt("traced", self.trace):
            yield Export("traced", "", data)
        elif self.source.workaround:
            with self.source.workaround():
                data = self.attempt("traced, with workaround", self.trace)
            if data:
                self.failures[-1]["workaround"] = self.source.workaround_note
                yield Export("traced", "", data, self.source.workaround_note)

    def exports(self) -> Iterator[Export]:
        for base in self.bases():
            yield base
            for form, make in (("frozen", torch.jit.freeze), ("optimized", torch.jit.optimize_for_inference)):
                if data := self.attempt(form, lambda: make(reloaded(base.data).eval())):
                    yield Export(form, base.form, data, base.note)
