"""`saetap agree` from outside.

    python3 test_agree.py SAETAP MAKE_STORE PRELOAD_LIBRARY

The stores are written here with SQLite alone, as docs/file_format.md has it, and the figures worked out from what was
written.
"""

import json
import random
import shutil
import sqlite3
import struct
import tempfile
from pathlib import Path

from program_test import StoreTest, run_tests, saetap

FEATURES = 12
KEPT = 30
TOKENS_KNOWN = 1 << 63
Sample = tuple[float, int, int, int]  # activation, sequence, position, step
Kept = dict[int, tuple[list[Sample], list[Sample]]]  # of each feature: the strongest, and some at random


def signed(sequence: int) -> int:
    return sequence - (1 << 64) if sequence >> 63 else sequence


def columns(samples: list[Sample], *more: bytes) -> list[bytes]:
    """As a row has them: activation, sequence, position, step; no context is known."""
    count = len(samples)
    blobs = [
        struct.pack(f"<{count}f", *(sample[0] for sample in samples)),
        struct.pack(f"<{count}q", *(signed(sample[1]) for sample in samples)),
        struct.pack(f"<{count}I", *(sample[2] for sample in samples)),
        struct.pack(f"<{count}I", *(sample[3] for sample in samples)),
        struct.pack(f"<{count}i", *([-1] * count)),
    ]
    return [*blobs, b"", b"", *more]


def rows_active(kept: tuple[list[Sample], list[Sample]], feature: int) -> int:
    return len({sample[1:3] for sample in kept[0] + kept[1]}) + feature


def statistics(kept: tuple[list[Sample], list[Sample]], feature: int) -> tuple:
    return (rows_active(kept, feature), 1.0, 1.0, max(abs(sample[0]) for sample in kept[0] + kept[1]), 0, 0)


