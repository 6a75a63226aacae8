"""Every architecture that sae-lens can build, for inference and for training."""
import contextlib
import warnings
from collections.abc import Iterator
from unittest import mock

import torch
from torch import Tensor, nn

from library_imports import import_sae_lens
from library_module import (D_IN, FEATURES, INLINED_NOTE, ROWS, LibraryModule, dense, fill_with_random_values, inlined, rows,
                            seeded)

saes = import_sae_lens()
from sae_lens.saes.jumprelu_sae import JumpReLU, Step  # noqa: E402  (after the package is registered)
from sae_lens.saes.sae import TrainStepInput  # noqa: E402

LIBRARY = "sae-lens 6.54.12"
COEFFICIENTS = {"l1": 0.7, "l0": 0.3}
NORM_NOTE = ("encode returns activations times the norm of their decoder direction; decode multiplies them by 1 / norm "
             "first, so the decoder consumes features / norm")
BOOL_NOTE = ("traced with cfg.apply_b_dec_to_input = int(cfg.apply_b_dec_to_input): the tracer writes the library's tensor * bool as an "
             "operator that does not exist, and the trace cannot run")
TEMPORAL_NOTE = ("encode returns the novel codes alone; the decoder product of forward consumes novel + predicted codes, and an "
                 "earlier product with the same decoder consumes the attention's prediction")

# class, variant, config
INFERENCE = [
    ("StandardSAE", "", {}),
    ("StandardSAE", "expected_average_only_in", {"normalize_activations": "expected_average_only_in"}),
    ("StandardSAE", "constant_norm_rescale", {"normalize_activations": "constant_norm_rescale"}),
    ("StandardSAE", "layer_norm", {"normalize_activations": "layer_norm"}),
    ("StandardSAE", "covariance_whitening", {"normalize_activations": "covariance_whitening"}),
    ("StandardSAE", "b_dec not applied to input", {"apply_b_dec_to_input": False}),
    ("StandardSAE", "use_error_term", {}),
    ("GatedSAE", "", {}),
    ("GatedSAE", "layer_norm", {"normalize_activations": "layer_norm"}),
    ("JumpReLUSAE", "", {}),
    ("JumpReLUSAE", "constant_norm_rescale", {"normalize_activations": "constant_norm_rescale"}),
    ("JumpReLUSAE", "b_dec not applied to input", {"apply_b_dec_to_input": False}),
    ("TopKSAE", "", {"k": 5}),
    ("TopKSAE", "rescale_acts_by_decoder_norm", {"k": 5, "rescale_acts_by_decoder_norm": True}),
    ("TopKSAE", "layer_norm", {"k": 5, "normalize_activations": "layer_norm"}),
    ("AbsTopKSAE", "", {"k": 5}),
    ("AbsTopKSAE", "rescale_acts_by_decoder_norm", {"k": 5, "rescale_acts_by_decoder_norm": True}),
    ("MatchingPursuitSAE", "", {"max_iterations": 4}),
    ("MatchingPursuitSAE", "b_dec not applied to input", {"max_iterations": 4, "apply_b_dec_to_input": False}),
    ("TemporalSAE", "tied, topk", {"n_heads": 2, "bottleneck_factor": 4, "kval_topk": 5}),
    ("TemporalSAE", "untied, relu", {"n_heads": 2, "bottleneck_factor": 4, "sae_diff_type": "relu", "tied_weights": False}),
    ("Transcoder", "", {"d_out": 24}),
    ("Transcoder", "same width", {"d_out": D_IN}),
    ("SkipTranscoder", "", {"d_out": 24}),
    ("JumpReLUTranscoder", "", {"d_out": 24}),
    ("JumpReLUSkipTranscoder", "", {"d_out": 24}),
    ("JumpReLUSkipTranscoder", "same width", {"d_out": D_IN}),
]
PLAIN_TOPK = {"k": 5, "rescale_acts_by_decoder_norm": False}
TRAINING = [
    ("StandardTrainingSAE", "", {}),
    ("StandardTrainingSAE", "lp_norm", {"lp_norm": 2.0}),
    ("GatedTrainingSAE", "", {}),
    ("JumpReLUTrainingSAE", "step", {}),
    ("JumpReLUTrainingSAE", "tanh", {"jumprelu_sparsity_loss_mode": "tanh", "pre_act_loss_coefficient": 3e-6}),
    ("JumpReLUTrainingSAE", "quadratic", {"jumprelu_sparsity_loss_mode": "quadratic", "target_l0": 8.0}),
    ("TopKTrainingSAE", "", PLAIN_TOPK),
    ("TopKTrainingSAE", "rescale_acts_by_decoder_norm", {"k": 5}),
    ("TopKTrainingSAE", "use_sparse_activations", {**PLAIN_TOPK, "use_sparse_activations": True}),
    ("TopKTrainingSAE", "rescale_acts_by_decoder_norm, use_sparse_activations", {"k": 5, "use_sparse_activations": True}),
    ("AbsTopKTrainingSAE", "", PLAIN_TOPK),
    ("AbsTopKTrainingSAE", "rescale_acts_by_decoder_norm", {"k": 5}),
    ("BatchTopKTrainingSAE", "", {**PLAIN_TOPK, "k": 5.5}),
    ("BatchTopKTrainingSAE", "rescale_acts_by_decoder_norm", {"k": 5.5}),
    ("MatryoshkaBatchTopKTrainingSAE", "", {**PLAIN_TOPK, "k": 5.5, "matryoshka_widths": [20, 44, FEATURES]}),
    ("MatryoshkaBatchTopKTrainingSAE", "rescale_acts_by_decoder_norm",
     {"k": 5.5, "matryoshka_widths": [20, 44, FEATURES]}),
    ("MatryoshkaBatchTopKTrainingSAE", "use_matryoshka_aux_loss",
     {**PLAIN_TOPK, "k": 5.5, "matryoshka_widths": [20, 44, FEATURES], "use_matryoshka_aux_loss": True}),
    ("MatchingPursuitTrainingSAE", "", {"max_iterations": 4, "decoder_init_norm": 1.0}),
]
OTHER_SHAPES = ("StandardSAE", "GatedSAE", "JumpReLUSAE", "TopKSAE", "MatchingPursuitSAE", "Transcoder", "StandardTrainingSAE",
                "TopKTrainingSAE", "BatchTopKTrainingSAE")
