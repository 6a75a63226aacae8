"""`saetap report`: Markdown and JSON of a store with known suspicious features, and of text that is hostile.

    python3 test_report.py SAETAP MAKE_STORE PRELOAD_LIBRARY
"""

import math
import os
import re
import signal
import sqlite3
import stat
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "reliability"))

import suspicious_store
from fault_record import record_fault
from program_test import SAETAP, clean_environment, run_tests, saetap
from report_test import ReportTest, github_id, headings_of, section_of

ROOT = Path(__file__).resolve().parents[2]


class Markdown(ReportTest):
    def test_every_link_leads_to_a_heading(self) -> None:
        for store, arguments in ((self.usual, ()), (self.suspicious, ("--top", 50)), (self.suspicious, ("--top", 3))):
            text = self.markdown(store, *arguments)
            ids = [github_id(heading) for heading in headings_of(text)]
            links = re.findall(r"\]\(#([^)]*)\)", text)
            self.assertGreater(len(links), 5)
            self.assertEqual([link for link in links if link not in ids], [])
            self.assertEqual(len(ids), len(set(ids)))

    def test_says_what_the_figures_rest_on(self) -> None:
        text = self.markdown(self.usual)
        for expected in (
            "# Features of Sae.forward.8#0\n",
            "240 seen, 100 % collected; of these 100 % resolved to their token, 0 % ambiguous, 0 % excluded",
            "fingerprint from MiniLM › forward",
            "steps 10 to 29 of 0 to 29: 66.7 % of the tokens collected (--all-time reads all)",
            "6 of 8 active in what is read, 2 dead |",
            "for the 5 features of this report that have tokens (Benjamini and Hochberg).",
            "80 % of features between 4.38 % and 12.5 %; 1 above 10 %",
            # Of steps 10 to 29 six have the first sequence (1 active), seven the second (6) and seven the third (3).
            "0.43 features active per token, of 160 tokens",
            "the 5 strongest samples per feature from 0.10 up, and 64 of its active tokens at random",
            "The 6 features of highest max.",
        ):
            self.assertIn(expected, text)

    def test_a_feature_with_its_statistics_tokens_and_samples(self) -> None:
        text = section_of(self.markdown(self.usual), "Feature 0")
        for expected in (
            "Active on 20 of 160 tokens: density 12.5 % (7.81 % to 18.6 %) · mean ",
            "· max 7.50 ·",
            # 8 times as often as in the text, but that may be chance: p is 0.02.
            "of 3 strongest samples: too few at random are known: nod 3\n",
            "Decoder-nearest: [1](#feature-1) (1.00), [2](#feature-2) (0)",
            "Strongest 3 of 3 samples kept:",
            "2. 7.26 · the **nod** ofding \\* the land. (step 11)\n",
            "Suspicious: [Dense](#dense), active on 20 of 160 tokens",
        ):
            self.assertIn(expected, text)
        # The whole text, with all that Markdown and terminals would act on.
        hostile = section_of(self.markdown(self.usual), "Feature 3")
        self.assertIn("1. 7.53 · nodding \\* **\\|** a↵b \\\\x1B\\[31m \\<b>. (step 10)\n", hostile)

    def test_asked_for_features_in_their_order_and_each_once(self) -> None:
        text = self.markdown(self.usual, "--features", "6,0,6", "--samples", 1)
        self.assertEqual([heading for heading in headings_of(text) if heading.startswith("Feature ")],
                         ["Feature 6", "Feature 0"])
        self.assertIn("It was never active here: no samples.", section_of(text, "Feature 6"))
        self.assertNotIn("\n2. ", text)
        self.assertNotIn("## Feature 1\n", text)
        self.fails(1, "there is no feature 8", "report", self.usual, "-o", "-", "--features", "0,8")

    def test_sorted_by_what_is_asked(self) -> None:
        text = self.markdown(self.suspicious, "--sort", "density", "--top", 2)
        self.assertIn("The 2 features of highest density.", text)
        one = self.markdown(self.suspicious, "--top", 1)
        self.assertIn("The 1 feature of highest max.", one)
        self.assertIn("\n## Feature 40\n", text)

    def test_a_family_is_named_with_its_cosines(self) -> None:
        chapter = section_of(self.markdown(self.suspicious), "Families of similar features")
        row = re.search(r"^\| \[10\]\(#feature-10\), \[11\]\(#feature-11\), \[12\]\(#feature-12\) +\| +(\S+) \| +(\S+) \|",
                        chapter, re.MULTILINE)
        self.assertIsNotNone(row, chapter)
        mean, lowest = self.cosines(suspicious_store.FAMILY)
        self.assertAlmostEqual(float(row.group(1)), mean, delta=0.006)
        self.assertAlmostEqual(float(row.group(2)), lowest, delta=0.006)

    def cosines(self, features: list[int]) -> tuple[float, float]:
        store = sqlite3.connect(self.suspicious)
        (blob,) = store.execute("SELECT directions FROM decoder").fetchone()
        store.close()
        width = suspicious_store.WIDTH
        rows = {one: struct.unpack_from(f"<{width}e", blob, 2 * width * one) for one in features}
        found = [
            sum(a * b for a, b in zip(rows[one], rows[other])) / math.hypot(*rows[one]) / math.hypot(*rows[other])
            for one in features for other in features if one < other
        ]
        return sum(found) / len(found), min(found)


