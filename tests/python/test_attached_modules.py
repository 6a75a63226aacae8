"""That eager modules stay what they are, and what becomes of odd ones."""
import copy
import gc
import io
import pickle
import threading
import weakref

import pytest
import torch
from small_modules import D, F, InlineSae, LinearSae, NamedSae, TopKSae, code_of, rows
from torch import nn
from witness import witness  # noqa: F401

import saetap
from saetap import hooks


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
