"""`saetap collect` that is killed or stopped and gone on with keeps what it keeps in one piece."""

import json
import pathlib
import shlex
import signal
import sqlite3
import subprocess
import sys
import time

import torch
from collect_test import SAETAP, VOCABULARY, CollectTest, Store, T, environment, models, npy, run_tests

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "reliability"))
from fault_record import record_fault  # noqa: E402


class Resume(CollectTest):
    TEXTS = 12000

    def words(self, *more: object) -> list[str]:
        tokens = self.shared / "many.npy"
        if not tokens.exists():
            tokens.write_bytes(npy(torch.randint(1, VOCABULARY, (self.TEXTS, T), dtype=torch.int32)))
        config = self.config(checkpoint_seconds=1, sample_window_steps=9000)
        return list(map(str, [SAETAP, "collect", "--sae", self.sae, "--lm", self.lm, "--tokens", tokens, "--config", config, "--batch", 3,
                              "--sequences", 5, *more, "-o", self.folder / "out"]))

    def rows_saved(self) -> int:
        try:
            connection = sqlite3.connect(f"file:{self.folder / 'out/samples.saetap'}?mode=ro", uri=True)
            return connection.execute("SELECT rows_seen FROM site").fetchone()[0]
        except (sqlite3.Error, TypeError):
            return 0

    def break_off(self, how: signal.Signals, *more: object, words: list[str] | None = None) -> tuple[int, str]:
        """Starts a pass and ends it once it has saved more than before; how it ended, and what it said.

        The pass saves by the clock, and a fast machine is through within a second: so it stands still five sixths of the time.
        """
        before = self.rows_saved()
        process = subprocess.Popen(words or self.words(*more), cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                   env=environment())
        deadline = time.time() + 120
        while process.poll() is None and time.time() < deadline:
            if self.rows_saved() > before + 3 and (self.folder / "out/collect.json").exists():
                break
            if (self.folder / "out").exists():
                process.send_signal(signal.SIGSTOP)
                time.sleep(0.1)
                process.send_signal(signal.SIGCONT)
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
        self.check_same(self.in_one_piece(), Store(self.folder / "out"), broken_off=True)
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
        record_fault("resume", "`saetap collect` killed twice and gone on with: the store is that of a pass in one piece", 2, "nothing")

    def test_ctrl_c_saves_and_says_how_to_go_on(self) -> None:
        status, said = self.break_off(signal.SIGINT)
        self.assertEqual(status, -signal.SIGINT, said)
        self.assertRegex(said, r"collected [0-9,]+ of 144,000 rows, [0-9.]+ %, [0-9,]+ rows/s, [0-9]+ s left\n")
        stopped = next(line for line in said.splitlines() if "stopped" in line)
        self.assertIn(f"{self.rows_saved():,} of 144,000 rows are saved; to go on: ", stopped)
        command = shlex.split(stopped.split("to go on: ")[1])
        self.assertEqual((command[:2], command[-1]), (["saetap", "collect"], "--resume"))
        self.go_on(SAETAP, *command[1:])

    def test_a_token_that_the_model_does_not_have_costs_nothing_before_it(self) -> None:
        """The pass ends with a line; with the file put right it goes on."""
        tokens, wrong = self.folder / "tokens.npy", self.ids.clone()
        wrong[150, 3] = VOCABULARY
        words = (SAETAP, "collect", "--sae", self.sae, "--lm", self.lm, "--tokens", tokens, "--sequences", 10, "--batch", 70, "-o", "out")
        tokens.write_bytes(npy(wrong))
        done = self.run_program(*words)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn(f"it fails on rows 150 to 159 of {tokens}, whose largest token id is {VOCABULARY}: index out of range in self\n",
                      done.stderr)
        self.assertEqual(self.rows_saved(), 150 * T // 70 * 70)
        tokens.write_bytes(npy(self.ids))
        done = self.run_program(*words, "--resume")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("the file given as --tokens has changed since", done.stderr)
        whole = self.collect("--sae", self.sae, "--lm", self.lm, "--tokens", tokens, "--sequences", 10, "--batch", 70, out="whole")
        self.check_same(whole, Store(self.folder / "out"), broken_off=True)
        record_fault("resume", "`saetap collect` on tokens of which one is none of the model's, then put right and gone on with", 1, "nothing")

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
        self.config(checkpoint_seconds=1, sample_window_steps=9000)
        (self.folder / "out/collect.json").write_text('{"batch": 7}')
        refuse("collect.json is damaged", words)
        (self.folder / "out/collect.json").unlink()
        refuse("there is no collect.json", words)

    def test_rows_without_tokens_are_known_by_their_place_in_the_files(self) -> None:
        rows = self.folder / "rows.npy"
        rows.write_bytes(npy(torch.randn(90000, self.acts.shape[-1])))
        config = self.config(checkpoint_seconds=1, sample_window_steps=0)
        words = list(map(str, [SAETAP, "collect", "--sae", self.sae, "--activations", rows, "--config", config, "--batch", 3, "-o"]))
        status, said = self.break_off(signal.SIGKILL, words=[*words, str(self.folder / "out")])
        self.assertEqual(status, -signal.SIGKILL, said)
        for folder in ("out", "whole"):
            done = self.run_program(*words, self.folder / folder, *(["--resume"] if folder == "out" else []))
            self.assertEqual(done.returncode, 0, done.stderr)
        first, second = (self.numbered(self.folder / folder) for folder in ("out", "whole"))
        self.assertGreater(len(first), 30)
        self.assertEqual(first, second)

    @staticmethod
    def numbered(folder: pathlib.Path) -> list[tuple]:
        """Of every feature how often it was active, and the numbers of its strongest rows with their activations."""
        connection = sqlite3.connect(f"file:{folder / 'samples.saetap'}?mode=ro", uri=True)
        try:
            names = {name for (blob,) in connection.execute("SELECT sequence FROM sample") for name in memoryview(blob).cast("Q")}
            assert len(names) == 1, names
            kept = "SELECT feature, position, activation, active FROM sample JOIN feature USING (site, part, feature)"
            return sorted(connection.execute(kept))
        finally:
            connection.close()

    def test_where_nothing_is_yet_it_is_begun(self) -> None:
        words = ("--sae", self.sae, "--lm", self.lm, "--tokens", self.tokens)
        self.check_same(self.collect(*words), self.collect(*words, "--resume", out="new", said="it is begun"))

    def test_without_resume_a_new_store_is_begun(self) -> None:
        self.break_off(signal.SIGKILL)
        done = self.run_program(*self.words())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.rows_saved(), self.TEXTS * T)
        self.assertEqual(len(list((self.folder / "out").glob("*.saetap"))), 2)


if __name__ == "__main__":
    run_tests()