class Suspicious(ReportTest):
    def test_every_planted_feature_is_found_by_its_rule_and_no_other_is(self) -> None:
        found = self.ok_json("report", self.suspicious)["suspicious"]
        by_kind = {one["kind"]: [entry["feature"] for entry in one["features"]] for one in found}
        for kind, features in suspicious_store.PLANTED.items():
            self.assertEqual(by_kind[kind], features, kind)

    def test_each_says_its_n(self) -> None:
        text = self.markdown(self.suspicious)
        for heading, expected in (
            ("Dense", "active on 12,000 of 40,000 tokens"),
            ("Never active", "active on 0 of 100,000 tokens"),
            ("Died", "active on 600 of 60,000 tokens before and on none since; p "),
            ("Came back, maybe resampled", "silent in steps 20 to 59, active on 600 of 60,000 tokens of the other steps"),
            ("One token", "40 of 40 random samples are the token"),
            ("Locked to a position", "40 of 40 random samples at position 0"),
            ("Duplicated direction", "cosine 1.00 with feature 3"),
            ("Same strongest samples", "the same strongest samples (39 of 41 places) as feature 5; both are active at "),
            ("Negative", "200 of 400 active values are below 0"),
            ("NaN or infinite", "10 values"),
        ):
            self.assertIn(expected, section_of(text, heading), heading)

    def test_how_often_two_with_the_same_strongest_samples_are_both_active(self) -> None:
        """As `compare` has it; that stands in test_feature_facts."""
        def found() -> tuple[int, int]:
            rules = {one["kind"]: one["features"] for one in self.ok_json("report", self.suspicious)["suspicious"]}
            other, one = sorted(rules["same_strongest"], key=lambda one: one["feature"])
            (pair,) = self.ok_json("compare", self.suspicious, 5, 49)["pairs"]
            self.assertEqual((one["count"], one["of"], one["subject"]), (39, 41, 5))
            self.assertEqual((other["feature"], other["count"], other["subject"]), (5, 39, 49))
            self.assertEqual((one["both"], one["either"]), (pair["activity"]["both"], pair["activity"]["either"]))
            self.assertIn(f"both are active at {one['both']} of {one['either']} random places", one["text"])
            return one["both"], one["either"]

        both, either = found()
        self.assertGreaterEqual(both, either - 2)
        # Other places at random: the strongest samples alone are the same.
        database = sqlite3.connect(self.suspicious)
        original = self.suspicious.read_bytes()
        with database:
            database.execute("UPDATE random_sample SET (sequence, position) = (SELECT sequence, position FROM random_sample "
                             "AS other WHERE other.feature = 9 AND other.part = random_sample.part) WHERE feature = 49")
        database.close()
        both, either = found()
        self.suspicious.write_bytes(original)
        self.assertLess(both, either // 2)

    def test_why_windows_say_nothing(self) -> None:
        def why(path: Path) -> str:
            (one,) = [one for one in self.ok_json("report", path)["suspicious"] if one["kind"] == "came_back"]
            self.assertEqual(one["judged"], 0)
            return one["not_judged"]

        store = self.folder / "windows.saetap"
        for statement, expected in (
            ("DELETE FROM part WHERE part != 'open'; DELETE FROM past_window", "the run has a single window"),
            ("WITH RECURSIVE n(i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO "
             "past_window(site, window, first_step, end_step, eligible) SELECT 0, i, 60, 61, 1 FROM n",
             "the run has 20,003 windows of 50 features, and a report reads 1,000,000 of such figures at most"),
        ):
            store.write_bytes(self.suspicious.read_bytes())
            database = sqlite3.connect(store)
            database.executescript(statement)
            database.close()
            self.assertIn(expected, why(store))

    def test_what_was_not_looked_at_is_said(self) -> None:
        done = saetap("report", self.folder / "no_tokens", "-o", "-")
        self.assertEqual(done.returncode, 0)
        self.assertIn("Not judged: no feature has 20 random samples with known tokens.", done.stdout)
        self.assertIn("Not judged: the decoder was not saved.", done.stdout)
        self.assertIn("it is not known which features are alike", done.stdout)


class Tokens(ReportTest):
    def test_what_chance_does_not_explain_is_bold_and_comes_first(self) -> None:
        features = self.ok_json("report", self.suspicious, "--top", 50)["features"]
        text = self.markdown(self.suspicious, "--top", 50)
        table = section_of(text, "Features at a glance")
        bold = 0
        for one in features:
            tokens = [token for token in one["activating_tokens"]["tokens"] if token["count"] > 1]
            if not tokens:
                continue
            first = sorted(tokens, key=lambda token: token["p"])[:3]
            marks = ["**" if token["q"] <= 0.01 else "" for token in first]
            bold += sum(map(bool, marks))
            self.assertEqual(marks, sorted(marks, reverse=True))
            number = one["feature"]
            row = re.search(rf"^\| +\[{number}\]\(#feature-{number}\).*$", table, re.MULTILINE).group(0)
            self.assertEqual(re.findall(r"(\**)\\?#?[^ |*]+\** \d+(?= ·| +\|)", row.split("|")[6] + "|"), marks, row)
            section = section_of(text, f"Feature {number}")
            line = re.search(r"^Tokens .*$", section, re.MULTILINE).group(0)
            told = [token for token in sorted(tokens, key=lambda token: token["p"])[:8] if token["q"] <= 0.01]
            self.assertEqual((line.count("**") // 2, line.count(" times)")), (len(told), len(told)))
        self.assertGreater(bold, 0)


class JsonReport(ReportTest):
    def test_says_what_the_document_says(self) -> None:
        report = self.ok_json("report", self.usual)
        self.assertEqual(report["order"], "The 6 features of highest max")
        self.assertEqual((report["summary"]["alive"], report["summary"]["dead"]), (6, 2))
        first = report["features"][-2]
        self.assertEqual((first["feature"], first["active_tokens"], first["samples_kept"]), (0, 20, 3))
        low, high = first["density_interval"]
        self.assertLess(low, first["density"])
        self.assertGreater(high, first["density"])
        self.assertEqual(first["decoder_nearest"][0], {"feature": 1, "cosine": 1})
        self.assertEqual(first["samples"][1]["activations"], [0, 7.26, 0, 0, 0, 0, 0, 0])

    def test_every_field_is_documented(self) -> None:
        documented = (ROOT / "docs/json_output.md").read_text(encoding="utf-8")
        section = documented.split("## `saetap report STORE --json`", 1)[1].split("\n## ", 1)[0]
        parts = documented.split("## Parts that return", 1)[1].split("\n## ", 1)[0]
        parts += documented.split("## `saetap show STORE FEATURE --json`", 1)[1].split("\n## ", 1)[0]

        def fields(value: object) -> set[str]:
            if isinstance(value, dict):
                return set(value).union(*map(fields, value.values())) if value else set()
            return set().union(*map(fields, value)) if isinstance(value, list) and value else set()

        for store in (self.usual, self.suspicious):
            shown = fields(self.ok_json("report", store)) - {"10", "25", "50", "75", "99"}  # of `quantiles`
            missing = {one for one in shown if f"`{one}`" not in section + parts}
            self.assertEqual(missing, set())

    def test_goes_to_stdout_alone(self) -> None:
        self.fails(2, "--json", "report", self.usual, "--json", "--html")
        self.fails(2, "--json", "report", self.usual, "--json", "-o", self.folder / "report.json")


class Files(ReportTest):
    def test_is_written_whole_to_the_file_asked_for(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            done = saetap("report", self.usual, cwd=folder)
            self.assertEqual(done.returncode, 0)
            self.assertTrue(done.stdout.startswith("report.md: 6 features; read steps 10 to 29"))
            self.assertEqual(os.listdir(folder), ["report.md"])
            report = Path(folder, "report.md").read_text(encoding="utf-8")
            self.assertEqual(report, self.ok("report", self.usual, "-o", "-"))
            self.assertTrue(saetap("report", self.usual, "--html", cwd=folder).stdout.startswith("report.html: 6 "))
            page = Path(folder, "report.html").read_text(encoding="utf-8")
            self.assertEqual(page, self.ok("report", self.usual, "--html", "-o", "-"))

    def test_a_report_is_its_owners_alone_and_one_that_was_there_keeps_its_mode(self) -> None:
        def write(report: Path, shell: str) -> int:
            command = ["sh", "-c", f'{shell}; exec "$@"', "sh", SAETAP, "report", self.usual, "-o", report]
            return subprocess.run(command, capture_output=True, env=clean_environment(), check=False).returncode

        def mode(path: Path) -> int:
            return stat.S_IMODE(path.stat().st_mode)

        umasks, modes = ("000", "022", "077", "777"), (0o600, 0o640, 0o644, 0o666)
        with tempfile.TemporaryDirectory() as folder:
            for umask in umasks:
                report = Path(folder, f"{umask}.md")
                self.assertEqual(write(report, f"umask {umask}"), 0)
                self.assertEqual(mode(report), 0o600, umask)
            for kept in modes:
                report = Path(folder, f"{kept:o}.md")
                report.touch()
                report.chmod(kept)
                self.assertEqual(write(report, "umask 077"), 0)
                self.assertIn("## Feature", report.read_text(encoding="utf-8"))
                self.assertEqual(mode(report), kept)
            # What is left of one that was killed while it wrote (by SIGXFSZ): nobody else's either.
            self.assertEqual(write(Path(folder, "644.md"), "umask 000; ulimit -f 0"), -signal.SIGXFSZ)
            self.assertEqual([mode(part) for part in Path(folder).glob("644.md.part*")], [0o600])
            self.assertIn("## Feature", Path(folder, "644.md").read_text(encoding="utf-8"))
        record_fault("privacy", "a report is written under any umask, over one of any mode, or killed while it writes: a "
                     "new file is 0600, an old one keeps its mode", len(umasks) + len(modes) + 1, "nothing")

    def test_a_place_that_cannot_be_written_is_status_2(self) -> None:
        # A rename would put a file in the place of a device or a link.
        with tempfile.TemporaryDirectory() as folder:
            pipe, link, real = Path(folder, "pipe"), Path(folder, "link"), Path(folder, "real.md")
            os.mkfifo(pipe)
            real.write_text("old", encoding="utf-8")
            link.symlink_to(real)
            reader = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE)
            self.ok("report", self.usual, "-o", pipe)
            self.assertEqual(reader.communicate()[0].decode(), self.ok("report", self.usual, "-o", "-"))
            self.assertTrue(pipe.is_fifo())
            self.ok("report", self.usual, "-o", link)
            self.assertTrue(link.is_symlink())
            self.assertIn("## Feature", real.read_text(encoding="utf-8"))
        self.fails(2, "it is a folder", "report", self.usual, "-o", self.folder)
        self.fails(2, "cannot be written: No such file", "report", self.usual, "-o", self.folder / "no/report.md")
        self.assertEqual([path for path in self.folder.rglob("*.part*")], [])


if __name__ == "__main__":
    run_tests()
