"""`saetap export`: what comes out is what the store holds, and what comes in again gives the same file to the byte.

    python3 test_export.py SAETAP MAKE_STORE PRELOAD_LIBRARY

CSV and JSON lines are read back with Python's own readers and held against the JSON.
"""

import csv
import io
import json
import random
import stat
import struct
import subprocess
from pathlib import Path

from export_test import Exports
from program_test import SAETAP, clean_environment, run_tests, saetap

TOKENIZER = {"version": "1.0", "model": {"type": "WordPiece", "vocab": {
    "=1+1": 1, "-dash": 2, "+plus": 3, "@at": 4, "'quote": 5, 'a"b,c': 6, "the": 7, "land": 8, "of": 9, ".": 10,
    "<b>": 11, "east": 12}}, "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": False}}



class Json(Exports):
    def test_it_is_what_the_store_holds(self) -> None:
        data = json.loads(self.exported(self.usual))
        self.assertEqual((data["format"], data["format_version"], data["scope"]), ("saetap samples", 1, "recent"))
        (site,) = data["sites"]
        self.assertEqual((site["features"], site["tokens_counted"], site["tokens_collected"]), (8, 160, 240))
        listed = {feature["feature"]: feature for feature in self.ok_json("features", self.usual)["features"]}
        self.assertEqual([feature["feature"] for feature in site["top_features"]], list(listed))
        for feature in site["top_features"]:
            said = listed[feature["feature"]]
            figures = feature["statistics"]
            self.assertEqual(figures["active_count"], said["active_tokens"])
            self.assertEqual([figures[key] for key in ("density", "mean", "std")],
                             [said[key] for key in ("density", "mean", "std")])
            shown = self.ok_json("show", self.usual, feature["feature"])["samples"]
            self.assertEqual(len(feature["samples"]), len(shown))
            for sample, other in zip(feature["samples"], shown):
                self.assertEqual(int(sample["sequence"]), int(other["sequence"], 16))
                self.assertEqual((sample["position"], sample["step"]), (other["position"], other["step"]))
                self.assertEqual((sample["context_token_ids"], sample["activating_index"]),
                                 (other["ids"], other["activating"]))
                self.assertEqual(len(sample["context_activations"]), len(other["activations"]))

    def test_which_features_and_samples(self) -> None:
        def numbers(*arguments: object) -> list[int]:
            (site,) = json.loads(self.exported(self.usual, *arguments))["sites"]
            return [feature["feature"] for feature in site["top_features"]]

        self.assertEqual(numbers("--top", 2), [4, 3])
        self.assertEqual(numbers("--sort", "count"), [0, 1, 2, 3, 4, 5])
        self.assertEqual(numbers("--features", "7,2"), [7, 2])
        self.assertEqual(numbers("--features", 3, 2, 3, 3), [3, 2])  # `saetap import` takes each once
        self.assertEqual(numbers("--all"), [4, 3, 2, 1, 0, 5])
        (site,) = json.loads(self.exported(self.usual, "--samples", 1))["sites"]
        self.assertEqual({len(feature["samples"]) for feature in site["top_features"]}, {1, 0})
        two = json.loads(self.exported(self.folder / "two_sites"))["sites"]
        self.assertEqual([site["name"] for site in two], ["Sae.forward.8#0", "Sae.forward.8#1"])
        (one,) = json.loads(self.exported(self.folder / "two_sites", "--site", 1))["sites"]
        self.assertEqual(one["name"], "Sae.forward.8#1")
        self.fails(1, "there is no feature 8", "export", self.usual, "--features", 8)
        self.fails(2, "--all is every feature", "export", self.usual, "--all", "--top", 3)
        self.fails(2, "--json says what was written to a file: it needs --output", "export", self.usual, "--json")

    def test_a_store_without_a_site_has_none(self) -> None:
        self.assertEqual(json.loads(self.exported(self.folder / "no_site"))["sites"], [])

    def test_it_is_written_whole_to_its_owners_file(self) -> None:
        file = self.work / "out.json"
        said = self.ok("export", self.usual, "-o", file)
        self.assertIn(f"{file}: 6 features, 9 samples\n", said)
        self.assertIn("steps 10 to 29 of 0 to 29", said)
        self.assertEqual(file.read_text(encoding="utf-8"), self.exported(self.usual))
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        written = self.ok_json("export", self.usual, "-o", file, "--format", "csv")
        self.assertEqual((written["format"], written["features"], written["samples"]), ("csv", 6, 9))
        self.fails(2, "cannot be written", "export", self.usual, "-o", self.work / "no/out.json")


class Lines(Exports):
    def test_a_feature_a_line(self) -> None:
        store = self.folder / "two_sites"
        lines = [json.loads(line) for line in self.exported(store, "--format", "jsonl", "--all").splitlines()]
        sites = json.loads(self.exported(store, "--all"))["sites"]
        expected = [{"site": site["name"], "scope": "recent", "first_step": site["first_step"],
                     "last_step": site["last_step"], "tokens_counted": site["tokens_counted"]} | feature
                    for site in sites for feature in site["top_features"]]
        self.assertEqual(lines, expected)


