"""What is seen of eager modules, and that they stay what they are."""
import copy
import gc
import io
import pickle
import threading
import weakref

import pytest
import torch
from small_modules import D, F, InlineSae, LinearSae, NamedSae, TiedSae, TopKSae
from torch import nn
from witness import witness  # noqa: F401

import saetap
from saetap import hooks


def rows(count: int = 30) -> torch.Tensor:
    return torch.randn(count, D)


def code_of(sae: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """The features by other means than the package's."""
    with torch.no_grad():
        if isinstance(sae, NamedSae):
            return (x @ sae.W_enc + sae.b_enc).relu()
        if isinstance(sae, TopKSae):
            pre = (x @ sae.encoder.weight.T + sae.encoder.bias).relu()
            top = pre.topk(5, dim=-1)
            return torch.zeros_like(pre).scatter(-1, top.indices, top.values)
        if isinstance(sae, InlineSae):
            return sae.code(x)
        if isinstance(sae, LinearSae):
            return sae.up(x)
        return sae.encoder(x).relu()


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


def test_removing_gives_every_class_its_own_methods_back(witness):
    before = {name: vars(NamedSae).get(name) for name in ("encode", "decode", "forward")}
    sae = NamedSae()
    attached = saetap.attach(sae)
    assert vars(NamedSae)["encode"] is not before["encode"]
    attached.remove()
    assert {name: vars(NamedSae).get(name) for name in before} == before
    sae(rows())
    assert not witness.calls


def test_copies_and_saved_files_have_nothing_of_us(witness):
    sae = NamedSae()
    saetap.attach(sae, features="encode")
    linear = LinearSae()
    saetap.attach(linear, features="up")
    for module in (sae, linear):
        other = copy.deepcopy(module)
        with torch.no_grad():
            for parameter in other.parameters():
                parameter.zero_()
        before = len(witness.calls)
        assert not other(rows()).any()  # it computes with weights of its own
        assert len(witness.calls) == before
        stored = pickle.dumps(module)
        assert b"saetap" not in stored
        file = io.BytesIO()
        torch.save(module, file)
        file.seek(0)
        assert b"saetap" not in file.getvalue()
        loaded = torch.load(file, weights_only=False)
        x = rows()
        assert torch.equal(loaded(x), module(x))
        assert len(witness.calls) == before + 1


def test_modules_and_tensors_are_not_kept_alive(witness):
    sae = NamedSae()
    saetap.attach(sae)
    x = rows()
    output = sae(x)
    seen = [weakref.ref(thing) for thing in (sae, x, output)]
    del sae, x, output
    gc.collect()
    assert [reference() for reference in seen] == [None, None, None]


def test_a_module_may_be_collected_while_another_is_attached(witness, monkeypatch):
    class Other(NamedSae):
        pass

    gone = [NamedSae()]
    saetap.attach(gone[0])
    made = hooks._Watched.__init__

    def made_while_memory_is_cleared(self, owner, name) -> None:
        gone.clear()
        gc.collect()
        made(self, owner, name)

    monkeypatch.setattr(hooks._Watched, "__init__", made_while_memory_is_cleared)
    attaching = threading.Thread(target=lambda: saetap.attach(Other()), daemon=True)
    attaching.start()
    attaching.join(timeout=60)
    assert not attaching.is_alive() and not hasattr(NamedSae.encode, "__wrapped__")


def test_nothing_is_raised_inside_a_training(witness, capfd):
    sae = NamedSae()
    saetap.attach(sae)

    def fails(*_: object) -> None:
        raise RuntimeError("no room\nat line 7")

    witness.observe = fails
    x = rows()
    for _ in range(3):
        assert torch.equal(sae(x), (x @ sae.W_enc + sae.b_enc).relu() @ sae.W_dec)
    written = capfd.readouterr().err
    assert written == "saetap: NamedSae.encode.96: switched off: no room\n"


def test_features_that_are_never_seen_are_said_once(witness, capfd):
    class Normalized(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.W_enc, self.W_dec = nn.Parameter(torch.randn(D, F)), nn.Parameter(torch.randn(F, D))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x @ self.W_enc).relu() @ (self.W_dec / self.W_dec.norm(dim=1, keepdim=True))

    sae = Normalized()
    saetap.attach(sae)
    sae(rows())
    sae(rows())
    written = capfd.readouterr().err
    assert written.count("\n") == 1 and "Normalized.forward.96" in written and "features=" in written


def test_methods_that_are_none_of_an_object_stay_what_they_are(witness):
    class Static(NamedSae):
        @staticmethod
        def encode(x: torch.Tensor) -> torch.Tensor:
            return x.relu()

        @classmethod
        def decode(cls, f: torch.Tensor) -> torch.Tensor:
            return f

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x @ self.W_enc).relu() @ self.W_dec + self.decode(self.encode(x))

    sae = Static()
    x = rows()
    before = sae(x)
    saetap.attach(sae)
    assert torch.equal(sae(x), before) and len(witness.calls) == 1
    with pytest.raises(saetap.SaetapError, match="no method 'loss'"):
        saetap.attach(NamedSae(), rows=(Static(), "loss"))


def test_an_objects_own_encode_is_seen(witness):
    sae = NamedSae()
    encode = sae.encode
    sae.encode = lambda x: encode(x) * 2
    saetap.attach(sae)
    x = rows()
    sae(x)
    (call,) = witness.calls
    assert torch.equal(call.activations, code_of(sae, x) * 2)