class Written:
    """A store with these windows: (name of the part, or None for history; first step; last step; what was kept)."""

    def __init__(self, like: Path, folder: Path, windows: list[tuple[str | None, int, int, Kept]]) -> None:
        shutil.copytree(like, folder)
        self.path = folder
        self.windows = windows
        with self.open() as store:
            for table in ("part", "feature", "sample", "random_sample", "past_window", "history", "sequence"):
                store.execute(f"DELETE FROM {table}")
            store.execute("UPDATE site SET features = ?", (FEATURES,))
            store.execute("DELETE FROM decoder")
            store.execute("UPDATE meta SET value = ? WHERE key LIKE '%samples_per_feature'", (KEPT,))
            store.execute("UPDATE meta SET value = 64 WHERE key LIKE '%random_samples_per_feature'")
            for number, (part, first, last, kept) in enumerate(windows):
                self.write(store, number, part, first, last, kept)
        store.close()

    def open(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path / "samples.saetap")

    def write(self, store: sqlite3.Connection, number: int, part: str | None, first: int, last: int, kept: Kept) -> None:
        tokens = (last - first + 1) * 10
        marks = ", ".join("?" * 17)
        if part is None:
            store.execute("INSERT INTO past_window VALUES(0, ?, ?, ?, ?)", (number, first, last + 1, tokens))
        else:
            store.execute("INSERT INTO part VALUES(0, ?, ?, ?, ?, ?, ?, ?)",
                          (part, number, first, last + 1, first, last, tokens))
        for feature, both in kept.items():
            figures = statistics(both, feature)
            if part is None:
                store.execute(f"INSERT INTO history VALUES({marks})",
                              (0, number, feature, *figures, *columns(both[0][:10], b"")))
                continue
            store.execute("INSERT INTO feature VALUES(0, ?, ?, ?, ?, ?, ?, ?, ?, 0, x'')", (part, feature, *figures))
            store.execute("INSERT INTO sample VALUES(0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                          (part, feature, *columns(both[0], b"")))
            store.execute("INSERT INTO random_sample VALUES(0, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                          (part, feature, *columns(both[1])))


def some_samples(chosen: random.Random, feature: int, places: list[tuple[int, int]], step: int, shift: float) -> list[Sample]:
    """A value for each place that goes by the place, and by `shift` something else. Floats hold them exactly."""
    samples = []
    for sequence, position in places:
        value = (sequence * (37 + feature) + position * 101) % 997 / 8 + 1 + round(shift * chosen.random() * 8000) / 64
        samples.append((value, sequence, position, step))
    return samples


def strongest(samples: list[Sample], most: int) -> list[Sample]:
    best: dict[tuple[int, int], Sample] = {}
    for sample in samples:
        if sample[1:3] not in best or abs(sample[0]) > abs(best[sample[1:3]][0]):
            best[sample[1:3]] = sample
    return sorted(best.values(), key=lambda sample: (-abs(sample[0]), sample[1], sample[2]))[:most]


def latest(samples: list[Sample]) -> list[Sample]:
    return list({sample[1:3]: sample for sample in sorted(samples, key=lambda sample: sample[3])}.values())


def ranks(values: list[float]) -> list[float]:
    return [sum(other < value for other in values) + sum(other == value for other in values) / 2 for value in values]


def spearman(a: list[float], b: list[float]) -> float | None:
    x, y = ranks(a), ranks(b)
    middle = sum(x) / len(x)
    spread = sum((one - middle) ** 2 for one in x) * sum((one - middle) ** 2 for one in y)
    return sum((one - middle) * (other - middle) for one, other in zip(x, y)) / spread**0.5 if spread else None


def median(values: list[float]) -> float:
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


class Figures:
    """Of one part of the training beside the final pass."""

    def __init__(self, training: Kept, final: Kept, history: bool) -> None:
        self.overlap: dict[int, float] = {}
        self.found: dict[int, float] = {}
        self.ranks: dict[int, float] = {}
        for feature in range(FEATURES):
            own, own_random = training.get(feature, ([], []))
            last, last_random = final.get(feature, ([], []))
            top = last[:10]
            if len(top) >= 5:
                there = {sample[1:3] for sample in own[: len(top)]}
                self.overlap[feature] = sum(sample[1:3] in there for sample in top) / len(top)
            if len(own) >= 5:
                there = {sample[1:3] for sample in last}
                self.found[feature] = sum(sample[1:3] in there for sample in own[:10]) / min(10, len(own))
            values = {sample[1:3]: sample[0] for sample in last_random}
            common = [(sample[0], values[sample[1:3]]) for sample in own_random if sample[1:3] in values]
            if len(common) >= 10 and not history:
                self.ranks[feature] = spearman(*map(list, zip(*common)))


class Agree(StoreTest):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        chosen = random.Random(7)
        text = [(TOKENS_KNOWN + sequence, position) for sequence in range(1, 40) for position in range(12)]

        def window(step: int, shift: float, share: float, at_random: int = 30) -> Kept:
            kept: Kept = {}
            for feature in range(FEATURES - 1):  # the last one is dead in training
                places = chosen.sample(text, int(len(text) * share))
                samples = some_samples(chosen, feature, places, step, shift)
                if feature == 1:
                    samples = samples[:3]  # a rare one
                kept[feature] = (strongest(samples, KEPT), sorted(samples, key=lambda sample: sample[1:3])[:at_random])
            return kept

        cls.windows = [(None, 0, 9, window(9, 1, 0.3)), ("past", 0, 9, window(9, 1, 0.3)),
                       ("closed", 10, 19, window(19, 0.3, 0.3)), ("open", 20, 29, window(29, 0.05, 0.4))]
        cls.training = Written(cls.usual, cls.folder / "training", cls.windows)
        final = window(29, 0, 1, 64)
        del final[2]  # dead in the end
        final[FEATURES - 1] = final[3]
        cls.final = Written(cls.usual, cls.folder / "final", [("open", 0, 38, final)])
        cls.final_kept = final

    def edited(self, of: Path, sql: str) -> Path:
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        shutil.copy(of / "samples.saetap", folder)
        with sqlite3.connect(folder / "samples.saetap") as store:
            store.executescript(sql)
        store.close()
        return folder

    def expected(self) -> dict[str, Figures]:
        parts = {part or "history": kept for part, _, _, kept in self.windows}
        # In history there are ten of the strongest.
        parts["history"] = {feature: (both[0][:10], []) for feature, both in parts["history"].items()}

        def together(*names: str) -> Kept:
            all_of = {}
            for feature in range(FEATURES - 1):
                lists = [parts[name][feature] for name in names]
                all_of[feature] = (strongest(sum((one[0] for one in lists), []), KEPT),
                                   latest(sum((one[1] for one in lists), [])))
            return all_of

        # No more than 64 at random come together: which ones stay of more goes by their hashes.
        parts["recent"] = together("closed", "open")
        figures = {name: Figures(kept, self.final_kept, name == "history") for name, kept in parts.items()}
        figures["all_time"] = Figures(together("past", "closed", "open"), self.final_kept, True)
        return figures

    def test_figures(self) -> None:
        said = self.ok_json("agree", self.training.path, self.final.path)
        (site,) = said["sites"]
        self.assertEqual((site["site"], site["features"], site["final_tokens"]), ("Sae.forward.8#0", FEATURES, 390))
        self.assertEqual((site["common_sequences"], site["final_sequences"]), (39, 39))
        self.assertEqual([(part["kind"], part.get("window"), part["first_step"], part["last_step"], part["tokens"])
                          for part in site["parts"]],
                         [("history", 0, 0, 9, 100), ("closed", 2, 10, 19, 100), ("open", 3, 20, 29, 100),
                          ("past", None, 0, 9, 100), ("recent", None, 10, 29, 200), ("all_time", None, 0, 29, 300)])
        expected = self.expected()
        for part in site["parts"]:
            figures = expected[part["kind"]]
            with self.subTest(part["kind"]):
                self.assertEqual(part["features"], FEATURES)
                self.assertAlmostEqual(part["share_of_final"], part["tokens"] / 390)
                compared = [("top_overlap", figures.overlap), ("found", figures.found), ("rank_correlation", figures.ranks)]
                for key, of_features in compared if part["kind"] != "all_time" else compared[:2]:
                    values = list(of_features.values())
                    self.assertEqual(part[key]["features"], len(values), key)
                    self.assertEqual(part[key]["too_few"], FEATURES - len(values), key)
                    if not values:
                        self.assertEqual((part[key]["median"], part[key]["mean"]), (None, None))
                        continue
                    self.assertAlmostEqual(part[key]["median"], median(values), msg=key)
                    self.assertAlmostEqual(part[key]["mean"], sum(values) / len(values), msg=key)
        # What the test rests on: figures that differ, features with too little.
        by_kind = {part["kind"]: part for part in site["parts"]}
        self.assertGreater(by_kind["open"]["rank_correlation"]["mean"], by_kind["past"]["rank_correlation"]["mean"])
        self.assertEqual(by_kind["open"]["top_overlap"]["too_few"], 2)  # the rare one, and the one that is dead in the end

    def test_how_often_features_are_active_is_correlated_over_them(self) -> None:
        (site,) = self.ok_json("agree", self.training.path, self.final.path)["sites"]
        for part in site["parts"][:3]:
            kept = next(kept for name, first, _, kept in self.windows
                        if (name or "history") == part["kind"] and first == part["first_step"])

            def active(of: Kept) -> list[float]:
                return [rows_active(of[feature], feature) if feature in of else 0 for feature in range(FEATURES)]

            self.assertAlmostEqual(part["density_correlation"], spearman(active(kept), active(self.final_kept)))

    def test_a_run_agrees_with_itself(self) -> None:
        (site,) = self.ok_json("agree", self.final.path, self.final.path)["sites"]
        for key in ("top_overlap", "found", "rank_correlation"):
            self.assertAlmostEqual(site["parts"][-1][key]["mean"], 1)

    def test_text(self) -> None:
        (site,) = self.ok_json("agree", self.training.path, self.final.path)["sites"]
        lines = self.ok("agree", self.training.path, self.final.path).splitlines()
        self.assertEqual(lines[0], "Sae.forward.8#0")
        self.assertEqual(lines[1], "training   steps 0 to 29: the whole run, all 300 tokens collected")
        self.assertEqual(lines[2], "final      steps 0 to 38: the whole run, all 390 tokens collected")
        self.assertEqual(lines[3], "sequences  39 have samples in both, 0 in the training alone, 0 in the final pass alone")
        names = [line.split("  ")[0] for line in lines[6:12]]
        self.assertEqual(names, ["window 0", "window 2, closed", "window 3, open", "past", "recent", "all time"])
        for line, part in zip(lines[6:12], site["parts"]):
            cells = line.replace("–", " ").split()
            for key in ("top_overlap", "found", "rank_correlation"):
                if part[key]["features"]:
                    self.assertIn(f"{part[key]['median']:.2f}", cells)
                    self.assertIn(f"{part[key]['mean']:.2f}", cells)
        self.assertIn("–", lines[6])  # no random sample in history
        self.assertIn("among the 30 that the final pass keeps", lines[-3])

    def test_the_least_agreeing_features(self) -> None:
        (site,) = self.ok_json("agree", self.training.path, self.final.path, "--top", 4)["sites"]
        recent = self.expected()["recent"]
        order = sorted(range(FEATURES), key=lambda feature: (recent.found.get(feature, 9), recent.ranks.get(feature, 9)))
        self.assertEqual([one["feature"] for one in site["least_agreeing"]], order[:4])
        dead_in_the_end = next(one for one in site["least_agreeing"] if one["feature"] == 2)
        self.assertEqual((site["listed"], dead_in_the_end["found"], dead_in_the_end["rank_correlation"]), ("recent", 0, None))
        (site,) = self.ok_json("agree", self.training.path, self.final.path, "--top", 4, "--all-time")["sites"]
        self.assertEqual((site["listed"], len(site["least_agreeing"])), ("all_time", 4))
        said = self.ok("agree", self.training.path, self.final.path, "--top", 4)
        self.assertIn("the features that agree least, recent steps\nfeature  found  top 10  ranks", said)

    def test_sites_pair_by_name_and_else_it_is_said(self) -> None:
        other = self.edited(self.final.path, "UPDATE site SET name = 'collected'")
        done = saetap("agree", self.training.path, other, "--json")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stderr, "saetap: Sae.forward.8#0 is compared with collected, which is all there is; --site "
                                      "and --final-site choose others\n")
        self.assertEqual(json.loads(done.stdout)["sites"][0]["final_site"], "collected")
        two = self.edited(self.final.path, "INSERT INTO site SELECT 1, 'collected', module_type, method, description, features, "
                                      "d_in, d_out, steps, steps_collected, rows_seen, rows_collected, rows_excluded, "
                                      "rows_resolved, calls, rows_ambiguous, token_source, token_stream FROM site;"
                                      "UPDATE site SET name = 'other' WHERE id = 0")
        self.fails(1, "(--site and --final-site choose)", "agree", self.training.path, two)
        (site,) = self.ok_json("agree", self.training.path, two, "--site", 0, "--final-site", "other")["sites"]
        self.assertEqual(site["final_site"], "other")
        self.fails(1, "there is no site nothing", "agree", self.training.path, two, "--site", "nothing")

    def test_sites_without_a_counterpart_are_named(self) -> None:
        two = self.edited(self.training.path, "INSERT INTO site SELECT 1, 'another', module_type, method, description, 7, "
                                         "d_in, d_out, steps, steps_collected, rows_seen, rows_collected, rows_excluded, "
                                         "rows_resolved, calls, rows_ambiguous, token_source, token_stream FROM site")
        done = saetap("agree", two, self.final.path)
        self.assertEqual((done.returncode, done.stderr.count("\n")), (0, 1))
        self.assertIn("is the site another", done.stderr)

    def test_other_keys_are_said(self) -> None:
        other = self.edited(self.final.path, "UPDATE meta SET value = 'phases=eval' WHERE key = 'counted';"
                                        "UPDATE meta SET value = 2 WHERE key = 'max_samples_per_sequence';"
                                             "UPDATE sample SET alike = zeroblob(2 * length(activation))")
        done = saetap("agree", self.training.path, other)
        self.assertEqual((done.returncode, done.stderr.count("\n")), (0, 2))
        self.assertIn("what an activation is", done.stderr)
        self.assertIn("how many samples may be alike", done.stderr)

    def test_of_an_imported_store_only_what_its_file_lists_is_compared(self) -> None:
        file, imported = self.folder / "listed.json", self.folder / "listed.saetap"
        self.ok("export", self.training.path, "--all", "-o", file)
        self.ok("import", file, "-o", imported)
        done = saetap("agree", imported, self.final.path, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("differ", done.stderr)
        (site,) = json.loads(done.stdout)["sites"]
        self.assertEqual([part["kind"] for part in site["parts"]], ["recent"])
        self.assertIsNone(site["resolved"])
        (whole,) = self.ok_json("agree", self.training.path, self.final.path)["sites"]
        (recent,) = [part for part in whole["parts"] if part["kind"] == "recent"]
        # What the whole store has besides are features that were not active in its recent steps: of them nothing is found.
        part = site["parts"][0]
        self.assertEqual(part["tokens"], recent["tokens"])
        for figure in ("top_overlap", "found"):
            self.assertAlmostEqual(part[figure]["mean"] * part[figure]["features"], recent[figure]["mean"] * recent[figure]["features"])
        text = saetap("agree", imported, self.final.path).stdout
        self.assertNotIn("of the rows resolved", text)
        self.assertNotIn("all time", text)
        # Some features of a store are as like to the whole as the whole is to itself.
        self.ok("export", self.final.path, "--all-time", "--top", 4, "--samples", 1000, "-o", file)
        self.ok("import", file, "-o", imported, "--force")
        for pair in ((imported, self.final.path), (self.final.path, imported)):
            (site,) = json.loads(saetap("agree", *pair, "--json").stdout)["sites"]
            whole = site["parts"][-1]
            self.assertEqual((whole["kind"], whole["features"]), ("all_time", 4))
            self.assertEqual((whole["found"]["mean"], whole["top_overlap"]["mean"]), (1, 1))
        self.ok("export", self.training.path, "--all", "-o", file)
        self.ok("import", file, "-o", imported, "--force")
        self.fails_with_note(1, "all of FINAL is compared: export it with --all-time", "agree", self.final.path, imported)
        self.fails_with_note(1, "that --all-time would read, nothing is there", "agree", imported, self.final.path, "--all-time")

    def fails_with_note(self, status: int, reason: str, *arguments: object) -> None:
        done = saetap(*arguments)
        self.assertEqual((done.returncode, done.stdout), (status, ""))
        self.assertIn(reason, done.stderr)

    def test_a_window_whose_samples_were_given_up_is_not_compared_by_them(self) -> None:
        empty = self.edited(self.training.path, "UPDATE history SET activation = x'', sequence = x'', position = x'', "
                                           "step = x'', context_count = x''")
        (site,) = self.ok_json("agree", empty, self.final.path)["sites"]
        self.assertEqual((site["parts"][0]["kind"], site["parts"][0]["top_overlap"]["features"]), ("history", 0))
        self.assertIsNotNone(site["parts"][0]["density_correlation"])

    def test_what_cannot_be_compared_is_one_line(self) -> None:
        training, final = self.training.path, self.final.path
        self.fails(2, "FINAL is required (saetap agree --help)", "agree", training)
        self.fails(2, "no such file", "agree", training, self.folder / "nowhere")
        self.fails(2, "no such file", "agree", self.folder / "nowhere", final)
        self.fails(1, "holds no site", "agree", training, self.folder / "no_site")
        self.fails(2, "Sae.forward.8#0 has 12 features in", "agree", training, self.usual)
        self.fails(2, "no sample of Sae.forward.8#0 has a token that is known", "agree", self.usual, self.folder / "no_tokens")
        elsewhere = self.edited(self.usual, "UPDATE sample SET sequence = CAST(x'0102030405060780' AS BLOB);"
                                            "UPDATE sample SET activation = x'0000803F', position = x'00000000', "
                                            "step = x'00000000', context_count = x'FFFFFFFF', context_offset = x'', "
                                            "context_activation = x'';"
                                            "DELETE FROM random_sample")
        self.fails(2, "have no sequence in common at Sae.forward.8#0", "agree", self.usual, elsewhere)
        damaged = self.edited(self.training.path, "UPDATE history SET position = x'00'")
        self.fails(2, "the store is damaged (sample columns of different lengths)", "agree", damaged, final)


if __name__ == "__main__":
    run_tests()