class Csv(Exports):
    def rows(self, store: Path, *arguments: object) -> list[dict[str, str]]:
        text = subprocess.run([SAETAP, "export", store, "--format", "csv", *map(str, arguments)], check=True,
                              capture_output=True, env=clean_environment()).stdout.decode()
        self.assertTrue(text.endswith("\r\n"))
        self.assertEqual(text.count("\n"), text.count("\r\n"))
        return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))

    def test_a_sample_a_line(self) -> None:
        rows = self.rows(self.usual, "--all")
        (site,) = json.loads(self.exported(self.usual, "--all"))["sites"]
        samples = [(feature, sample, rank) for feature in site["top_features"]
                   for rank, sample in enumerate(feature["samples"], 1)]
        self.assertEqual(len(rows), len(samples))
        for row, (feature, sample, rank) in zip(rows, samples):
            self.assertEqual((row["site"], int(row["feature"]), int(row["rank"])),
                             ("Sae.forward.8#0", feature["feature"], rank))
            self.assertEqual((int(row["active_tokens"]), int(row["tokens_counted"])),
                             (feature["statistics"]["active_count"], 160))
            self.assertAlmostEqual(float(row["activation"]), sample["activation"], places=6)
            self.assertEqual((int(row["sequence"], 16), int(row["position"]), int(row["step"]), int(row["token_id"])),
                             (int(sample["sequence"]), sample["position"], sample["step"], sample["token_id"]))
        (first, *_) = [row for row in rows if row["feature"] == "0"]
        self.assertEqual((first["before"], first["token"], first["after"][:5]), ("", "nod", "ding "))

    def test_what_a_spreadsheet_would_take_for_a_formula_is_text(self) -> None:
        tokenizer = self.work / "tokenizer.json"
        tokenizer.write_text(json.dumps(TOKENIZER), encoding="utf-8")
        cells = {row["token"] for row in self.rows(self.usual, "--all", "--tokenizer", tokenizer)}
        self.assertEqual(cells, {"'=1+1", "'-dash", "'+plus", "'@at", "''quote"})
        (row,) = self.rows(self.usual, "--features", 4, "--tokenizer", tokenizer, "--samples", 1)
        self.assertIn('a"b,c', row["after"])

    def test_rows_without_tokens(self) -> None:
        for row in self.rows(self.folder / "no_tokens", "--samples", 1):
            self.assertEqual([row[key] for key in ("token_id", "before", "token", "after")], [""] * 4)
            self.assertTrue(row["activation"])


class RoundTrip(Exports):
    def test_out_and_in_and_out_again_is_the_same_to_the_byte(self) -> None:
        for kind in ("usual", "two_sites", "no_tokens", "no_site"):
            for options in ((), ("--all",), ("--all-time",), ("--all-time", "--all", "--sort", "count")):
                with self.subTest(kind=kind, options=options):
                    text = self.exported(self.folder / kind, *options)
                    sort = options[-2:] if "--sort" in options else ()
                    self.assertEqual(self.exported(self.imported(text), *sort), text)

    def test_texts_that_a_program_gave_come_back(self) -> None:
        store = self.folder / "own_text"
        first = self.exported(store)
        before, after = (json.loads(text)["sites"][0]["top_features"] for text in
                         (first, self.exported(self.imported(first))))
        texts = [[sample["text"] for feature in features for sample in feature["samples"]] for features in (before, after)]
        self.assertEqual(texts[0], texts[1])
        self.assertIn("1_", texts[0])

    def test_contexts_longer_than_a_segment_and_cut_at_the_ends(self) -> None:
        data = json.loads(self.exported(self.usual))
        data["config"].update(sample_context_size=3, max_samples_per_feature=10)
        # One sequence of 200 tokens, of which samples saw parts; token n at position n.
        samples = []
        for rank, position in enumerate((1, 63, 65, 100, 150, 199)):
            first, last = max(0, position - 3), min(199, position + 3)
            ids = list(range(first, last + 1))
            samples.append({"activation": 9.0 - rank, "token_id": position, "text": None, "context_token_ids": ids,
                            "context_text": None, "activating_index": position - first,
                            "context_activations": [0.25 * (id == position - 1) if id != position else 9.0 - rank
                                                    for id in ids],
                            "sequence": str((1 << 63) + 5), "position": position, "step": 200 + rank})
        data["tokenizer"] = ""
        data["sites"][0]["top_features"] = [{"feature": 3, "statistics": {
            "active_count": 12, "density": 12 / 160, "max": 9.0, "mean": 6.0, "std": 0.5}, "samples": samples}]
        store = self.imported(json.dumps(data))
        back = json.loads(self.exported(store))
        self.assertEqual(back, data)
        # Wider than what was kept: as far as it is known, and no farther.
        wide = self.ok_json_said("show", store, 3, "--context", 50)["samples"]
        self.assertEqual([(sample["ids"][0], sample["ids"][-1]) for sample in wide],
                         [(0, 4), (60, 68), (60, 68), (97, 103), (147, 153), (196, 199)])
        self.assertEqual([sample["from_start"] for sample in wide], [True] + [False] * 5)
        self.assertEqual([sample["to_end"] for sample in wide], [False] * 5 + [True])

    def ok_json_said(self, *arguments: object) -> dict:
        done = saetap(*arguments, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_statistics_keep_their_last_bit(self) -> None:
        figures, source = [], random.Random(5)
        data = json.loads(self.exported(self.usual))
        for feature in range(8):
            values = [source.lognormvariate(0, feature) for _ in range(source.randrange(1, 160))]
            total, squares = sum(values), sum(value * value for value in values)
            mean = total / len(values)
            figures.append({"feature": feature, "samples": [], "statistics": {
                "active_count": len(values), "density": len(values) / 160, "max": struct.unpack("f", struct.pack("f", max(values)))[0], "mean": mean,
                "std": max(0.0, squares / len(values) - mean * mean) ** 0.5}})
        figures.sort(key=lambda feature: (-feature["statistics"]["max"], feature["feature"]))
        data["sites"][0]["top_features"] = figures
        self.assertEqual(json.loads(self.exported(self.imported(json.dumps(data)))), data)


if __name__ == "__main__":
    run_tests()
