"""Every class that sae-lens, dictionary-learning and sparsify train, in their own training step: found without a name, each
step seen once, as the library itself encodes it, and nothing changed."""
import copy
import warnings

import dictionary_learning_modules
import pytest
import sae_lens_modules
import sparsify_modules
import torch
from library_module import D_IN, FEATURES, ROWS, rows, seeded
from witness import witness  # noqa: F401

import saetap

STEPS = 3


def batches() -> list[torch.Tensor]:
    return [rows(seeded("x", str(step)), ROWS, D_IN) for step in range(STEPS)]


def check(witness, seen: list[torch.Tensor], inputs: list[torch.Tensor], decoder: torch.Tensor) -> None:
    assert len(witness.calls) == len(seen) == len(inputs)
    for call, features, x in zip(witness.calls, seen, inputs):
        assert call.train and torch.equal(call.rows, x)
        features = features.to_dense() if features.is_sparse else features
        assert torch.equal(call.dense(features.shape[-1]), features)
        assert features.count_nonzero() > 0
    (_, weight, transposed), = witness.decoders
    torch.testing.assert_close(weight.T if transposed else weight, decoder)


@pytest.mark.parametrize("class_name, variant, config", sae_lens_modules.TRAINING, ids=lambda value: str(value))
@pytest.mark.parametrize("dead", [False, True])
def test_sae_lens(witness, class_name, variant, config, dead):
    sae = sae_lens_modules.build(class_name, variant, config)
    alone = copy.deepcopy(sae)
    saetap.attach(sae)
    seen = []

    def step(module: torch.nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
        mask = torch.arange(FEATURES) % 3 == 0 if dead else None
        output = module.training_forward_pass(sae_lens_modules.TrainStepInput(
            sae_in=x, coefficients=sae_lens_modules.COEFFICIENTS, dead_neuron_mask=mask, n_training_steps=0,
            is_logging_step=False))
        module.zero_grad()
        if not variant.startswith("rescale_acts_by_decoder_norm, use_sparse"):  # which sae-lens cannot train on the CPU
            output.loss.backward()
        with torch.no_grad():
            for parameter in module.parameters():
                if parameter.grad is not None:
                    parameter -= 1e-3 * parameter.grad
        return [output.loss.detach(), output.feature_acts.detach(), *(p.detach().clone() for p in module.parameters())]

    for x in batches():
        ours, theirs = step(sae, x), step(alone, x)
        seen.append(theirs[1])
        for one, other in zip(ours, theirs, strict=True):
            assert one.layout == other.layout
            assert torch.equal(one.to_dense(), other.to_dense())
    check(witness, seen, batches(), sae.W_dec)


@pytest.mark.parametrize("class_name, variant, config", sae_lens_modules.INFERENCE, ids=lambda value: str(value))
def test_sae_lens_inference(witness, class_name, variant, config):
    sae = sae_lens_modules.build(class_name, variant, config)
    alone = copy.deepcopy(sae)
    attached = saetap.attach(sae)
    x = rows(seeded("x"), 3, 4, D_IN)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert torch.equal(sae(x), alone(x))
    (call,) = witness.calls
    assert torch.equal(call.activations, alone.encode(x)) and torch.equal(call.rows, x)  # of TemporalSAE the novel codes
    assert attached.sites == (f"{class_name}.encode.{FEATURES}",)


@pytest.mark.parametrize("kind, own, encode", dictionary_learning_modules.TRAINERS, ids=lambda value: getattr(value, "__name__", ""))
def test_dictionary_learning(witness, kind, own, encode):
    def trainer():
        made = kind(steps=10_000, activation_dim=D_IN, dict_size=FEATURES, layer=0, lm_name="none", device="cpu", **own)
        dictionary_learning_modules.fill(made.ae, kind.__name__)
        made.dead_feature_threshold = 0  # auxiliary losses decode a second time
        return made

    ours, alone = trainer(), trainer()
    more = {"rows": (ours, "loss")} if kind.__name__ == "JumpReluTrainer" else {}
    saetap.attach(ours.ae, **more)
    seen = []
    for number, x in enumerate(batches(), start=1):
        with torch.no_grad():
            seen.append(alone.ae.encode(x, **encode))
        ours.update(number, x)
        alone.update(number, x)
        for one, other in zip(ours.ae.parameters(), alone.ae.parameters(), strict=True):
            assert torch.equal(one, other)
    check(witness, seen, batches(), dictionary_learning_modules.decoder_of(ours.ae))


def test_a_ghost_mask_decodes_twice_and_is_seen_once(witness):
    dictionary = dictionary_learning_modules.build(dictionary_learning_modules.dictionaries.AutoEncoder, "", (D_IN, FEATURES))
    saetap.attach(dictionary)
    (x, *_) = batches()
    dictionary(x, ghost_mask=torch.arange(FEATURES) % 3 == 0)
    check(witness, [copy.deepcopy(dictionary).encode(x).detach()], [x], dictionary.decoder.weight.T)


@pytest.mark.parametrize("variant, config", sparsify_modules.CONFIGS, ids=lambda value: str(value))
@pytest.mark.parametrize("dead", [False, True])
def test_sparsify(witness, variant, config, dead):
    ours = sparsify_modules.build(variant, config, torch.float32)
    alone = copy.deepcopy(ours)
    saetap.attach(ours)
    seen = []
    mask = torch.arange(sparsify_modules.LATENTS) % 3 == 0 if dead else None
    for x in batches():
        seen.append(sparsify_modules.features_of(alone, x))
        for module in (ours, alone):
            output = module(x, x * 0.5, dead_mask=mask)
            module.zero_grad()
            (output.fvu + output.auxk_loss + output.multi_topk_fvu).backward()
            with torch.no_grad():
                for parameter in module.parameters():
                    if parameter.grad is not None:
                        parameter -= 1e-2 * parameter.grad
        for one, other in zip(ours.parameters(), alone.parameters(), strict=True):
            assert torch.equal(one, other)
    check(witness, seen, batches(), ours.W_dec)
