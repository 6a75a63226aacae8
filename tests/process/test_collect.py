"""`saetap collect`: a pass under a finished SAE, held against a training at learning rate 0, against PyTorch, and
against itself when it is killed and gone on with.

Usage: test_collect.py BIN_DIR DEMO_DIR      (BIN_DIR holds saetap, train_in_order)
Run with the demo's Python: modules and files are made with PyTorch.
"""

import array
import ctypes
import json
import os
import pathlib
import shlex
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import warnings

warnings.filterwarnings("ignore")

import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
import inspected_models as models  # noqa: E402

BIN, DEMO = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
SAETAP = BIN / "saetap"
THREADS = 2
SPECIAL = [0, 101, 102]  # of the demo's tokenizer: padding and what stands around a text
VOCABULARY, T = 50, 12  # of the small model here, and tokens in its texts


class SmallModel(nn.Module):
    """Rows know their token and its neighbour. Its second output is as wide as no SAE here."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, models.D)
        self.wide = nn.Linear(models.D, 24)

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        rows = self.words(ids)
        rows = rows + 0.5 * torch.roll(rows, 1, 1)
        return rows, self.wide(rows)


def environment() -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SAETAP", "LD_PRELOAD"))}
    return clean | {"OMP_NUM_THREADS": str(THREADS)}


def raw(tensor: Tensor) -> bytes:
    tensor = tensor.contiguous()
    return ctypes.string_at(tensor.data_ptr(), tensor.numel() * tensor.element_size())


def npy_header(dtype: torch.dtype, shape: tuple[int, ...]) -> bytes:
    types = {torch.float32: "<f4", torch.float16: "<f2", torch.int32: "<i4", torch.int64: "<i8"}
    text = repr({"descr": types[dtype], "fortran_order": False, "shape": shape}).encode()
    text += b" " * (-(10 + len(text) + 1) % 64) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text


def npy(tensor: Tensor) -> bytes:
    return npy_header(tensor.dtype, tuple(tensor.shape)) + raw(tensor)


class Store:
    """What a store holds, read by nothing of ours."""

    def __init__(self, folder: pathlib.Path):
        self.db = sqlite3.connect(f"file:{folder / 'samples.saetap'}?mode=rw", uri=True)

    def rows(self, query: str) -> list[tuple]:
        return self.db.execute(query).fetchall()

    def contents(self) -> dict[str, list[tuple]]:
        """Every table but those that name the run; how tokens were found is its way, not what it found."""
        held = {}
        for (table,) in self.rows("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"):
            if table in ("meta", "run"):
                continue
            columns = [row[1] for row in self.rows(f"PRAGMA table_info({table})")]
            wanted = ", ".join(column for column in columns if column not in ("token_source", "token_stream"))
            held[table] = sorted(self.rows(f"SELECT {wanted} FROM {table}"), key=repr)
        return held

    def texts(self) -> dict[int, list[int]]:
        texts: dict[int, list[int]] = {}
        for sequence, tokens in self.rows("SELECT id, tokens FROM sequence ORDER BY id, segment"):
            texts.setdefault(sequence, []).extend(array.array("i", tokens))
        return texts

    def samples(self, table: str = "sample") -> dict[int, list[tuple[float, int, int]]]:
        """Of each feature: activation, sequence and position, strongest first."""
        query = f"SELECT feature, activation, sequence, position FROM {table} ORDER BY feature"
        return {feature: list(zip(array.array("f", values), array.array("q", where), array.array("I", positions), strict=True))
                for feature, values, where, positions in self.rows(query)}


class CollectTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        torch.set_num_threads(THREADS)
        torch.manual_seed(2)
        cls.holder = tempfile.TemporaryDirectory(prefix="saetap-collect-")
        cls.shared = pathlib.Path(cls.holder.name)
        cls.lm, cls.sae = cls.shared / "lm.pt", cls.shared / "sae.pt"
        torch.jit.script(SmallModel().eval()).save(cls.lm)
        torch.jit.script(models.TopKSAE()).save(cls.sae)
        cls.ids = torch.randint(1, VOCABULARY, (200, T), dtype=torch.int32)
        cls.tokens = cls.shared / "tokens.npy"
        cls.tokens.write_bytes(npy(cls.ids))
        with torch.no_grad():
            cls.acts = torch.jit.load(cls.lm)(cls.ids.long())[0]

    @classmethod
    def tearDownClass(cls) -> None:
        cls.holder.cleanup()

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory(prefix="saetap-collect-")
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)

    def run_program(self, *words: object) -> subprocess.CompletedProcess:
        return subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=300, check=False, cwd=self.folder,
                              env=environment())

    def config(self, **keys: object) -> pathlib.Path:
        path = self.folder / "tap.json"
        path.write_text(json.dumps({"saetap": {"sample_window_steps": 0, "sample_activation_threshold": 0} | keys}))
        return path

    def collect(self, *words: object, out: str = "out", said: str = "") -> Store:
        done = self.run_program(SAETAP, "collect", *words, "-o", self.folder / out)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(said, done.stderr)
        return Store(self.folder / out)

    def check_same(self, a: Store, b: Store) -> None:
        first, second = a.contents(), b.contents()
        self.assertEqual(first.keys(), second.keys())
        for table in first:
            self.assertEqual(len(first[table]), len(second[table]), table)
            for ours, theirs in zip(first[table], second[table], strict=True):
                self.assertEqual(ours, theirs, table)
        self.assertTrue(first["sample"] and first["sequence"] and first["random_sample"])


class AgainstTraining(CollectTest):
    def test_a_pass_keeps_what_a_training_at_learning_rate_0_kept(self) -> None:
        """The training's rows find their tokens by fingerprint; the pass tells them."""
        tokens = self.folder / "tokens.bin"
        tokens.write_bytes((DEMO / "tokens.bin").read_bytes()[: 4 * 128 * 60])
        # Batches that begin and end within texts, and calls of the model that are no multiple of either.
        for sae, sequences, batch, window in (("topk_sae.pt", 16, 1024, 0), ("relu_sae.pt", 7, 900, 3)):
            with self.subTest(sae):
                config = self.config(sample_window_steps=window, max_samples_per_feature=20, tokens={"ignore_token_ids": SPECIAL},
                                     sample_activation_threshold=0.3)
                trained = self.run_program(SAETAP, "record", "--config", config, "--output", self.folder / "trained", "--",
                                           BIN / "train_in_order", DEMO / "minilm.pt", 0, DEMO / sae, tokens, 128, sequences, batch)
                self.assertEqual(trained.returncode, 0, trained.stderr)
                self.assertIn("100.0 % of a call's rows were met bit for bit", trained.stderr)
                passed = self.collect("--sae", DEMO / sae, "--lm", DEMO / "minilm.pt", "--lm-output", 0, "--tokens", tokens, "--length",
                                      128, "--sequences", sequences, "--batch", batch, "--config", config, said="by told")
                self.check_same(Store(self.folder / "trained"), passed)
                steps = -(-60 * 128 // batch)
                self.assertEqual(passed.rows("SELECT steps, steps_collected, rows_seen, rows_resolved FROM site"),
                                 [(steps, steps, 60 * 128, 60 * 128)])


class AgainstPyTorch(CollectTest):
    def features(self, rows: Tensor, batch: int) -> Tensor:
        """What enters the decoder, computed as the pass computes it: a batch at a time."""
        sae = torch.jit.load(self.sae)
        parts = []
        for x in rows.split(batch):
            values, indices = torch.topk(torch.matmul(x, sae.W_enc), 4, dim=-1)
            parts.append(torch.zeros(x.shape[0], models.F).scatter(-1, indices, values))
        return torch.cat(parts).detach()

    def check_strongest(self, store: Store, features: Tensor, k: int, row_of) -> None:
        """Each feature's k strongest rows: exactly their activations, and each at its own row."""
        kept = store.samples()
        for feature in range(models.F):
            samples = kept.get(feature, [])
            size = features[:, feature].abs()
            most = min(k, int((size > 0).sum()))
            self.assertEqual([abs(activation) for activation, _, _ in samples], torch.topk(size, most).values.tolist())
            rows = [row_of(sequence, position) for _, sequence, position in samples]
            self.assertEqual(len(set(rows)), len(rows))
            self.assertEqual([activation for activation, _, _ in samples], features[rows, feature].tolist())
        active = dict(store.rows("SELECT feature, active FROM feature"))
        self.assertEqual([active.get(f, 0) for f in range(models.F)], (features != 0).sum(0).tolist())

    def row_of_text(self, store: Store, counted: Tensor | None = None):
        """From a place in a stored text to the number of its row among those that the SAE was given."""
        texts, numbers = store.texts(), {}
        number = iter(range(self.ids.numel()))
        for text in self.ids.tolist():
            for position, token in enumerate(text):
                if counted is None or token in counted:
                    numbers[tuple(text), position] = next(number)
        return lambda sequence, position: numbers[tuple(texts[sequence]), position]

    def test_rows_of_a_model(self) -> None:
        config = self.config(max_samples_per_feature=15)
        store = self.collect("--sae", self.sae, "--lm", self.lm, "--tokens", self.tokens, "--batch", 100, "--sequences", 9, "--config", config)
        self.check_strongest(store, self.features(self.acts.flatten(0, 1), 100), 15, self.row_of_text(store))

    def test_tokens_that_the_sae_is_not_given(self) -> None:
        omitted = {3, 4, 5}
        left = torch.tensor([[token not in omitted for token in text] for text in self.ids.tolist()])
        store = self.collect("--sae", self.sae, "--lm", self.lm, "--tokens", self.tokens, "--batch", 64, "--omit-ids", "3,4,5", "-k", 9,
                             "--config", self.config())
        counted = set(range(VOCABULARY)) - omitted
        self.check_strongest(store, self.features(self.acts[left], 64), 9, self.row_of_text(store, counted))
        stored = self.folder / "left.npy"
        stored.write_bytes(npy(self.acts[left]))
        again = self.collect("--sae", self.sae, "--activations", stored, "--tokens", self.tokens, "--batch", 64, "--omit-ids", "3,4,5",
                             "-k", 9, "--config", self.config(), out="stored")
        self.check_same(store, again)

    def test_rows_without_tokens_keep_their_number(self) -> None:
        rows = self.folder / "rows.pt"
        torch.save(self.acts.flatten(0, 1), rows)
        store = self.collect("--sae", self.sae, "--activations", rows, "--batch", 128, "-k", 7, "--config", self.config())
        self.check_strongest(store, self.features(self.acts.flatten(0, 1), 128), 7, lambda _, position: position)
        self.assertEqual(store.texts(), {})


class Files(CollectTest):
    def test_a_model_and_what_was_stored_of_it_give_the_same_store(self) -> None:
        """Whatever format rows and tokens come in."""
        from_model = self.collect("--sae", self.sae, "--lm", self.lm, "--tokens", self.tokens, "--sequences", 200, out="model")
        (self.folder / "acts.npy").write_bytes(npy(self.acts))
        torch.save(self.acts, self.folder / "acts.pt")
        torch.save({"rows": self.acts.flatten(0, 1), "other": torch.zeros(1)}, self.folder / "dict.pt")
        torch.save(self.ids.long(), self.folder / "tokens.pt")
        (self.folder / "flat.bin").write_bytes(raw(self.ids))
        (self.folder / "1.npy").write_bytes(npy(self.acts[:90]))
        (self.folder / "2.npy").write_bytes(npy(self.acts[90:]))
        for files in (["acts.npy", "--tokens", self.tokens], ["acts.pt", "--tokens", "tokens.pt"],
                      ["dict.pt:rows", "--tokens", "flat.bin", "--length", T], ["1.npy", "2.npy", "--tokens", self.tokens]):
            with self.subTest(str(files)):
                self.check_same(from_model, self.collect("--sae", self.sae, "--activations", *files))

    def test_halves_are_widened_to_what_the_sae_computes_in(self) -> None:
        (self.folder / "half.npy").write_bytes(npy(self.acts.half()))
        torch.save(self.acts.half().float(), self.folder / "float.pt")
        half, full = (self.collect("--sae", self.sae, "--activations", name, "--tokens", self.tokens, out=f"of-{name}")
                      for name in ("half.npy", "float.pt"))
        self.check_same(half, full)

    def test_a_file_larger_than_what_is_held_of_it(self) -> None:
        width, rows = 4096, 1 << 17
        sae = models.TopKSAE()
        sae.W_enc, sae.W_dec = models.weight(width, models.F), models.weight(models.F, width)
        torch.jit.script(sae).save(self.folder / "wide.pt")
        with (self.folder / "sparse.npy").open("wb") as file:
            file.write(npy_header(torch.float16, (rows, width)))
            file.truncate(file.tell() + 2 * rows * width)  # 1 GiB that takes no room on disk
        rule = self.config(hooks=[{"value": "W_dec"}])  # it is narrower than its input, which an SAE is not
        words = [SAETAP, "collect", "--sae", "wide.pt", "--activations", "sparse.npy", "--config", rule, "-o", "out"]
        process = subprocess.Popen(list(map(str, words)), cwd=self.folder, stderr=subprocess.PIPE, env=environment())
        held = []
        while process.poll() is None:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            held += [int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon")]
            time.sleep(0.02)
        self.assertEqual(process.returncode, 0, process.communicate()[1])
        self.assertEqual(Store(self.folder / "out").rows("SELECT rows_seen FROM site"), [(rows,)])
        self.assertLess(max(held), 600 << 10)  # KiB


class Resume(CollectTest):
    TEXTS = 12000

    def words(self, *more: object) -> list[str]:
        tokens = self.shared / "many.npy"
        if not tokens.exists():
            tokens.write_bytes(npy(torch.randint(1, VOCABULARY, (self.TEXTS, T), dtype=torch.int32)))
        config = self.config(checkpoint_seconds=1)
        return list(map(str, [SAETAP, "collect", "--sae", self.sae, "--lm", self.lm, "--tokens", tokens, "--config", config, "--batch", 3,
                              "--sequences", 5, *more, "-o", self.folder / "out"]))

    def rows_saved(self) -> int:
        try:
            connection = sqlite3.connect(f"file:{self.folder / 'out/samples.saetap'}?mode=ro", uri=True)
            return connection.execute("SELECT rows_seen FROM site").fetchone()[0]
        except (sqlite3.Error, TypeError):
            return 0

    def break_off(self, how: signal.Signals, *more: object) -> tuple[int, str]:
        """Starts a pass and ends it once it has saved more than before; how it ended, and what it said."""
        before = self.rows_saved()
        process = subprocess.Popen(self.words(*more), cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                   env=environment())
        deadline = time.time() + 120
        while process.poll() is None and time.time() < deadline:
            if self.rows_saved() > before + 3 and (self.folder / "out/collect.json").exists():
                break
            time.sleep(0.02)
        process.send_signal(how)
        said = process.communicate()[1]
        return process.returncode, said

    def in_one_piece(self) -> Store:
        whole = self.shared / "whole"
        if not whole.exists():
            done = self.run_program(*self.words()[:-1], whole)
            self.assertEqual(done.returncode, 0, done.stderr)
        return Store(whole)

    def go_on(self, *words: object) -> str:
        done = self.run_program(*words)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("resumed", done.stderr)
        self.check_same(self.in_one_piece(), Store(self.folder / "out"))
        self.assertEqual(len(list((self.folder / "out").glob("*.saetap"))), 1)
        return done.stderr

    def test_killed_twice_and_gone_on_with_it_is_as_in_one_piece(self) -> None:
        for more in ((), ("--resume",)):
            status, said = self.break_off(signal.SIGKILL, *more)
            self.assertEqual(status, -signal.SIGKILL, said)
        self.assertLess(self.rows_saved(), self.TEXTS * T)
        # The shape of its calls is remembered.
        words = self.words("--resume")
        del words[words.index("--batch"):words.index("--batch") + 4]
        self.go_on(*words)
        done = self.run_program(*self.words("--resume"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("all 144,000 rows are in", done.stdout)

    def test_ctrl_c_saves_and_says_how_to_go_on(self) -> None:
        status, said = self.break_off(signal.SIGINT)
        self.assertEqual(status, -signal.SIGINT, said)
        stopped = next(line for line in said.splitlines() if "stopped" in line)
        self.assertIn(f"{self.rows_saved():,} of 144,000 rows are saved; to go on: ", stopped)
        command = shlex.split(stopped.split("to go on: ")[1])
        self.assertEqual((command[:2], command[-1]), (["saetap", "collect"], "--resume"))
        self.go_on(SAETAP, *command[1:])

    def test_what_differs_is_not_gone_on_with(self) -> None:
        self.break_off(signal.SIGKILL)
        before = (self.folder / "out/samples.saetap").read_bytes()
        words = self.words("--resume")
        other_sae, other_tokens = self.folder / "other.pt", self.folder / "other.npy"
        torch.jit.script(models.TopKSAE()).save(other_sae)
        other_tokens.write_bytes(npy(self.ids))

        def refuse(reason: str, changed: list[str]) -> None:
            done = self.run_program(*changed)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(reason, done.stderr)
            self.assertEqual((self.folder / "out/samples.saetap").read_bytes(), before)

        def with_value(key: str, value: object) -> list[str]:
            changed = list(words)
            changed[changed.index(key) + 1] = str(value)
            return changed

        refuse('another "batch": 3, and now it is 8', with_value("--batch", 8))
        refuse('another "sequences": 5', with_value("--sequences", 6))
        refuse('another "sae"', with_value("--sae", other_sae))
        refuse('another "rows": 144000, and now it is 2400', with_value("--tokens", other_tokens))
        refuse('another "rows"', [*words, "--omit-ids", "9"])
        path = self.config(tokens={"ignore_first_positions": 1})
        refuse("it was begun with activation_scale", with_value("--config", path))
        self.config(checkpoint_seconds=1)
        (self.folder / "out/collect.json").write_text('{"batch": 7}')
        refuse("collect.json is damaged", words)
        (self.folder / "out/collect.json").unlink()
        refuse("there is no collect.json", words)

    def test_without_resume_a_new_store_is_begun(self) -> None:
        self.break_off(signal.SIGKILL)
        done = self.run_program(*self.words())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.rows_saved(), self.TEXTS * T)
        self.assertEqual(len(list((self.folder / "out").glob("*.saetap"))), 2)


class Refusals(CollectTest):
    def fails(self, reason: str, *words: object, status: int = 2, lines: int = 1) -> str:
        done = self.run_program(SAETAP, "collect", *words, "-o", self.folder / "out")
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertIn(reason, done.stderr)
        self.assertTrue(done.stderr.startswith("saetap: "), done.stderr)
        self.assertEqual(done.stderr.count("\n"), lines, done.stderr)
        self.assertFalse((self.folder / "out/samples.saetap").exists())
        return done.stdout

    def write(self, name: str, content: bytes) -> str:
        (self.folder / name).write_bytes(content)
        return name

    def test_flags_that_do_not_go_together(self) -> None:
        sae = ("--sae", self.sae)
        self.fails("collect needs --lm and --tokens, or --activations", *sae)
        self.fails("one of them at a time", *sae, "--lm", self.lm, "--activations", "a.npy")
        self.fails("--lm needs --tokens", *sae, "--lm", self.lm)
        self.fails("--mask needs --tokens", *sae, "--activations", "a.npy", "--mask", "m.npy")
        self.fails("--length needs --tokens", *sae, "--activations", "a.npy", "--length", 3)
        self.fails("--omit-masked needs --mask", *sae, "--lm", self.lm, "--tokens", "t.npy", "--omit-masked")
        self.fails("--lm-output needs --lm", *sae, "--activations", "a.npy", "--lm-output", 0)
        self.fails("--sae is required", "--activations", "a.npy")
        for key, value in (("--batch", 0), ("--batch", "many"), ("--sequences", -1), ("-k", 0), ("--threshold", -1)):
            self.fails(key, *sae, "--activations", "a.npy", key, value)

    def test_modules(self) -> None:
        tokens = ("--tokens", self.tokens)
        self.fails("none.pt: No such file", "--sae", "none.pt", "--lm", self.lm, *tokens)
        self.fails("rubbish.pt: not a TorchScript file", "--sae", self.write("rubbish.pt", b"rubbish"), "--lm", self.lm, *tokens)
        self.fails("empty.pt: the file is empty", "--sae", self.sae, "--lm", self.write("empty.pt", b""), *tokens)
        self.fails("it has no method encode", "--sae", self.sae, "--method", "encode", "--lm", self.lm, *tokens)
        self.fails("--device nowhere", "--sae", self.sae, "--device", "nowhere", "--lm", self.lm, *tokens)
        self.fails("it returns no floating-point tensor with a row for each token", "--sae", self.sae, "--lm", self.identity(), *tokens)
        listed = "0 is [32, 12, 16] of float32, 1 is [32, 12, 24] of float32; --lm-output has to be one of them"
        self.fails(listed, "--sae", self.sae, "--lm", self.lm, "--lm-output", 2, *tokens)
        self.fails("1 is [32, 12, 24] of float32, and the SAE takes rows of width 16", "--sae", self.sae, "--lm", self.lm, "--lm-output",
                   1, *tokens)
        self.fails("its forward takes no mask", "--sae", self.sae, "--lm", self.lm, *tokens, "--mask",
                   self.write("mask.npy", npy(torch.ones_like(self.ids))))

    def identity(self) -> pathlib.Path:
        torch.jit.script(models.Identity()).save(self.folder / "identity.pt")
        return self.folder / "identity.pt"

    def test_modules_without_a_certain_site(self) -> None:
        self.fails("no SAE or transcoder found in 1 method", "--sae", self.identity(), "--lm", self.lm, "--tokens", self.tokens, status=1)
        torch.jit.script(models.FeedForward()).save(self.folder / "mlp.pt")
        shown = self.fails("no site in it is certain", "--sae", "mlp.pt", "--lm", self.lm, "--tokens", self.tokens, status=1)
        inspected = self.run_program(SAETAP, "inspect", "mlp.pt").stdout
        self.assertEqual(shown, inspected)
        # A rule settles it.
        rule = [json.loads("{" + line.split("config", 1)[1].strip() + "}")["hooks"][0]
                for line in inspected.splitlines() if line.strip().startswith("config")]
        store = self.collect("--sae", "mlp.pt", "--lm", self.lm, "--lm-output", 0, "--tokens", self.tokens, "--config",
                             self.config(hooks=rule))
        self.assertEqual(store.rows("SELECT features, rows_seen FROM site"), [(4 * models.D, self.ids.numel())])

    def test_files(self) -> None:
        sae = ("--sae", self.sae)
        good = self.write("acts.npy", npy(self.acts))
        wide = self.write("wide.npy", npy(torch.zeros(5, 24)))
        self.fails("none.npy: No such file", *sae, "--activations", "none.npy")
        self.fails("the file is empty", *sae, "--activations", self.write("empty.npy", b""))
        self.fails("neither .npy, nor .pt", *sae, "--activations", self.write("rubbish.npy", b"rubbish"))
        self.fails("wide.npy: rows of width 24, and the SAE takes rows of width 16", *sae, "--activations", wide)
        self.fails("there is no row to collect from", *sae, "--activations", self.write("none-in.npy", npy(torch.zeros(0, 16))))
        floats = self.write("floats.npy", npy(self.ids.float()))
        self.fails("token ids are integers", *sae, "--activations", good, "--tokens", floats)
        self.fails("token ids are integers", *sae, "--lm", self.lm, "--tokens", floats)
        few = self.write("few.npy", npy(self.ids[:3]))
        self.fails("acts.npy holds 2,400 rows, and few.npy has 36 tokens that have one", *sae, "--activations", good, "--tokens", few)
        large = self.ids.long()
        large[40, 3] = VOCABULARY
        self.fails("it fails on rows 32 to 63 of large.npy, whose largest token id is 50: index out of range", *sae, "--lm", self.lm,
                   "--tokens", self.write("large.npy", npy(large)), "--batch", 4096)
        large[40, 3] = 1 << 40
        self.fails("large.npy: the token id in row 40, place 3 is", *sae, "--lm", self.lm, "--tokens", self.write("large.npy", npy(large)))

    def test_configs(self) -> None:
        words = ("--sae", self.sae, "--lm", self.lm, "--tokens", self.tokens)
        self.fails('nearest known key is "max_samples_per_feature"', *words, "--config", self.config(max_samples_per_featur=1))
        self.fails("none.json: cannot be read", *words, "--config", "none.json")
        self.fails("none.model", *words, "--tokenizer", "none.model")
        (self.folder / "out").write_bytes(b"a file")
        done = self.run_program(SAETAP, "collect", *words, "-o", self.folder / "out")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("nothing can be saved there", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2)
