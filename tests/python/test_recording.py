"""The package with the plugin behind it, against brute force."""
import gc
import json
import os
import pathlib
import subprocess
import sys
import weakref

import numpy as np
import pytest
import torch
from small_modules import D, F, LanguageModel, NamedSae, ScatteredSae, ScriptedModel, TopKSae
from torch import nn

import saetap

KEPT = 7


class Buffer:
    """Rows of a language model's calls, with their tokens, shuffled as trainers do."""

    def __init__(self, lm: nn.Module, at: int, texts: torch.Tensor) -> None:
        self.generator = torch.Generator().manual_seed(5)
        rows, places = [], []
        with torch.no_grad():
            for first in range(0, len(texts), 8):
                states = lm(texts[first:first + 8], output_hidden_states=True)["hidden_states"]
                rows.append(states[at].flatten(0, 1))
        self.rows = torch.cat(rows)
        self.places = torch.cartesian_prod(torch.arange(len(texts)), torch.arange(texts.shape[1]))
        self.order = torch.randperm(len(self.rows), generator=self.generator)

    def batches(self, size: int):
        for chosen in self.order.split(size):
            yield self.rows[chosen], self.places[chosen]


def strongest(seen: list[tuple[torch.Tensor, torch.Tensor]], texts: torch.Tensor, feature: int, most: int) -> list[tuple]:
    """(activation, text, position), by brute force over all that was seen: the largest at each place."""
    best: dict[tuple, float] = {}
    for acts, places in seen:
        for value, (text, position) in zip(acts[:, feature].tolist(), places.tolist()):
            key = (tuple(texts[text].tolist()), position)
            if value >= 0.1:
                best[key] = max(best.get(key, 0.0), value)
    ranked = sorted(((value, *key) for key, value in best.items()), reverse=True)
    return ranked[:most]


