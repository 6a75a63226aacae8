"""Hugging Face's and TransformerLens' language models: tokens, masks and activations are seen as they are."""
import pathlib
import subprocess
import sys

import pytest
import torch
from transformers import BertConfig, BertModel, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM
from witness import witness  # noqa: F401

import saetap

D, WORDS = 24, 300
SIZES = {"vocab_size": WORDS, "bos_token_id": 0, "eos_token_id": 0}


def gpt2() -> torch.nn.Module:
    return GPT2LMHeadModel(GPT2Config(n_layer=3, n_embd=D, n_head=2, n_positions=64, **SIZES)).eval()


def llama() -> torch.nn.Module:
    return LlamaForCausalLM(LlamaConfig(num_hidden_layers=3, hidden_size=D, num_attention_heads=2, intermediate_size=48, **SIZES)).eval()


def bert() -> torch.nn.Module:
    return BertModel(BertConfig(num_hidden_layers=3, hidden_size=D, num_attention_heads=2, intermediate_size=48,
                                vocab_size=WORDS)).eval()


class Sae(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = torch.nn.Linear(D, 96), torch.nn.Linear(96, D)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return self.encoder(x).relu()


MODELS = pytest.mark.parametrize("build, at", [(gpt2, "transformer.h.1"), (llama, "model.layers.1"), (bert, "encoder.layer.1")])


def inputs() -> dict[str, torch.Tensor]:
    mask = torch.ones(3, 9, dtype=torch.long)
    mask[1, 6:] = 0
    return {"input_ids": torch.randint(1, WORDS, (3, 9)), "attention_mask": mask}


@MODELS
@pytest.mark.parametrize("by_position", [False, True])
def test_a_layers_output(witness, build, at, by_position):
    model = build()
    saetap.attach(Sae(), lm=model, at=at)
    given = inputs()
    with torch.no_grad():
        if by_position:
            model(given["input_ids"])
        else:
            expected = model(**given, output_hidden_states=True).hidden_states[2]
    (name, tokens, mask, rows), = witness.model_calls
    assert name == f"{type(model).__name__} › {at}" and torch.equal(tokens, given["input_ids"])
    if by_position:
        assert mask is None and rows.shape == (3, 9, D)
    else:
        assert torch.equal(mask, given["attention_mask"] != 0) and torch.equal(rows, expected)


@MODELS
def test_what_the_model_returns(witness, build, at):
    model = build()
    saetap.attach(Sae(), lm=model)
    given = inputs()
    with torch.no_grad():
        states = model(**given, output_hidden_states=True).hidden_states
    seen = {name: rows for name, _, _, rows in witness.model_calls}
    for number, expected in enumerate(states):
        assert torch.equal(seen[f"{type(model).__name__} › output.hidden_states[{number}]"], expected)


@MODELS
def test_training_the_model_goes_on_as_it_would(witness, build, at):
    torch.manual_seed(0)
    ours = build()
    torch.manual_seed(0)
    alone = build()
    saetap.attach(Sae(), lm=ours, at=at)
    given = inputs()
    for model in (ours, alone):
        model.train(False)
        output = model(**given)
        (output.logits if hasattr(output, "logits") else output.last_hidden_state).square().mean().backward()
    for one, other in zip(ours.parameters(), alone.parameters(), strict=True):
        assert (one.grad is None and other.grad is None) or torch.equal(one.grad, other.grad)
    assert len(witness.model_calls) == 1


def test_transformer_lens():
    """In a process of its own: sae-lens' tests import a part of it alone."""
    script = pathlib.Path(__file__).with_name("run_transformer_lens.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