BFLOAT16 = ("StandardSAE", "GatedSAE", "JumpReLUSAE", "TopKSAE", "SkipTranscoder", "StandardTrainingSAE")


class TrainingStep(nn.Module):
    """training_forward_pass takes and returns dataclasses; TorchScript needs tensors."""

    def __init__(self, sae: nn.Module, dead_features: Tensor | None, returns_features: bool):
        super().__init__()
        self.sae, self.returns_features = sae, returns_features
        self.register_buffer("dead_features", dead_features)

    def forward(self, x: Tensor):
        step = TrainStepInput(sae_in=x, coefficients=COEFFICIENTS, dead_neuron_mask=self.dead_features, n_training_steps=0,
                              is_logging_step=False)
        output = self.sae.training_forward_pass(step)
        return (output.sae_out, output.feature_acts, output.loss) if self.returns_features else (output.sae_out, output.loss)


def build(class_name: str, variant: str, config: dict) -> nn.Module:
    transcodes = "Transcoder" in class_name
    config = {"d_in": D_IN, "d_sae": FEATURES, **({"apply_b_dec_to_input": False} if transcodes else {}), **config}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # use_error_term is deprecated, and still there
        sae = getattr(saes, class_name)(getattr(saes, f"{class_name}Config")(**config))
        sae.use_error_term = variant == "use_error_term"
    fill_with_random_values(sae, seeded(class_name, variant))
    if "MatchingPursuit" in class_name:
        # Matching pursuit subtracts what it found from the residual: directions longer than 1 would blow it up.
        sae.W_dec.data *= torch.linspace(0.7, 1.0, FEATURES).unsqueeze(1) / sae.W_dec.data.norm(dim=1, keepdim=True)
    return sae