def test_a_decoder_that_goes_away_is_said(witness, capfd):
    sae = InlineSae()
    saetap.attach(sae)
    sae(rows())
    weight = sae.W_D.detach()
    del sae.W_D
    sae.register_buffer("W_D", weight)  # replaced by something that is no parameter: found all the same
    sae(rows())
    assert len(witness.calls) == 2 and witness.decoders[-1][1] is weight
    del sae.W_D
    with pytest.raises(AttributeError, match="W_D"):
        sae(rows())
    assert "not there any more" in capfd.readouterr().err


def test_rows_of_any_shape(witness):
    sae = NamedSae()
    saetap.attach(sae)
    for shape in ((0, D), (D,), (2, 3, 4, D)):
        x = torch.randn(*shape)
        sae(x)
        assert witness.calls[-1].activations.shape == (*shape[:-1], F)
        assert shape[0] == 0 or torch.equal(witness.calls[-1].rows, x)


def test_an_error_of_the_modules_own_comes_through_and_the_next_call_is_seen(witness):
    sae = NamedSae()
    saetap.attach(sae)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        sae(torch.randn(3, D + 1))
    sae(rows())
    assert len(witness.calls) == 1


def test_a_replaced_decoder_is_told_again(witness):
    sae = NamedSae()
    saetap.attach(sae)
    sae(rows())
    assert len(witness.decoders) == 1
    sae.W_dec.data = torch.randn(F, D)  # the same parameter
    sae(rows())
    assert len(witness.decoders) == 1
    sae.W_dec = nn.Parameter(torch.randn(F, D))
    sae(rows())
    assert witness.decoders[-1][1] is sae.W_dec and len(witness.decoders) == 2


def test_autocast_no_grad_inference_mode(witness):
    sae = TopKSae()
    saetap.attach(sae)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        sae.encode(rows())
    assert witness.calls[-1].activations.dtype == torch.bfloat16
    for other in (sae, *(kind() for kind in (NamedSae, InlineSae, LinearSae))):
        saetap.attach(other) if other is not sae else None
        with torch.inference_mode():
            other(rows())
    assert [call.train for call in witness.calls] == [True, False, False, False, False]


def test_a_code_that_is_changed_after_it_was_decoded_is_not_read_wrong(witness, capfd):
    class Changes(NamedSae):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                code = (x @ self.W_enc).relu()
                y = code @ self.W_dec
                code.mul_(3)
            return y

    sae = Changes()
    saetap.attach(sae)
    sae(rows())
    assert not witness.calls and "changed in place" in capfd.readouterr().err


def test_compiled_modules(witness):
    sae = NamedSae()
    compiled = torch.compile(sae, backend="eager")
    saetap.attach(compiled)
    x = rows()
    for _ in range(2):
        torch.testing.assert_close(compiled(x), (x @ sae.W_enc + sae.b_enc).relu() @ sae.W_dec)
    assert len(witness.calls) == 2 and torch.equal(witness.calls[0].rows, x)


def test_a_traced_copy_has_nothing_of_us(witness):
    sae = NamedSae()
    saetap.attach(sae)
    traced = torch.jit.trace(sae, rows(), check_trace=False)
    assert "saetap" not in str(traced.inlined_graph) and not witness.calls
    sae(rows())
    assert len(witness.calls) == 1


def test_threads_see_their_own_rows(witness):
    sae = NamedSae()
    saetap.attach(sae)
    batches = [torch.full((1, D), float(number)) for number in range(40)]

    def run(part: list[torch.Tensor]) -> None:
        for x in part:
            sae(x)

    threads = [threading.Thread(target=run, args=(batches[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(call.rows[0, 0].item() for call in witness.calls) == list(range(40))
    for call in witness.calls:
        torch.testing.assert_close(call.activations, code_of(sae, call.rows))


class PreEncodingSae(NamedSae):
    """What it encodes are pre-activations: the code is made in forward."""

    def encode(self, x):
        return x @ self.W_enc + self.b_enc

    def decode(self, z):
        return z @ self.W_dec

    def forward(self, x):
        return self.decode(self.encode(x).relu())


class ScalingSae(PreEncodingSae):
    def encode(self, x):
        return (x @ self.W_enc + self.b_enc).relu()

    def forward(self, x):
        return self.decode(2 * self.encode(x))


def test_pre_activations_are_not_taken_for_features(witness, capfd):
    sae = PreEncodingSae()
    saetap.attach(sae)
    batches = [rows(), rows(7)]
    for x in batches:
        sae(x)
    assert len(witness.calls) == 2
    for call, x in zip(witness.calls, batches, strict=True):
        assert torch.equal(call.activations, code_of(sae, x))
    assert capfd.readouterr().err == ""


def test_a_code_that_is_changed_before_it_is_decoded_is_said(witness, capfd):
    sae = ScalingSae()
    saetap.attach(sae)
    for _ in range(2):
        x = rows()
        sae(x)
        assert torch.equal(witness.calls[-1].activations, code_of(sae, x))
    assert capfd.readouterr().err.count("is not what is decoded") == 1


def test_what_is_computed_once_more_for_gradients_is_seen_once(witness):
    from torch.utils.checkpoint import checkpoint

    sae = TopKSae()
    saetap.attach(sae)
    x = rows().requires_grad_()
    checkpoint(sae, x, use_reentrant=False).sum().backward()
    assert len(witness.calls) == 1


def test_arguments_that_mean_nothing_are_refused(witness):
    with pytest.raises(saetap.SaetapError, match="say which, lm="):
        saetap.attach(NamedSae(), at="layers.1")
    with pytest.raises(saetap.SaetapError, match="2 SAEs inside"):
        saetap.attach(nn.ModuleList([NamedSae(), TopKSae()]), name="mine")
