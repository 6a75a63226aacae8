"""Every dictionary of dictionary-learning, and the losses of its trainers."""
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from library_imports import import_dictionary_learning
from library_module import D_IN, FEATURES, INLINED_NOTE, ROWS, LibraryModule, fill_with_random_values, inlined, rows, seeded

dictionaries, trainers = import_dictionary_learning()
from dictionary_learning.trainers.jumprelu import JumpReLUFunction, StepFunction  # noqa: E402
from dictionary_learning.trainers.matryoshka_batch_top_k import MatryoshkaBatchTopKSAE, MatryoshkaBatchTopKTrainer  # noqa: E402
from dictionary_learning.trainers.standard import StandardTrainerAprilUpdate  # noqa: E402
from dictionary_learning.trainers.top_k import AutoEncoderTopK  # noqa: E402

LIBRARY = "dictionary-learning 0.1.0"
GROUPS = [20, 24, FEATURES - 44]
SCALED_NOTE = "the features that forward returns are those the decoder consumes times the norm of their decoder direction"
GHOST_NOTE = "an earlier product with the same decoder consumes the ghost features; x_hat comes from the second one"
SPLIT_NOTE = "the loss splits the features by group: each part enters a product with its part of the decoder, never all of them"


class WithFeatures(nn.Module):
    """forward returns one tensor or several, as its arguments say; TorchScript needs to know."""

    def __init__(self, dictionary: nn.Module):
        super().__init__()
        self.dictionary = dictionary

    def forward(self, x: Tensor):
        return self.dictionary(x, output_features=True)


class WithNormalizedDecoder(WithFeatures):
    def forward(self, x: Tensor):
        return self.dictionary(x, output_features=True, normalize_decoder=True)


class WithGhostMask(WithFeatures):
    def forward(self, x: Tensor):
        return self.dictionary(x, ghost_mask=torch.arange(self.dictionary.dict_size) % 3 == 0)


class TrainerLoss(nn.Module):
    """A trainer is no module; its loss is a function of the dictionary and one batch."""

    def __init__(self, trainer):
        super().__init__()
        self.dictionary, self.trainer = trainer.ae, [trainer]  # in a list: JumpReluTrainer is a module that holds an optimizer

    def forward(self, x: Tensor) -> Tensor:
        return self.trainer[0].loss(x, step=500)


# class, variant, how it is built, wrapper
DICTIONARIES = [
    (dictionaries.AutoEncoder, "", (D_IN, FEATURES), None),
    (dictionaries.AutoEncoder, "output_features", (D_IN, FEATURES), WithFeatures),
    (dictionaries.AutoEncoder, "ghost_mask", (D_IN, FEATURES), WithGhostMask),
    (dictionaries.AutoEncoderNew, "", (D_IN, FEATURES), None),
    (dictionaries.AutoEncoderNew, "output_features", (D_IN, FEATURES), WithFeatures),
    (dictionaries.GatedAutoEncoder, "", (D_IN, FEATURES), None),
    (dictionaries.GatedAutoEncoder, "output_features", (D_IN, FEATURES), WithFeatures),
    (dictionaries.GatedAutoEncoder, "output_features, normalize_decoder", (D_IN, FEATURES), WithNormalizedDecoder),
    (dictionaries.JumpReluAutoEncoder, "", (D_IN, FEATURES), None),
    (dictionaries.JumpReluAutoEncoder, "output_features", (D_IN, FEATURES), WithFeatures),
    (dictionaries.JumpReluAutoEncoder, "apply_b_dec_to_input", (D_IN, FEATURES), None),
    (AutoEncoderTopK, "", (D_IN, FEATURES, 5), None),
    (AutoEncoderTopK, "output_features", (D_IN, FEATURES, 5), WithFeatures),
    (trainers.BatchTopKSAE, "", (D_IN, FEATURES, 5), None),
    (trainers.BatchTopKSAE, "output_features", (D_IN, FEATURES, 5), WithFeatures),
    (MatryoshkaBatchTopKSAE, "", (D_IN, FEATURES, 5, GROUPS), None),
    (MatryoshkaBatchTopKSAE, "output_features", (D_IN, FEATURES, 5, GROUPS), WithFeatures),
    (MatryoshkaBatchTopKSAE, "two of three groups active", (D_IN, FEATURES, 5, GROUPS), None),
]
# trainer, its own arguments, arguments of the encode that its loss calls
TRAINERS = [
    (trainers.StandardTrainer, {}, {}),
    (StandardTrainerAprilUpdate, {}, {}),
    (trainers.PAnnealTrainer, {}, {}),
    (trainers.GatedSAETrainer, {}, {}),
    (trainers.GatedAnnealTrainer, {}, {}),
    (trainers.JumpReluTrainer, {}, {}),
    (trainers.TopKTrainer, {"k": 5}, {}),
    (trainers.BatchTopKTrainer, {"k": 5}, {"use_threshold": False}),
    (MatryoshkaBatchTopKTrainer, {"k": 5, "group_fractions": [0.25, 0.3, 0.45]}, {"use_threshold": False}),
]
OTHER_SHAPES = (dictionaries.AutoEncoder, dictionaries.GatedAutoEncoder, dictionaries.JumpReluAutoEncoder, AutoEncoderTopK,
                trainers.BatchTopKSAE)