@contextlib.contextmanager
def traceable(sae: nn.Module) -> Iterator[None]:
    with inlined(JumpReLU, Step), mock.patch.object(sae.cfg, "apply_b_dec_to_input", int(sae.cfg.apply_b_dec_to_input)):
        yield


def describe(class_name: str, variant: str, sae: nn.Module, x: Tensor, **more) -> LibraryModule:
    scaled = getattr(sae.cfg, "rescale_acts_by_decoder_norm", False)
    meaning, note = ("decoder_norm", NORM_NOTE) if scaled else ("decoder_input", "")
    if class_name == "TemporalSAE":
        meaning, note = "novel_codes", TEMPORAL_NOTE
    workaround_note = BOOL_NOTE + (f"; {INLINED_NOTE}" if class_name == "JumpReLUTrainingSAE" else "")
    return LibraryModule(LIBRARY, class_name, variant, more.pop("module", sae), [x], dense(sae.encode(x)), sae.W_dec.detach(),
                         meaning=meaning, note=note, main_product=-1 if class_name == "TemporalSAE" else 0,
                         workaround=lambda: traceable(sae), workaround_note=workaround_note, **more)


def with_rows(class_name: str, variant: str, config: dict, *shape: int, dtype: str = "float32", label: str = "") -> LibraryModule:
    sae = build(class_name, variant, {**config, "dtype": dtype})
    label = ", ".join(part for part in (variant, label) if part)
    return describe(class_name, label, sae, rows(seeded(class_name, label, "x"), *shape, dtype=getattr(torch, dtype)))


def training_step(class_name: str, variant: str, config: dict, with_dead_features: bool) -> LibraryModule:
    sae = build(class_name, variant, config)
    dead = torch.arange(FEATURES) % 3 == 0 if with_dead_features else None
    label = ", ".join(part for part in (variant, "training_forward_pass", "dead features" if with_dead_features else "") if part)
    step = TrainingStep(sae, dead, returns_features=not getattr(sae.cfg, "use_sparse_activations", False))
    return describe(class_name, label, sae, rows(seeded(class_name, label, "x"), ROWS, D_IN), module=step, wrapped=True)


def hook_z(class_name: str, config: dict) -> LibraryModule:
    """Attention heads' outputs [N, heads, d_head], flattened by the module itself."""
    metadata = saes.sae.SAEMetadata(hook_name="blocks.0.attn.hook_z")
    sae = build(class_name, "hook_z", {**config, "reshape_activations": "hook_z", "metadata": metadata})
    return describe(class_name, "hook_z", sae, rows(seeded(class_name, "hook_z", "x"), ROWS, 4, D_IN // 4))


def modules() -> Iterator[LibraryModule]:
    for class_name, variant, config in INFERENCE + TRAINING:
        batch = (3, 4) if class_name == "TemporalSAE" else (ROWS,)  # attention needs [B, T, d]
        yield with_rows(class_name, variant, config, *batch, D_IN)
        if variant in ("", "use_sparse_activations") and class_name in OTHER_SHAPES:
            yield with_rows(class_name, variant, config, 3, 4, D_IN, label="3-D input")
        if not variant and class_name in BFLOAT16:
            yield with_rows(class_name, variant, config, ROWS, D_IN, dtype="bfloat16", label="bfloat16")
    for class_name, variant, config in TRAINING:
        yield training_step(class_name, variant, config, with_dead_features=False)
        if "TopK" in class_name or variant == "tanh":
            yield training_step(class_name, variant, config, with_dead_features=True)
    yield hook_z("StandardSAE", {})
    yield hook_z("TopKSAE", {"k": 5})