@pytest.mark.parametrize("kind", [NamedSae, TopKSae])
@pytest.mark.parametrize("place", [{"at": "blocks.1"}, {}])
def test_samples_statistics_and_tokens_are_those_of_brute_force(tmp_path, kind, place):
    torch.manual_seed(0)
    lm, sae = LanguageModel().eval(), kind()
    texts = torch.randint(0, 300, (96, 12))
    texts[:, 0] = torch.arange(96)  # rows of texts that begin alike are equal, and nobody can tell them apart
    seen = []
    with saetap.start(output_dir=tmp_path, max_samples_per_feature=KEPT, tokens={"ignore_token_ids": []}, sample_window_steps=0,
                      log_level="warning"):
        saetap.attach(sae, lm=lm, **place)
        optimizer = torch.optim.SGD(sae.parameters(), lr=0.05)
        for x, places in Buffer(lm, 2, texts).batches(64):
            with torch.no_grad():
                code = sae.__class__.encode.__wrapped__(sae, x)
                if isinstance(code, tuple):
                    code = torch.zeros(len(x), F).scatter(-1, code[1], code[0])
            seen.append((code, places))
            loss = (sae(x) - x).pow(2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        live = saetap.statistics()
        live_top = {feature: saetap.top_samples(None, feature) for feature in range(F)}
        counts = saetap.sites()[0]
        text_of_one, at_of_one = saetap.sample_tokens(live_top[5][0])
    store = saetap.open(tmp_path)
    code = torch.cat([acts for acts, _ in seen]).double().numpy()
    features = store.features()
    np.testing.assert_array_equal(features["active"], (code != 0).sum(0))
    np.testing.assert_array_equal(live["active"], (code != 0).sum(0))
    np.testing.assert_allclose(features["max"], code.max(0), rtol=1e-6)
    np.testing.assert_allclose(live["sum"], code.sum(0), rtol=1e-5)
    np.testing.assert_allclose(features["mean"], code.sum(0) / np.maximum(1, (code != 0).sum(0)), rtol=1e-5)
    assert counts["rows_seen"] == counts["rows_resolved"] == len(code) == store.sites[0].rows_resolved
    assert counts["steps"] == len(seen) == store.sites[0].steps
    assert text_of_one[at_of_one] == live_top[5][0]["token"]
    compared = 0
    for feature in range(F):
        samples = store.samples(feature)
        expected = strongest(seen, texts, feature, KEPT)
        assert len(samples) == len(expected) == len(live_top[feature])
        for sample, row, (value, text, position) in zip(samples, live_top[feature], expected):
            assert sample.activation == pytest.approx(value, rel=1e-6)
            assert tuple(sample.tokens.tolist()) == text and sample.position == position == sample.activating
            assert row["token"] == sample.token == text[position] and row["sequence"] == sample.sequence
            compared += 1
    assert compared > 5 * F if kind is NamedSae else compared > 0
    parameter = dict(sae.named_parameters())["W_dec"].detach().numpy()
    np.testing.assert_array_equal(store.decoder(), parameter.astype(np.float16))


def test_training_is_the_same_to_the_last_bit_with_and_without(tmp_path):
    def losses(recorded: bool) -> list[torch.Tensor]:
        torch.manual_seed(4)
        lm, sae = LanguageModel().eval(), NamedSae()
        texts = torch.randint(0, 300, (64, 12))
        if recorded:
            saetap.start(output_dir=tmp_path, log_level="warning")
            saetap.attach(sae, lm=lm, at="blocks.1")
        optimizer = torch.optim.Adam(sae.parameters(), lr=1e-2)
        out = []
        for x, _ in Buffer(lm, 2, texts).batches(48):
            loss = (sae(x) - x).pow(2).mean() + 1e-3 * sae.encode(x).sum(-1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            out.append(loss.detach())
        if recorded:
            saetap.stop()
        return out + [parameter.detach() for parameter in sae.parameters()]

    for with_us, without in zip(losses(True), losses(False), strict=True):
        assert torch.equal(with_us, without)


def test_script_modules_are_recorded_from_their_first_call_on(recording):
    torch.manual_seed(6)
    sae = torch.jit.script(ScatteredSae())
    attached = saetap.attach(sae)
    assert attached.sites == ()
    for _ in range(3):
        sae(torch.randn(10, D))
    (site,) = saetap.sites()
    assert site["calls"] == 3 and site["rows_seen"] == 30 and site["features"] == F
    saetap.stop()


def test_script_sae_behind_a_script_model_gets_its_tokens(recording):
    lm, sae = torch.jit.script(ScriptedModel()), torch.jit.script(ScatteredSae())
    saetap.attach(sae, lm=lm)
    with pytest.raises(saetap.SaetapError, match="TorchScript"):
        saetap.attach(sae, lm=lm, at="mix")
    rows = lm(torch.randint(0, 300, (8, 9))).flatten(0, 1).detach()
    sae(rows[torch.randperm(len(rows))])
    (site,) = saetap.sites()
    assert site["rows_resolved"] == site["rows_seen"] == 72


def test_an_eager_sae_behind_a_script_model_gets_its_tokens(recording):
    lm, sae = torch.jit.script(ScriptedModel()), NamedSae()
    saetap.attach(sae, lm=lm)
    rows = lm(torch.randint(0, 300, (8, 9))).flatten(0, 1).detach()
    sae(rows[torch.randperm(len(rows))])
    (site,) = saetap.sites()
    assert site["rows_resolved"] == site["rows_seen"] == 72


@pytest.mark.parametrize("form", ["dense", "pairs", "sparse"])
def test_what_is_told_by_hand_is_kept(recording, form):
    torch.manual_seed(7)
    pre = torch.randn(4 * 6, F)
    top = pre.topk(3, dim=-1)
    code = torch.zeros_like(pre).scatter(-1, top.indices, top.values.relu())
    tokens = torch.arange(24).reshape(4, 6)
    decoder = torch.randn(F, D)
    for _ in range(2):
        if form == "pairs":
            saetap.observe(top.values.relu(), tokens, indices=top.indices, features=F, site="by hand", decoder=decoder)
        else:
            saetap.observe(code if form == "dense" else code.to_sparse(), tokens, site="by hand", decoder=decoder)
    saetap.stop()
    store = saetap.open(recording)
    assert store.sites[0].name == "by hand" and store.sites[0].steps == 2
    np.testing.assert_array_equal(store.features()["active"], 2 * (code != 0).sum(0).numpy())
    np.testing.assert_array_equal(store.decoder(), decoder.numpy().astype(np.float16))
    for feature in range(F):
        expected = sorted(((value, token) for token, value in enumerate(code[:, feature].tolist()) if value >= 0.1), reverse=True)
        assert [(sample.activation, sample.token) for sample in store.samples(feature)] == [
            (pytest.approx(value), token) for value, token in expected]


def test_told_tokens_with_an_order_and_a_mask(recording):
    tokens = torch.tensor([[10, 11, 12], [20, 21, 22]])
    sae = NamedSae()
    saetap.attach(sae)
    x = torch.randn(4, D)
    saetap.set_tokens(tokens, mask=[[1, 1, 1], [1, 1, 0]], rows=[5, 0, 4, -1])
    sae(x)
    saetap.stop()
    store = saetap.open(recording)
    assert (store.sites[0].rows_seen, store.sites[0].rows_resolved) == (4, 3)
    seen = {sample.token for feature in range(F) for sample in store.samples(feature)}
    assert seen <= {10, 21, None} and {10, 21} <= seen  # 22 is masked, the last row has no token


def test_steps_that_the_program_tells(recording):
    sae = NamedSae()
    saetap.attach(sae)
    saetap.step()
    for _ in range(3):
        sae(torch.randn(5, D))
        sae(torch.randn(5, D))
        saetap.step()
    assert saetap.sites()[0]["steps"] in (3, 4) and saetap.sites()[0]["calls"] == 6


def test_a_checkpoint_can_be_read_while_it_goes_on(recording):
    sae = NamedSae()
    saetap.attach(sae)
    sae(torch.randn(50, D))
    saetap.checkpoint()
    store = saetap.open(recording)
    assert not store.run["finished"] and store.sites[0].rows_seen == 50
    sae(torch.randn(50, D))
    saetap.stop()
    assert store.run["finished"] and store.sites[0].rows_seen == 100


def test_a_module_that_goes_leaves_its_decoder_in_the_store_and_no_memory_behind(recording):
    sae = NamedSae()
    saetap.attach(sae)
    sae(torch.randn(8, D))
    parameter, directions = weakref.ref(sae.W_dec), sae.W_dec.detach().half().numpy()
    del sae
    gc.collect()
    assert parameter() is None
    saetap.stop()
    assert (saetap.open(recording).decoder() == directions).all()


def test_after_a_stop_another_recording_can_begin(tmp_path):
    sae = NamedSae()
    for number in range(2):
        with saetap.start({"output_dir": str(tmp_path / str(number)), "log_level": "warning"}):
            saetap.attach(sae)
            sae(torch.randn(10, D))
        assert not hasattr(NamedSae.encode, "__wrapped__")
        sae(torch.randn(10, D))
        assert saetap.open(tmp_path / str(number)).sites[0].rows_seen == 10


def test_configs_from_files_texts_and_trainers(tmp_path):
    config = tmp_path / "tap.json"
    config.write_text(json.dumps({"lr": 1, "sample_context_size": 3, "saetap": {"output_dir": str(tmp_path / "file"),
                                                                                  "log_level": "warning"}}))
    for given, folder in ((config, "file"), (str(config), "file"), (config.read_text().replace("/file", "/text"), "text")):
        with saetap.start(given, max_samples_per_feature=2):
            sae = NamedSae()
            saetap.attach(sae)
            sae(torch.randn(3, D))
        run = saetap.open(tmp_path / folder).run
        assert (run["sample_context_size"], run["max_samples_per_feature"]) == (3, 2)


def test_off_costs_nothing_and_changes_nothing(tmp_path):
    for given in ({"save_activation_samples": False}, {"saetap": {"save_activation_samples": False}},
                  '{"save_activation_samples": false, "lr": 1}'):
        with saetap.start(given) as started:
            assert not started.started
            assert saetap.attach(NamedSae()).sites == () and not hasattr(NamedSae.encode, "__wrapped__")
            saetap.observe(torch.zeros(2, 3))
            saetap.set_tokens([[1]])
            saetap.checkpoint()
            assert saetap.sites() == []


@pytest.mark.parametrize("given, needle", [
    ({"max_samples_per_featur": 3}, "max_samples_per_feature"), ({"max_samples_per_feature": -1}, "max_samples_per_feature"),
    ("[1]", "config"), ("{", "JSON"), ("no/such/file.json", "no/such/file.json"), ({"saetap": 3}, "no object"),
    ({"x": float("nan")}, "JSON"), ({"x": object()}, "")])
def test_wrong_configs_are_said_in_one_line(given, needle):
    with pytest.raises(Exception) as failed:
        saetap.start(given)
    assert type(failed.value) in (saetap.SaetapError, TypeError) and needle in str(failed.value)
    assert "\n" not in str(failed.value)
    with pytest.raises(saetap.SaetapError, match="nothing is recording"):
        saetap.attach(NamedSae())


def test_wrong_use_is_said_in_one_line(recording):
    for call, needle in (
            (lambda: saetap.attach(3), "int"), (lambda: saetap.attach(nn.Linear(3, 3)), "features="),
            (lambda: saetap.attach(NamedSae(), lm=4), "no module"), (lambda: saetap.set_tokens([[[1]]]), "batch, length"),
            (lambda: saetap.set_tokens([[1, 2]], mask=[1]), "mask"), (lambda: saetap.statistics("none"), "no site"),
            (lambda: saetap.observe(torch.zeros(2, 3), site="a") or saetap.observe(torch.zeros(2, 4), site="a"), "3 features"),
            (lambda: saetap.observe(torch.zeros(2, 3), indices=torch.zeros(2, 3, dtype=torch.long)), "features=F"),
            (lambda: saetap.observe(torch.zeros(2, 3), indices=torch.zeros(2, 3, dtype=torch.long), features=9, site="b"), "twice")):
        with pytest.raises(saetap.SaetapError) as failed:
            call()
        assert needle in str(failed.value) and "\n" not in str(failed.value), failed.value


def run_script(code: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess:
    here = pathlib.Path(__file__).parent
    paths = os.pathsep.join([str(here), str(here.parents[1] / "integrations" / "python")])
    return subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": paths, **environment}, check=False)


SCRIPT = """
import sys, torch, saetap
from small_modules import NamedSae, D
sae = NamedSae()
with saetap.start(output_dir=sys.argv[1]) as started:
    saetap.attach(sae)
    for _ in range(4): sae(torch.randn(5, D))
print(started.started)
"""


def test_rows_of_any_shape_and_none(recording):
    sae = NamedSae()
    saetap.attach(sae)
    for shape in ((0, D), (D,), (2, 3, D), (5, D)):
        sae(torch.randn(*shape))
    assert saetap.sites()[0]["rows_seen"] == 12


FORKS = """
import os, sys, torch, saetap
from small_modules import NamedSae, LanguageModel, D
sae, lm = NamedSae(), LanguageModel()
saetap.start(output_dir=sys.argv[1], log_level="warning")
saetap.attach(sae, lm=lm, at="blocks.1")
sae(torch.randn(5, D))
child = os.fork()
if child == 0:
    lm(torch.zeros(1, 3, dtype=torch.long)); sae(torch.randn(5, D)); os._exit(0)
assert os.waitpid(child, 0)[1] == 0
sae(torch.randn(5, D))
"""


def test_a_forked_child_goes_on_and_is_not_recorded(tmp_path):
    done = run_script(FORKS, tmp_path / "out", OMP_NUM_THREADS="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert saetap.open(tmp_path / "out").sites[0].rows_seen == 10


def test_a_script_that_is_recorded_from_outside_goes_on_in_that_recording(tmp_path, saetap_program):
    here = pathlib.Path(__file__).parent
    paths = os.pathsep.join([str(here), str(here.parents[1] / "integrations" / "python")])
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SAETAP")}
    done = subprocess.run([saetap_program, "record", "--output", tmp_path / "outside", "--", sys.executable, script, tmp_path / "inside"],
                          capture_output=True, text=True, env={**environment, "PYTHONPATH": paths}, check=False)
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr
    store = saetap.open(tmp_path / "outside")
    assert store.run["finished"] and store.sites[0].rows_seen == 20 and not (tmp_path / "inside").exists()


def test_without_a_stop_it_is_saved_at_exit(tmp_path):
    done = run_script(SCRIPT.replace("with saetap.start(output_dir=sys.argv[1]) as started:",
                                     "started = saetap.start(output_dir=sys.argv[1])\nif True:"), tmp_path / "out")
    assert done.returncode == 0 and done.stdout == "True\n", done.stderr
    assert saetap.open(tmp_path / "out").run["finished"]


@pytest.mark.parametrize("record, needles", [
    ({"libtorch_version": "2.5.1", "cxx11_abi": 1}, ("2.5.1", torch.__version__)),
    ({"libtorch_version": torch.__version__, "cxx11_abi": 0}, ("_GLIBCXX_USE_CXX11_ABI=0", "has 1"))])
def test_a_library_for_another_pytorch_is_refused_before_it_is_loaded(tmp_path, record, needles):
    library = tmp_path / "libsaetap.so"
    library.write_bytes(b"no library at all")
    (tmp_path / "libsaetap.json").write_text(json.dumps(record))
    done = run_script("import saetap; saetap.start()", SAETAP_LIBRARY=str(library))
    last = done.stderr.strip().split("\n")[-1]
    assert done.returncode == 1 and last.startswith("saetap.library.SaetapError: saetap: ")
    for needle in needles:
        assert needle in last


def test_a_library_that_is_not_there_or_none(tmp_path):
    missing = run_script("import saetap; saetap.start()", SAETAP_LIBRARY=str(tmp_path / "none.so"))
    assert "none.so" in missing.stderr.strip().split("\n")[-1] and missing.returncode == 1
    (tmp_path / "libsaetap.so").write_bytes(b"no library at all")
    broken = run_script("import saetap; saetap.start()", SAETAP_LIBRARY=str(tmp_path / "libsaetap.so"))
    assert "cannot be loaded" in broken.stderr.strip().split("\n")[-1] and broken.returncode == 1


def test_told_tokens_that_do_not_fit_are_refused(recording):
    with pytest.raises(saetap.SaetapError, match="3 tokens for 4 rows"):
        saetap.observe(torch.rand(4, 6), [[1, 2, 3]])
    with pytest.raises(saetap.SaetapError, match="from -1 to 2"):
        saetap.set_tokens([[1, 2, 3]], rows=[0, 3])
    with pytest.raises(saetap.SaetapError, match="tokens are integers"):
        saetap.set_tokens([[1.7, 2]])
    saetap.observe(torch.rand(3, 6))
    assert saetap.sites()[0]["rows_resolved"] == 0


def test_a_second_start_says_that_its_config_is_not_used(recording, capfd):
    saetap.start(output_dir="elsewhere")
    assert "this config is not used" in capfd.readouterr().err
