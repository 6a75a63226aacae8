"""One specimen in one dtype: asks the eager module, exports all forms, holds them against it, writes the cases."""

import contextlib
import copy
import dataclasses
import itertools

import torch
from exporting import NotExported, difference, frozen, loaded, saved, scripted, tensors_in, traced, train_step
from specimen import Specimen
from torch import Tensor, nn
from witness import ProductWitness
from zoo import Zoo

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16, "float64": torch.float64}


class Mismatch(Exception):
    """An exported module computes something else than the eager one: a mistake in the zoo, never written."""


class FarFromEager(Mismatch):
    """By more than rounding alone explains."""


@dataclasses.dataclass(frozen=True)
class Call:
    """One way to call a module; forms that are called alike share the answer."""

    method: str
    label: str  # which inputs
    training: bool
    autocast: bool = False


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the eager module says of one call."""

    arguments: list[Tensor]
    outputs: list[Tensor]
    features: list[Tensor]
    also_decoded: list[Tensor]  # what an auxiliary loss decodes: never the features
    rounded: bool  # autocast rounds the features on their way into the product


@contextlib.contextmanager
def calling(autocast: bool, gradients: bool = False):
    with torch.set_grad_enabled(gradients), torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        yield


def listed(features: Tensor | list[Tensor]) -> list[Tensor]:
    return [features] if isinstance(features, Tensor) else list(features)


def magnitude(tensors: list[Tensor]) -> float:
    return max((t.to_dense().double().abs().max().item() for t in tensors if t.numel()), default=0.0)


class Exhibit:
    def __init__(self, zoo: Zoo, specimen: Specimen, dtype: str):
        self.zoo, self.specimen, self.dtype = zoo, specimen, dtype
        self.inputs = {label: [self._cast(t) for t in tensors] for label, tensors in specimen.inputs().items()}
        self._eager = specimen.build().to(DTYPES[dtype])
        self._answers: dict[Call, Answer] = {}
        self._trains_in_eager: dict[str, bool] = {}

    def _cast(self, tensor: Tensor) -> Tensor:
        return tensor.to(DTYPES[self.dtype]) if tensor.is_floating_point() else tensor

    def eager(self, training: bool = True) -> nn.Module:
        """A fresh copy each time: some modules count their calls."""
        return copy.deepcopy(self._eager).train(training)

    # The answer

    def answer(self, call: Call) -> Answer:
        if call not in self._answers:
            self._answers[call] = self._ask(call)
        return self._answers[call]

    def _ask(self, call: Call) -> Answer:
        module, arguments = self.eager(call.training), self.inputs[call.label]
        features, others = [], []
        with calling(call.autocast):
            if self.specimen.expect != "none":
                features = listed(module.features(*arguments))
            if getattr(module, "also_decoded", None):
                others = listed(module.also_decoded(*arguments))
        if call.method == "decode":  # alone it is one product of what it is given: there is nothing to find
            arguments, features, others = features, [], []
        with calling(call.autocast), ProductWitness() as witness:
            outputs = list(tensors_in(getattr(module, call.method)(*arguments)))
        made = features
        if call.method == "forward":
            features, others = ([self._as_consumed(f, witness) for f in some] for some in (features, others))
        rounded = [f.dtype for f in features] != [f.dtype for f in made]
        return Answer(arguments, outputs, features, others, rounded)

    def _as_consumed(self, features: Tensor, witness: ProductWitness) -> Tensor:
        """In the dtype in which the decoder's product consumes them."""
        for consumed in (features, features.to(torch.bfloat16)):
            if witness.distance_to(consumed) == 0.0:
                return consumed
        raise Mismatch(f"{self.specimen.name} {self.dtype}: what `features` returns enters no product of `forward`")

    # The forms

    def export(self) -> None:
        try:
            for label in self.inputs:
                self.answer(Call("forward", label, training=True))
        except (RuntimeError, NotImplementedError) as error:
            self.zoo.leave_out(self.specimen, f"all ({self.dtype})", str(error).splitlines()[0][:200])
            return
        bases = {}
        for base, make in (("scripted", self._scripted), ("traced", self._traced)):
            with self._noting(base):
                bases[base] = make()
                self._show(base, base, bases[base])
        # In float32 both are frozen; in the other dtypes one of them is enough.
        for base in list(bases)[: None if self.dtype == "float32" else 1]:
            for form in ("frozen", "optimized"):
                with self._noting(f"{form} ({base})"):
                    optimize = form == "optimized"
                    modules = {label: frozen(self.specimen, m, optimize) for label, m in bases[base].items()}
                    self._show(form, base, modules)

    @contextlib.contextmanager
    def _noting(self, form: str):
        try:
            yield
        except NotExported as error:
            self.zoo.leave_out(self.specimen, form, str(error))

    def _scripted(self) -> dict[str, torch.jit.ScriptModule]:
        return {"": scripted(self.specimen, self.eager())}

    def _traced(self) -> dict[str, torch.jit.ScriptModule]:
        """One trace where it serves all inputs; a trace may hold the shape it was made with, then one for each."""
        modules = {}
        for label in self.inputs:
            if not any(self._serves(module, label) for module in modules.values()):
                arguments = {m: self.answer(Call(m, label, training=True)).arguments for m in self.specimen.methods}
                modules[label if modules else ""] = traced(self.specimen, self.eager(), arguments)
        return modules

    def _serves(self, module: torch.jit.ScriptModule, label: str) -> bool:
        answer = self.answer(Call("forward", label, training=True))
        try:
            with calling(autocast=False):
                outputs = list(tensors_in(loaded(saved(module))(*answer.arguments)))
        except RuntimeError:
            return False
        return difference(answer.outputs, outputs) == 0.0

    # The cases

    def _show(self, form: str, base: str, modules: dict[str, torch.jit.ScriptModule]) -> None:
        """Writes the modules of one form: under "" the one for all inputs that have none of their own."""
        name = form if form == base else f"{form}-{base}"
        for own_label, module in modules.items():
            labels = [own_label] if own_label else [label for label in self.inputs if label not in modules]
            content = saved(module)
            parts = [self.specimen.name, name, own_label, self.dtype]
            file = self.zoo.keep_module(".".join(part for part in parts if part), content)
            module = loaded(content)
            for label, method, autocast in itertools.product(labels, self.specimen.methods, (False, True)):
                if autocast and not self._autocasts(label):
                    continue
                # A trace keeps the mode it was made in, also through freezing.
                call = Call(method, label, training=form == base or base == "traced", autocast=autocast)
                self._add_case(form, base, file, module, call)

    def _autocasts(self, label: str) -> bool:
        """Autocast rounds in the same places whatever the shape: one of them shows it."""
        return self.dtype == "float32" and not self.specimen.not_autocast and label == next(iter(self.inputs))

    def _add_case(self, form: str, base: str, file: str, module: torch.jit.ScriptModule, call: Call) -> None:
        trainable = form == base
        try:
            tolerance, note = self._verify(module, call, trainable, f"{form} ({base})")
        except FarFromEager:
            # TorchScript reorders sums there; in low precision a feature may fall on the other side of a bar.
            if form != "optimized" or (self.dtype == "float32" and not call.autocast):
                raise
            what = f"{form} ({base}), {self.dtype}{' under autocast' if call.autocast else ''}, {call.label}"
            self.zoo.leave_out(self.specimen, what, "rounding differs from eager and changes which are active")
            return
        plain_forward = call.method == "forward" and not call.autocast
        trains = trainable and plain_forward and self._trains(module, call, form)
        self.zoo.cases.append(
            self._named_case(form, base, call)
            | {"form": form, "made_from": base, "file": file, "tolerance": tolerance, "trains": trains}
            | {"note": "; ".join(part for part in (self.specimen.note, note) if part)}
        )

    def _named_case(self, form: str, base: str, call: Call) -> dict:
        specimen, answer = self.specimen, self.answer(call)
        parts = [specimen.name, call.label, "" if call.method == "forward" else call.method, self.dtype]
        stem = ".".join([part for part in parts if part] + (["autocast"] if call.autocast else []))
        return {
            "name": f"{stem}.{form}" + (f"-{base}" if form != base else ""),
            "library": "architectures",
            "class": specimen.module.__name__,
            "variant": specimen.variant,
            "wrapped": False,
            "method": call.method,
            "inputs": self.zoo.keep_tensors("inputs", f"{stem}.inputs", answer.arguments),
            "autocast": call.autocast,
            "features": self.zoo.keep_tensors("features", f"{stem}.features", answer.features),
            "also_decoded": self.zoo.keep_tensors("features", f"{stem}.also_decoded", answer.also_decoded),
            "rounded_by_autocast": answer.rounded,
            "meaning": "returned" if call.method == "encode" else "decoder_input",
            "form_of_code": specimen.form_of_code,
            "activation": specimen.activation,
            "decoder": specimen.decoders[0] if specimen.decoders else "",
            "decoders": list(specimen.decoders),
            "F": specimen.width,
            "d_in": specimen.d_in,
            "d_out": specimen.d_out or specimen.d_in,
            "groups": specimen.groups,
            "dtype": self.dtype,
            "expect": "none" if call.method == "decode" else specimen.expect,
        }

    # Holding against the answer

    def _verify(self, module: torch.jit.ScriptModule, call: Call, gradients: bool, form: str) -> tuple[float, str]:
        """Calls the module twice, for TorchScript optimises behind the first call, and watches the second.

        Returns how far its features are from the answer (twice what was measured, for another processor rounds
        differently; 0.0: equal to the last bit), and a note on its output.
        """
        answer = self.answer(call)
        where = f"{self.specimen.name} {self.dtype} {form} {call}"
        from_output = 0.0
        for watched in (False, True):
            witness = ProductWitness()
            with calling(call.autocast, gradients), witness if watched else contextlib.nullcontext():
                outputs = list(tensors_in(getattr(module, call.method)(*answer.arguments)))
            unlike = difference(answer.outputs, outputs)
            if unlike is None or unlike > self._rounding(call) * max(1.0, magnitude(answer.outputs)):
                raise FarFromEager(f"{where}: the output differs from eager by {unlike}")
            from_output = max(from_output, unlike)
        distances = [witness.distance_to(features) for features in answer.features]
        if call.method == "encode":  # what it returns is the answer
            distances = [from_output]
        if None in distances:
            raise FarFromEager(f"{where}: the features enter no product")
        note = f"output differs from eager by up to {from_output:.1e}" if from_output else ""
        return 2 * max(distances, default=0.0), note

    def _rounding(self, call: Call) -> float:
        return 64 * torch.finfo(torch.bfloat16 if call.autocast else DTYPES[self.dtype]).eps

    def _trains(self, module: torch.jit.ScriptModule, call: Call, form: str) -> bool:
        """Asked of a module that has been called before, for TorchScript differentiates optimised graphs only then.

        Compiling a backward pass takes longer than all else, so TorchScript is asked in float32 alone.
        """
        arguments = self.inputs[call.label]
        if call.label not in self._trains_in_eager:
            self._trains_in_eager[call.label] = train_step(self.eager(), arguments)
        if self.dtype == "float32" and call.label == next(iter(self.inputs)) and not train_step(module, arguments):
            self.zoo.without_backward.add((self.specimen.name, form))
        return self._trains_in_eager[call.label] and (self.specimen.name, form) not in self.zoo.without_backward
