"""What is seen of eager modules."""
import copy

import pytest
import torch
from small_modules import D, F, InlineSae, LinearSae, NamedSae, TiedSae, TopKSae, code_of, rows
from torch import nn
from witness import witness  # noqa: F401

import saetap

KINDS = pytest.mark.parametrize("kind", [NamedSae, TopKSae, InlineSae, LinearSae, TiedSae])


@KINDS
def test_each_call_is_seen_once_with_its_rows(witness, kind):
    torch.manual_seed(1)
    sae = kind()
    attached = saetap.attach(sae)
    batches = [rows(), rows(7)]
    for x in batches:
        sae(x)
    assert [site for site, *_ in witness.sites.values()] == list(attached.sites)
    assert list(witness.sites.values())[0][1:] == (F, D, D)
    assert len(witness.calls) == 2
    for call, x in zip(witness.calls, batches):
        torch.testing.assert_close(call.dense(F), code_of(sae, x), rtol=1e-6, atol=1e-6)
        assert torch.equal(call.rows, x)
        assert call.train


@KINDS
def test_the_decoder_that_is_told_is_the_modules_own(witness, kind):
    sae = kind()
    saetap.attach(sae)
    (name, weight, transposed), = witness.decoders
    expected = {NamedSae: "W_dec", TopKSae: "W_dec", InlineSae: "W_D", LinearSae: "down.weight", TiedSae: "encoder.weight"}[kind]
    assert weight is dict(sae.named_parameters())[expected]
    assert tuple(weight.T.shape if transposed else weight.shape) == (F, D)


def train(sae: nn.Module, steps: int = 6) -> list[torch.Tensor]:
    """Outputs, gradients and weights of a training, all of it."""
    generator = torch.Generator().manual_seed(3)
    optimizer = torch.optim.Adam(sae.parameters(), lr=1e-2)
    seen = []
    for _ in range(steps):
        x = torch.randn(20, D, generator=generator)
        output = sae(x)
        output = output[0] if isinstance(output, tuple) else output
        loss = output.mean() if output.dim() == 0 else (output - x).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        seen += [output.detach().clone(), *(p.grad.clone() for p in sae.parameters() if p.grad is not None)]
        optimizer.step()
    return seen + [parameter.detach().clone() for parameter in sae.parameters()]


@KINDS
def test_training_is_the_same_to_the_last_bit(witness, kind):
    torch.manual_seed(2)
    sae = kind()
    alone = copy.deepcopy(sae)
    saetap.attach(sae)
    for ours, theirs in zip(train(sae), train(alone), strict=True):
        assert torch.equal(ours, theirs)
    assert len(witness.calls) == 6


def test_phases(witness):
    sae = NamedSae()
    saetap.attach(sae)
    sae(rows())
    with torch.no_grad():
        sae(rows())
    sae.eval()
    sae(rows())
    assert [call.train for call in witness.calls] == [True, False, False]


def test_encode_by_itself_is_seen_and_decode_after_it_is_not_again(witness):
    sae = NamedSae()
    saetap.attach(sae)
    x = rows()
    features = sae.encode(x)
    sae.decode(features)
    sae.decode(features * 2)
    assert len(witness.calls) == 1 and torch.equal(witness.calls[0].rows, x)


def test_a_forward_that_does_not_call_its_encode_is_seen_at_the_product(witness):
    class Unfolded(NamedSae):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x @ self.W_enc + self.b_enc).relu() @ self.W_dec

        def encode_names(self) -> list:
            return ["no", "features"]

    sae = Unfolded()
    saetap.attach(sae)
    x = rows()
    for _ in range(2):
        sae(x)
    sae.encode_names()
    sae.encode(x)
    assert len(witness.calls) == 3
    for call in witness.calls:
        assert torch.equal(call.rows, x) and torch.equal(call.activations, code_of(sae, x))


def test_a_trainer_that_computes_the_code_itself_is_seen_where_it_decodes(witness):
    sae = NamedSae()

    class Trainer:
        def loss(self, x: torch.Tensor, step: int) -> torch.Tensor:
            return (sae.decode(((x @ sae.W_enc) - 1).relu()) - x).pow(2).mean()

    trainer = Trainer()
    saetap.attach(sae, rows=(trainer, "loss"))
    x = rows()
    trainer.loss(x, 3)
    (call,) = witness.calls
    torch.testing.assert_close(call.activations, ((x @ sae.W_enc) - 1).relu().detach())
    assert torch.equal(call.rows, x)
    with torch.no_grad():  # looking at directions is no training
        sae.decode(torch.eye(F))
    assert len(witness.calls) == 1


def test_three_dimensional_rows_and_transcoders(witness):
    class Transcoder(NamedSae):
        def __init__(self) -> None:
            super().__init__()
            self.W_dec = nn.Parameter(torch.randn(F, 2 * D))

        def forward(self, x: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            return (self.decode(self.encode(x)) - target).pow(2).mean()

    transcoder = Transcoder()
    saetap.attach(transcoder)
    x = torch.randn(4, 5, D)
    transcoder(x, torch.randn(4, 5, 2 * D))
    assert list(witness.sites.values()) == [("Transcoder.encode.96", F, D, 2 * D)]
    assert witness.calls[0].activations.shape == (4, 5, F) and torch.equal(witness.calls[0].rows, x)


def test_named_features_rows_and_decoder(witness):
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.ModuleDict({"act": nn.ReLU(), "first": nn.Linear(D, F), "last": nn.Linear(F, D)})

        def squeeze(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner["act"](self.inner["first"](x))

        def run(self, packed: torch.Tensor) -> torch.Tensor:
            return self.inner["last"](self.squeeze(packed * 2))

    x = rows()
    for features in ("squeeze", "inner.act"):
        odd = Odd()
        with pytest.raises(saetap.SaetapError, match="features="):
            saetap.attach(odd)
        attached = saetap.attach(odd, name=features, features=features, rows="inner.first", decoder="inner.last")
        odd.run(x)
        call = witness.calls[-1]
        assert call.site == features and torch.equal(call.rows, x * 2)
        torch.testing.assert_close(call.activations, odd.squeeze(x * 2).detach())
        assert witness.decoders[-1][1] is odd.inner["last"].weight and witness.decoders[-1][2]
        attached.remove()
    for wrong, needle in ({"features": "nowhere"}, "nowhere"), ({"features": "squeeze", "decoder": "inner.none"}, "inner.none"):
        with pytest.raises(saetap.SaetapError, match=needle):
            saetap.attach(Odd(), **wrong)


def test_several_saes_of_one_class_are_told_apart(witness):
    layers = nn.ModuleDict({"3": NamedSae(), "7": NamedSae()})
    alone = NamedSae()
    assert saetap.attach(layers).sites == ("NamedSae.3.encode.96", "NamedSae.7.encode.96")
    assert saetap.attach(alone).sites == ("NamedSae.encode.96",)
    another = saetap.attach(NamedSae())
    assert another.sites == ("NamedSae.encode.96#1",)
    layers["7"](rows())
    assert [call.site for call in witness.calls] == ["NamedSae.7.encode.96"]


def test_what_was_attached_twice_is_said(witness):
    sae = NamedSae()
    first = saetap.attach(sae)
    with pytest.raises(saetap.SaetapError, match="attached already"):
        saetap.attach(sae)
    sae(rows())
    assert len(witness.calls) == 1  # the first one stands
    first.remove()
    assert saetap.attach(sae).sites == first.sites