def decoder_of(dictionary: nn.Module) -> Tensor:
    return (dictionary.decoder.weight.t() if hasattr(dictionary, "decoder") else dictionary.W_dec).detach()


def fill(dictionary: nn.Module, *name: str) -> nn.Module:
    fill_with_random_values(dictionary, seeded(*name))
    if "threshold" in dict(dictionary.named_buffers()):
        dictionary.threshold.fill_(0.6)  # -1 until trained, which lets every feature pass
    return dictionary


def build(kind: type, variant: str, arguments: tuple, dtype: torch.dtype = torch.float32) -> nn.Module:
    dictionary = fill(kind(*arguments), kind.__name__, variant).to(dtype)
    if variant == "apply_b_dec_to_input":
        dictionary.apply_b_dec_to_input = True
    if variant == "two of three groups active":
        dictionary.active_groups = 2
    return dictionary


def with_rows(kind: type, variant: str, arguments: tuple, wrapper: type | None, *shape: int, dtype: torch.dtype = torch.float32,
              label: str = "") -> LibraryModule:
    dictionary, label = build(kind, variant, arguments, dtype), label or variant
    x = rows(seeded(kind.__name__, label, "x"), *shape, dtype=dtype)
    note = GHOST_NOTE if wrapper is WithGhostMask else ""
    if wrapper is WithNormalizedDecoder or wrapper and kind is dictionaries.AutoEncoderNew:
        note = SCALED_NOTE
    return LibraryModule(LIBRARY, kind.__name__, label, wrapper(dictionary) if wrapper else dictionary, [x],
                         dictionary.encode(x).detach(), decoder_of(dictionary), wrapped=wrapper is not None, note=note,
                         main_product=1 if wrapper is WithGhostMask else 0)


def trainer_loss(kind: type, own: dict, encode: dict) -> LibraryModule:
    trainer = kind(steps=10_000, activation_dim=D_IN, dict_size=FEATURES, layer=0, lm_name="none", device="cpu", **own)
    dictionary, x = fill(trainer.ae, kind.__name__), rows(seeded(kind.__name__, "x"), ROWS, D_IN)
    split = kind is MatryoshkaBatchTopKTrainer
    return LibraryModule(LIBRARY, type(dictionary).__name__, f"{kind.__name__}.loss", TrainerLoss(trainer), [x],
                         dictionary.encode(x, **encode).detach(), decoder_of(dictionary), wrapped=True,
                         meaning="split_by_group" if split else "decoder_input", note=SPLIT_NOTE if split else "",
                         workaround=lambda: inlined(JumpReLUFunction, StepFunction), workaround_note=INLINED_NOTE)


def identity() -> LibraryModule:
    x = rows(seeded("IdentityDict"), ROWS, D_IN)
    return LibraryModule(LIBRARY, "IdentityDict", "", dictionaries.IdentityDict(D_IN), [x], None, None,
                         note="a control: no weights, no features")


def modules() -> Iterator[LibraryModule]:
    for kind, variant, arguments, wrapper in DICTIONARIES:
        yield with_rows(kind, variant, arguments, wrapper, ROWS, D_IN)
        if not variant and kind in OTHER_SHAPES:
            yield with_rows(kind, variant, arguments, wrapper, 3, 4, D_IN, label="3-D input")
            yield with_rows(kind, variant, arguments, wrapper, ROWS, D_IN, dtype=torch.bfloat16, label="bfloat16")
    for kind, own, encode in TRAINERS:
        yield trainer_loss(kind, own, encode)
    yield identity()
