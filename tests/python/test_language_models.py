"""What is seen of eager language models."""
import copy

import pytest
import torch
from small_modules import D, LanguageModel, NamedSae
from torch import nn
from witness import witness  # noqa: F401

import saetap


def ids(batch: int = 3, length: int = 7) -> torch.Tensor:
    return torch.randint(0, 300, (batch, length))


def hidden(lm: LanguageModel, tokens: torch.Tensor) -> list[torch.Tensor]:
    """What each block gives, computed here."""
    x = lm.embed(tokens)
    states = [x]
    for block in lm.blocks:
        x = x + block.mix(x.cumsum(1) / (1 + torch.arange(x.shape[1]))[:, None]).tanh()
        states.append(x)
    return states


def test_a_submodules_output_is_told_with_the_models_tokens(witness):
    lm = LanguageModel()
    saetap.attach(NamedSae(), lm=lm, at="blocks.1")
    tokens = ids()
    for call in (lambda: lm(tokens), lambda: lm(input_ids=tokens)):
        call()
        name, told, mask, rows = witness.model_calls[-1]
        assert name == "LanguageModel › blocks.1" and torch.equal(told, tokens) and mask is None
        assert torch.equal(rows, hidden(lm, tokens)[2].detach()) and not rows.requires_grad
    assert len(witness.model_calls) == 2


def test_without_a_place_what_the_model_returns_in_the_saes_width(witness):
    lm = LanguageModel()
    saetap.attach(NamedSae(), lm=lm)
    tokens = ids()
    lm(tokens, output_hidden_states=True)
    assert [name for name, *_ in witness.model_calls] == [f"LanguageModel › output.hidden_states[{n}]" for n in range(4)]
    for (_, _, _, rows), expected in zip(witness.model_calls, hidden(lm, tokens), strict=True):
        assert torch.equal(rows, expected.detach())


def test_nothing_of_the_saes_width_is_said_once(witness, capfd):
    lm = LanguageModel()
    saetap.attach(NamedSae(), lm=lm)
    lm(ids())
    lm(ids())
    written = capfd.readouterr().err
    assert written.count("\n") == 1 and "width 24" in written and "at=" in written and not witness.model_calls


def test_masks_by_name_and_by_position(witness):
    lm = LanguageModel()
    saetap.attach(NamedSae(), lm=lm, at="blocks.0")
    tokens, mask = ids(), torch.ones(3, 7, dtype=torch.int64)
    mask[0, 4:] = 0
    for call in (lambda: lm(tokens, mask), lambda: lm(tokens, attention_mask=mask), lambda: lm(attention_mask=mask, input_ids=tokens)):
        call()
        assert torch.equal(witness.model_calls[-1][1], tokens) and torch.equal(witness.model_calls[-1][2], mask != 0)
    lm(tokens, attention_mask=torch.zeros(3, 1, 7, 7))
    assert witness.model_calls[-1][2] is None


def test_models_with_other_signatures(witness):
    class Wrapped(nn.Module):
        def __init__(self, lm: nn.Module) -> None:
            super().__init__()
            self.transformer = lm

        def forward(self, *args: object, **kwargs: object) -> object:
            return self.transformer(*args, **kwargs)

    lm = Wrapped(LanguageModel())
    saetap.attach(NamedSae(), lm=lm, at="transformer.blocks.2")
    tokens = ids()
    lm(tokens)
    lm(input_ids=tokens, attention_mask=torch.ones_like(tokens))
    assert [torch.equal(call[1], tokens) for call in witness.model_calls] == [True, True]
    lm(tokens[0][None])
    assert witness.model_calls[-1][1].shape == (1, 7)


def test_a_model_that_stops_early_and_one_that_fails(witness):
    class StopsEarly(LanguageModel):
        def forward(self, tokens: torch.Tensor, stop_at_layer: int | None = None) -> torch.Tensor:
            x = self.embed(tokens)
            for block in self.blocks[:stop_at_layer]:
                x = block(x)[0]
            return x

    lm = StopsEarly()
    saetap.attach(NamedSae(), lm=lm, at="blocks.1")
    lm(ids(), stop_at_layer=2)
    assert len(witness.model_calls) == 1
    lm(ids(), stop_at_layer=1)
    assert len(witness.model_calls) == 1
    with pytest.raises(IndexError):
        lm(torch.full((1, 2), 999))
    lm.blocks[1](torch.randn(1, 2, D))  # by itself: no tokens are known
    assert len(witness.model_calls) == 1
    lm(ids())
    assert len(witness.model_calls) == 2


def test_attention_heads_are_told_one_after_the_other(witness):
    class Heads(LanguageModel):
        def __init__(self) -> None:
            super().__init__()
            self.hook_z = nn.Identity()

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return self.hook_z(self.embed(tokens).unflatten(-1, (4, D // 4)))

    lm = Heads()
    saetap.attach(NamedSae(), lm=lm, at="hook_z")
    tokens = ids()
    lm(tokens)
    assert torch.equal(witness.model_calls[0][3], lm.embed(tokens).detach())


def test_one_model_read_by_several_saes_is_told_once_a_place(witness):
    lm = LanguageModel()
    first = saetap.attach(NamedSae(), lm=lm, at="blocks.1")
    second = saetap.attach(NamedSae(), lm=lm, at="blocks.1")
    saetap.attach(NamedSae(), lm=lm, at="blocks.2")
    lm(ids())
    assert len(witness.model_calls) == 2
    first.remove()
    first.remove()
    lm(ids())
    assert len(witness.model_calls) == 4
    second.remove()
    lm(ids())
    assert [name for name, *_ in witness.model_calls[4:]] == ["LanguageModel › blocks.2"]


def test_the_models_outputs_are_the_same_to_the_last_bit_and_copies_are_their_own(witness):
    lm = LanguageModel()
    other = copy.deepcopy(lm)
    attached = saetap.attach(NamedSae(), lm=lm, at="blocks.1")
    tokens = ids()
    assert torch.equal(lm(tokens)["logits"], other(tokens)["logits"])
    copied = copy.deepcopy(lm)
    before = len(witness.model_calls)
    copied(tokens)
    assert len(witness.model_calls) == before
    attached.remove()
    assert not lm._forward_hooks and not lm._forward_pre_hooks and not lm.blocks[1]._forward_hooks


def test_a_place_that_is_not_there(witness):
    with pytest.raises(saetap.SaetapError, match=r"no submodule 'blocks.9'; there are: .*blocks.0"):
        saetap.attach(NamedSae(), lm=LanguageModel(), at="blocks.9")
    assert "encode" in vars(NamedSae) and not hasattr(vars(NamedSae)["encode"], "__wrapped__")


def test_nothing_is_raised_inside_the_model(witness, capfd):
    lm = LanguageModel()
    saetap.attach(NamedSae(), lm=lm, at="blocks.1")

    def fails(*_: object) -> None:
        raise RuntimeError("not any more")

    witness.observe_model = fails
    lm(ids())
    lm(ids())
    assert capfd.readouterr().err == "saetap: LanguageModel: its tokens are not seen any more: not any more\n"
