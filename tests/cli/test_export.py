"""`saetap export` and `saetap import`: what comes out is what the store holds, and what went in.

    python3 test_export.py SAETAP MAKE_STORE PRELOAD_LIBRARY

A store that went out as JSON and came in again gives the same file to the byte; CSV and JSON lines are read back with
Python's own readers and held against the JSON.
"""

import csv
import io
import json
import random
import re
import resource
import shutil
import sqlite3
import stat
import struct
import subprocess
import tempfile
from pathlib import Path

from program_test import SAETAP, StoreTest, clean_environment, run_tests, saetap

TOKENIZER = {"version": "1.0", "model": {"type": "WordPiece", "vocab": {
    "=1+1": 1, "-dash": 2, "+plus": 3, "@at": 4, "'quote": 5, 'a"b,c': 6, "the": 7, "land": 8, "of": 9, ".": 10,
    "<b>": 11, "east": 12}}, "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": False}}


class Exports(StoreTest):
    def setUp(self) -> None:
        self.work = Path(tempfile.mkdtemp(prefix="saetap-export-"))
        self.addCleanup(shutil.rmtree, self.work)

    def exported(self, store: Path, *arguments: object) -> str:
        done = saetap("export", store, *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def imported(self, text: str, name: str = "imported.saetap", *arguments: object) -> Path:
        file, store = self.work / "in.json", self.work / name
        file.write_text(text, encoding="utf-8")
        done = saetap("import", file, "-o", store, "--force", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return store


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


class Imported(Exports):
    def setUp(self) -> None:
        super().setUp()
        self.store = self.imported(self.exported(self.usual))

    def test_commands_read_it(self) -> None:
        shown, original = (json.loads(saetap("show", store, 0, "--json").stdout) for store in (self.store, self.usual))
        for key in ("site", "feature", "density", "max", "mean", "std", "active_tokens", "samples", "scope"):
            self.assertEqual(shown[key], original[key], key)
        # Of the strongest samples now, in a text of which only what is around samples is known.
        self.assertEqual(shown["activating_tokens"]["among"], "strongest")
        self.assertFalse(shown["activating_tokens"]["text_whole"])
        self.assertEqual(sum(one["count"] for one in shown["activating_tokens"]["tokens"]), len(shown["samples"]))
        self.assertEqual((shown["decoder_nearest"], shown["random_samples"]), ([], []))
        said = saetap("features", self.store)
        self.assertIn("6 of 8 features are in the store; listed: 6", said.stdout)
        self.assertNotIn("dead", said.stdout)
        self.assertIn("it has the features and samples that are listed there, and nothing of others", said.stderr)
        self.assertIn("«nod»ding", said.stdout)

    def test_info_says_what_is_not_there(self) -> None:
        text = self.ok("info", self.store)
        for expected in ("imported    from a samples.json of the run's recent steps, which lists at most 100 features of a "
                         "site and 10 samples of each; not in it: other features, histograms, random samples, decoder",
                         "steps 10 to 29 of 0 to 29: 66.7 % of the tokens collected\n", "6 of 8 are in the store",
                         "decoder     not saved", "samples     9, the activations around them known for 100 %"):
            self.assertIn(expected, text)
        for other in ("alive", "finished", "traced", "calls"):
            self.assertNotIn(other, text)
        facts = self.ok_json("info", self.store)
        self.assertEqual(facts["imported"], {"scope": "recent", "top_features": 100, "samples_per_feature": 10})
        (site,) = facts["sites"]
        self.assertEqual((site["alive"], site["dead"], site["mean_active"]), (6, None, None))
        self.assertIsNone(self.ok_json("info", self.usual)["imported"])

    def test_what_it_does_not_hold_is_not_read(self) -> None:
        self.fails(1, "of the others, that --all-time would read, nothing is there", "info", self.store, "--all-time")
        self.fails(1, "nothing is there", "features", self.store, "--all-time")
        whole = self.imported(self.exported(self.usual, "--all-time"), "whole.saetap")
        self.assertEqual(self.ok("info", whole), self.ok("info", whole, "--all-time"))
        self.fails(2, "was made of a samples.json", "merge", self.work / "all", self.store, self.usual)
        self.fails(2, "was made of a samples.json", "merge", self.work / "all", self.usual, self.store)

    def test_a_report_says_nothing_of_what_the_file_does_not(self) -> None:
        done = saetap("report", self.store, "-o", "-")
        self.assertEqual(done.returncode, 0)
        for expected in ("from a samples.json of the run's recent steps", "6 of 8 are in the store; of the others nothing is known",
                         "Not judged: an imported store lists only the features of its file.",
                         "Found: 1 of 6 features judged", "active on 20 of 160 tokens"):
            self.assertIn(expected, done.stdout)
        for invented in (" dead", "L0", "0 seen", "d\\_in", "steps    |", "traced", "finish", "LibTorch", "windows  |",
                         "at random |", "of its values below", "silent in steps", "active on 0 of", "of 8 features judged"):
            self.assertNotIn(invented, done.stdout)
        report = json.loads(saetap("report", self.store, "--json").stdout)
        for unknown in ("dead", "mean_active", "nonfinite", "negative"):
            self.assertIsNone(report["summary"][unknown])
        rules = {one["kind"]: one for one in report["suspicious"]}
        for kind in ("never_active", "nonfinite", "negative", "died", "came_back", "one_token", "position_locked",
                     "duplicate_direction"):
            self.assertEqual((rules[kind]["judged"], rules[kind]["features"]), (0, []), kind)
            self.assertTrue(rules[kind]["not_judged"].startswith("an imported store lists only the features"), kind)
        self.assertEqual((rules["dense"]["judged"], [one["feature"] for one in rules["dense"]["features"]]), (6, [0]))
        self.assertNotRegex(saetap("compare", self.store, 0, 1).stdout, r"half below +0")

    def test_pictures_say_nothing_of_what_the_file_does_not(self) -> None:
        for features in ((), (0,)):
            done = saetap("plot", self.store, "distribution", *features, "-o", self.work / "d.svg")
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn("an imported store has none", done.stderr)
        for kind in ("density", "max-density"):
            picture = self.work / f"{kind}.svg"
            self.assertEqual(saetap("plot", self.store, kind, "-o", picture).returncode, 0)
            self.assertIsNone(re.search("dead|never active|L0", picture.read_text(encoding="utf-8")))
        points = json.loads(saetap("plot", self.store, "density", "--json").stdout)["points"]
        self.assertGreater(min(one["from"] for one in points), 0)

    def test_a_feature_that_the_file_does_not_list_is_not_there(self) -> None:
        for command in (("show", self.store, 6), ("compare", self.store, 0, 6), ("similar", self.store, 6),
                        ("report", self.store, "--features", "0,6", "-o", "-"), ("plot", self.store, "samples", 6),
                        ("export", self.store, "--features", 6)):
            done = saetap(*command)
            self.assertEqual((done.returncode, done.stdout), (1, ""), command)
            self.assertIn("saetap: feature 6 is not in this imported store: ", done.stderr)
        self.assertIn("never active here: no samples", self.ok("show", self.usual, 6))
        self.assertNotIn(6, [one["feature"] for one in json.loads(saetap("features", self.store, "--json").stdout)["features"]])

    def test_nothing_is_overwritten_unasked(self) -> None:
        file = self.work / "in.json"
        self.fails(2, f"{self.store} exists; --force replaces it", "import", file, "-o", self.store)
        self.fails(2, "there is no folder", "import", file, "-o", self.work / "no/store.saetap")
        (self.work / "folder").mkdir()
        self.assertIn("1 site, 6 features, 9 samples", self.ok("import", file, "-o", self.work / "folder"))
        self.assertTrue((self.work / "folder/samples.saetap").exists())
        self.assertEqual(stat.S_IMODE((self.work / "folder/samples.saetap").stat().st_mode), 0o600)
        made = self.ok_json("import", file, "-o", self.store, "--force")
        self.assertEqual((made["sites"], made["features"], made["samples"]), (1, 6, 9))

    def test_a_tokenizer_that_is_gone_leaves_the_texts_of_the_file(self) -> None:
        data = json.loads(self.exported(self.usual))
        data["tokenizer"] = "/nowhere/tokenizer.json"
        (self.work / "in.json").write_text(json.dumps(data), encoding="utf-8")
        done = saetap("import", self.work / "in.json", "-o", self.work / "gone.saetap")
        self.assertEqual((done.returncode, done.stderr.count("\n")), (0, 1))
        self.assertIn("/nowhere/tokenizer.json", done.stderr)
        self.assertIn("«nod»", saetap("show", self.work / "gone.saetap", 0).stdout)
        named = self.imported(json.dumps(data), "named.saetap", "--tokenizer", self.usual / "tokenizer.json")
        self.assertIn("«nod»ding", saetap("show", named, 0).stdout)

    def test_memory_does_not_grow_with_the_file(self) -> None:
        text = self.exported(self.usual)
        data = json.loads(text)
        features = 18_000
        data["sites"][0]["features"] = features
        data["config"]["top_features_to_save"] = features
        (feature,) = [one for one in data["sites"][0]["top_features"] if one["feature"] == 0]
        data["sites"][0]["top_features"] = []
        head = json.dumps(data)
        body = json.dumps(feature | {"samples": feature["samples"] * 1})
        file = self.work / "large.json"
        with file.open("w", encoding="utf-8") as out:
            out.write(head[:-len("]}]}")])
            for number in range(features):
                out.write((", " if number else "") + body.replace('"feature": 0', f'"feature": {number}'))
            out.write("]}]}")
        bound = 170 << 20  # parsed as one, the file takes several times as much
        self.assertGreater(file.stat().st_size, 18 << 20)

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_AS, (bound, bound))

        for command in (["import", file, "-o", self.work / "large.saetap"],
                        ["export", self.work / "large.saetap", "--all", "-o", self.work / "again.json"]):
            done = subprocess.run([SAETAP, *map(str, command)], capture_output=True, text=True, check=False,
                                  preexec_fn=None if "asan" in SAETAP else limit, env=clean_environment())
            self.assertEqual(done.returncode, 0, done.stderr)
        again = json.loads((self.work / "again.json").read_text(encoding="utf-8"))
        self.assertEqual(len(again["sites"][0]["top_features"]), features)


class Refused(Exports):
    def refused(self, reason: str, change) -> None:
        data = json.loads(self.exported(self.usual))
        changed = change(data)
        file = self.work / "in.json"
        file.write_text(json.dumps(data) if changed is None else changed, encoding="utf-8")
        self.fails(2, reason, "import", file, "-o", self.work / "out.saetap")
        self.assertEqual([path.name for path in self.work.iterdir()], ["in.json"])

    def test_what_is_no_samples_json_is_refused_in_a_line(self) -> None:
        self.fails(2, "cannot be read (No such file", "import", self.work / "none.json", "-o", self.work / "out.saetap")
        self.fails(2, "cannot be read (not a file)", "import", self.work, "-o", self.work / "out.saetap")
        self.refused("not valid JSON", lambda data: "saetap")
        self.refused("not valid JSON", lambda data: json.dumps(data)[:-100])
        self.refused("not a samples.json of saetap", lambda data: "[1, 2]")
        self.refused('its "format" is not "saetap samples"', lambda data: data.update(format="other"))
        self.refused("a format version other than 1", lambda data: data.update(format_version=2))
        self.refused("a scope is neither", lambda data: data.update(scope="all"))
        self.refused("not a samples.json of saetap (key 'sites' not found)", lambda data: data.pop("sites") and None)

    def test_what_contradicts_itself_is_refused(self) -> None:
        def site(data: dict) -> dict:
            return data["sites"][0]

        def feature(data: dict) -> dict:
            return max(site(data)["top_features"], key=lambda one: len(one["samples"]))

        def sample(data: dict) -> dict:
            return feature(data)["samples"][0]

        self.refused("a feature the site does not have", lambda data: feature(data).update(feature=8))
        self.refused("a feature twice", lambda data: site(data)["top_features"].append(feature(data)))
        self.refused("strongest first", lambda data: feature(data)["samples"].reverse())
        self.refused("a place twice", lambda data: feature(data)["samples"].insert(0, sample(data)))
        self.refused("more samples than", lambda data: data["config"].update(max_samples_per_feature=1))
        self.refused("longer than sample_context_size", lambda data: data["config"].update(sample_context_size=1))
        self.refused("impossible keys", lambda data: data["config"].update(sample_context_size=1_000_000))
        self.refused("outside its context", lambda data: sample(data).update(activating_index=99))
        self.refused("a token_id is not the one", lambda data: sample(data).update(token_id=9))
        self.refused("a token id is below 0",
                     lambda data: sample(data)["context_token_ids"].__setitem__(0, -1))
        self.refused("begins before its sequence", lambda data: feature(data)["samples"][1].update(position=0))
        self.refused("disagree about the text",
                     lambda data: feature(data)["samples"][1].update(sequence=sample(data)["sequence"]))
        self.refused("whose tokens are not known", lambda data: sample(data).update(sequence="5"))
        self.refused("a number is too large", lambda data: sample(data).update(activation=1e300))
        self.refused("impossible number of features", lambda data: site(data).update(features=1 << 40))
        self.refused("more tokens counted than collected", lambda data: site(data).update(tokens_collected=1))
        self.refused("a mean or std is too large",
                     lambda data: feature(data)["statistics"].update(mean=1e300))

    def test_a_file_with_any_byte_changed_is_taken_or_refused_in_a_line(self) -> None:
        whole = self.exported(self.usual).encode()
        file, store, chosen = self.work / "in.json", self.work / "out.saetap", random.Random(11)
        taken = 0
        for _ in range(200):
            changed = bytearray(whole)
            changed[chosen.randrange(len(changed))] = chosen.choice(b'"{}[]:,0-9eE.x')
            file.write_bytes(changed)
            done = saetap("import", file, "-o", store, "--force")
            self.assertIn(done.returncode, (0, 2), done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1 if done.returncode else done.stderr.count("\n"), done.stderr)
            if done.returncode == 0:
                taken += 1
                self.assertEqual(saetap("export", store, "--all").returncode, 0)
        self.assertTrue(0 < taken < 200, taken)

    def test_a_hostile_name_stays_a_name(self) -> None:
        data = json.loads(self.exported(self.usual))
        data["sites"][0]["name"] = "=cmd\u001b[31m\n'); DROP TABLE site; --"
        store = self.imported(json.dumps(data))
        self.assertNotIn("\x1b", self.ok("info", store))
        rows = list(csv.reader(io.StringIO(self.exported(store, "--format", "csv"), newline="")))
        self.assertTrue(all(row[0].startswith("'=cmd\\x1B[31m") for row in rows[1:]))
        with sqlite3.connect(store) as database:
            self.assertEqual(database.execute("SELECT count(*) FROM site").fetchone(), (1,))


if __name__ == "__main__":
    run_tests()
