"""`saetap import`: what a store made of a samples.json says, and what is refused.

    python3 test_import.py SAETAP MAKE_STORE PRELOAD_LIBRARY
"""

import csv
import io
import json
import os
import random
import re
import resource
import sqlite3
import stat
import subprocess

from export_test import Exports
from program_test import SAETAP, clean_environment, run_tests, saetap


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
        before = file.read_bytes()
        self.fails(2, f"{file} is there and is no store: --force replaces stores only", "import", file, "-o", file, "--force")
        self.assertEqual(file.read_bytes(), before)
        other = self.work / "other.db"
        with sqlite3.connect(other) as database:
            database.execute("CREATE TABLE mine(x)")
        database.close()
        pipe = self.work / "pipe"
        os.mkfifo(pipe)
        for path in (other, pipe):
            self.fails(2, f"{path} is there and is no store", "import", file, "-o", path, "--force")
        empty = self.work / "empty.saetap"
        empty.touch()
        self.ok("import", file, "-o", empty, "--force")

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
        body = json.dumps(feature)
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
