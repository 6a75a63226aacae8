"""The `saetap` program from outside: what it prints, what it says when something is wrong, and its exit statuses.

    python3 test_cli.py SAETAP MAKE_STORE PRELOAD_LIBRARY

The figures expected here are worked out by hand from what make_store.cpp puts into its stores.
"""

import subprocess
from pathlib import Path

from program_test import SAETAP, StoreTest, run_tests, saetap


class Usage(StoreTest):
    def test_version_and_help(self) -> None:
        self.assertRegex(self.ok("--version"), r"^saetap \d+\.\d+\.\d+\n$")
        self.assertIn("Example: ", self.ok("--help"))
        for command in ("record", "inspect", "info", "features", "show", "compare", "report", "plot", "merge", "agree"):
            self.assertIn(f"Example: saetap {command}", self.ok(command, "--help"))

    def test_wrong_usage_is_status_2(self) -> None:
        self.fails(2, "saetap --help")
        self.fails(2, "there is no command frobnicate", "frobnicate")
        self.fails(2, "STORE is required (saetap info --help)", "info")
        self.fails(2, "--frobnicate", "info", self.usual, "--frobnicate")
        self.fails(2, "FEATURE", "show", self.usual, "x")
        self.fails(2, "--sort", "features", self.usual, "--sort", "beauty")
        self.fails(2, "--top: 0 is not 1 or more (saetap features --help)", "features", self.usual, "--top", 0)
        self.fails(2, "-k: 0 is not 1 or more", "cluster", self.usual, "-k", 0)
        self.fails(2, "--samples: -1 is not a whole number of 1 or more", "report", self.usual, "--samples", -1)
        self.fails(2, "--top: -1 is not a whole number of 0 or more", "agree", self.usual, self.usual, "--top", -1)
        self.fails(2, "--top", "export", self.usual, "--top", 10**30)
        self.fails(2, "--context", "show", self.usual, 0, "--context", -1)
        self.fails(2, "--min-density: lots is not a share", "features", self.usual, "--min-density", "lots")
        self.fails(2, "--min-density 5% is more than --max-density 1%", "features", self.usual, "--min-density", "5%",
                   "--max-density", "1%")
        self.fails(2, "/no/x.svg cannot be written: there is no folder", "plot", self.usual, "density", "-o",
                   self.folder / "no/x.svg")
        foreign = self.folder / "tokens.json"
        foreign.write_text('{"tokens": [1]}', encoding="utf-8")
        self.fails(2, 'not a samples.json of saetap (its "format" is not "saetap samples")\n', "import", foreign,
                   "-o", self.folder / "imported.saetap")
        self.fails(2, "--max-density: 101% is not a share", "features", self.usual, "--max-density", "101%")

    def test_a_number_is_decimal_digits_and_never_nothing(self) -> None:
        """An unset variable is no feature 0, and 010 not the feature 8."""
        for wrong in ("", "x", "010", "0x10", "1.5", "1e1", " 1", "+1", 10**20):
            for command in (("show",), ("compare", 1), ("plot", "samples"), ("similar",)):
                name, *rest = command
                self.fails(2, f"{wrong or 'an empty text'} is not the number of a feature", name, self.usual, *rest, wrong)
            for name in ("report", "export"):
                self.fails(2, "is not the number of a feature", name, self.usual, "-o", "-", "--features", wrong)
        for wrong in ("", "x", "010", "1e9"):
            self.fails(2, "is not a whole number of 1 or more", "show", self.usual, 0, "--samples", wrong)
            self.fails(2, "is not a whole number from 0 to 100000", "show", self.usual, 0, "--context", wrong)
        self.fails(1, "there is no feature 4000000000; the site has 0 to 7", "show", self.usual, 4 * 10**9)

    def test_features_are_named_or_chosen(self) -> None:
        for name in ("report", "export"):
            self.fails(2, "--top excludes --features", name, self.usual, "--features", 1, "--top", 1)
            self.fails(2, "--sort excludes --features", name, self.usual, "--features", 1, "--sort", "mean")

    def test_a_number_is_no_part_of_a_sites_name(self) -> None:
        """Its name is Sae.forward.8#0, or like it."""
        for number in ("8", "1", "00"):
            self.fails(1, f"there is no site {number}; the store has 0", "show", self.usual, 0, "--site", number)
        self.assertEqual(self.ok("show", self.usual, 0, "--site", "0"), self.ok("show", self.usual, 0, "--site", "Sae"))

    def test_no_output_replaces_a_store(self) -> None:
        store = self.folder / "precious.saetap"
        before = (self.usual / "samples.saetap").read_bytes()
        store.write_bytes(before)
        rows = self.folder / "rows.npy"
        self.fails(2, f"{store} cannot be written: it is a store", "index", "--activations", rows, "--tokens", rows, "-o", store)
        for command in (("export",), ("map",), ("report",), ("similar", "--all"), ("plot", "density", "--format", "svg")):
            name, *rest = command
            self.fails(2, f"{store} cannot be written: it is a store", name, store, *rest, "-o", store)
            self.assertEqual(store.read_bytes(), before)
        self.assertFalse(Path(f"{store}.points.csv").exists() or store.with_suffix(".points.csv").exists())
        for command in (("export",), ("map",), ("report",), ("similar", "--all"), ("plot", "density")):
            name, *rest = command
            self.fails(2, "--output: an empty text names no file", name, store, *rest, "-o", "")

    def test_what_is_no_store_is_status_2(self) -> None:
        text = self.folder / "text"
        text.write_text("not a database, but long enough to be looked at as one\n" * 100, encoding="utf-8")
        for command in (["info"], ["features"], ["show", 0], ["report", "-o", "-"]):
            name, *rest = command
            self.fails(2, "no such file", name, self.folder / "missing", *rest)
            self.fails(2, "no such file", name, self.folder, *rest)
            self.fails(2, "not a", name, text, *rest)

    def test_output_that_cannot_be_written_is_said(self) -> None:
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([SAETAP, "info", str(self.usual)], stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual((done.returncode, done.stderr), (2, b"saetap: the output could not be written\n"))


class Info(StoreTest):
    def test_says_what_the_store_holds(self) -> None:
        text = self.ok("info", self.usual)
        for expected in (
            "program     ./trainer 'a b.json'",
            "finished",
            "the 5 strongest samples per feature from 0.10 up, 20 tokens on each side, every step",
            "Sae.forward.8#0",
            "240 seen, 100 % collected; of these 100 % resolved to their token, 0 % ambiguous",
            "traced      fingerprint from MiniLM › forward",
            "samples     9, the activations around them known for 100 %",
            "steps 10 to 29 of 0 to 29: 66.7 % of the tokens collected (--all-time reads all)",
            "6 of 8 alive",
            "8 directions of width 2",
        ):
            self.assertIn(expected, text)

    def test_json(self) -> None:
        store = self.ok_json("info", self.usual)
        (site,) = store["sites"]
        self.assertEqual(store["max_samples_per_feature"], 5)
        self.assertEqual(store["finished"], True)
        self.assertEqual((site["alive"], site["dead"], site["features"]), (6, 2, 8))
        self.assertEqual((site["tokens_seen"], site["tokens_resolved"], site["steps"]), (240, 240, 30))
        # Of steps 10 to 29 six have the first sequence (1 active), seven the second (6) and seven the third (3).
        self.assertAlmostEqual(site["mean_active"], (6 * 1 + 7 * 6 + 7 * 3) / 160)
        self.assertEqual(site["scope"]["kind"], "recent")
        # A place counts once, so a feature has as many samples as places: nod 3, ##ding 2, * 2, | 1, and one below the
        # threshold.
        self.assertEqual(site["samples"], 3 + 2 + 2 + 1 + 1)
        self.assertEqual(site["samples_with_context_activations"], 9)
        self.assertEqual((site["token_source"], site["token_stream"]), ("fingerprint", "MiniLM › forward"))
        (other,) = self.ok_json("info", self.folder / "no_tokens")["sites"]
        self.assertEqual((other["tokens_ambiguous"], other["samples_with_context_activations"]), (12, 0))
        self.assertEqual((other["token_source"], other["token_stream"]), ("none", ""))

    def test_all_time_reads_every_step(self) -> None:
        text = self.ok("info", self.usual, "--all-time")
        self.assertIn("steps 0 to 29: the whole run, all 240 tokens collected", text)
        scope = self.ok_json("info", self.usual, "--all-time")["sites"][0]["scope"]
        self.assertEqual((scope["kind"], scope["first_step"], scope["last_step"]), ("all_time", 0, 29))

    def test_a_run_in_which_nothing_was_attached(self) -> None:
        self.assertIn("no site", self.ok("info", self.folder / "no_site"))
        self.fails(1, "holds no site", "features", self.folder / "no_site")

    def test_the_file_itself_may_be_named(self) -> None:
        self.assertEqual(self.ok("info", self.usual / "samples.saetap"), self.ok("info", self.usual))


class Features(StoreTest):
    def listed(self, *arguments: object) -> list[int]:
        return [feature["feature"] for feature in self.ok_json("features", self.usual, *arguments)["features"]]

    def test_order_and_choice(self) -> None:
        # Step 10 has the second sequence; a token further back is 0.01 stronger.
        self.assertEqual(self.listed(), [4, 3, 2, 1, 0, 5])
        self.assertEqual(self.listed("--top", 2), [4, 3])
        # 20 steps of 160 tokens: nod 20, ##ding 14, * 14, then 7 each.
        self.assertEqual(self.listed("--sort", "density"), [0, 1, 2, 3, 4, 5])
        self.assertEqual(self.listed("--sort", "count", "--top", 1), [0])
        self.assertEqual(self.listed("--min-density", "0.1"), [0])
        self.assertEqual(self.listed("--max-density", "5%", "--sort", "mean"), [4, 3, 5])
        self.assertEqual(self.listed("--min-density", "0.9"), [])

    def test_table(self) -> None:
        lines = self.ok("features", self.usual).splitlines()
        self.assertEqual(lines[0], "steps 10 to 29 of 0 to 29: 66.7 % of the tokens collected (--all-time reads all)")
        self.assertEqual(lines[1], "6 features alive, 2 dead; listed: 6 of highest max")
        self.assertRegex(lines[3], r"^feature +density +max +mean +samples +tokens of the strongest +strongest$")
        self.assertRegex(lines[5], r"^ +3 +4\.38 % +7\.53 +5\.28 +1 +\| 1 +nodding \* «\|» a↵b \\x1B\[31m <b>\.$")
        self.assertEqual(len(lines), 4 + 6)

    def test_json_of_a_feature(self) -> None:
        found = self.ok_json("features", self.usual, "--sort", "density")
        self.assertEqual((found["sort"], found["site"]), ("density", "Sae.forward.8#0"))
        first = found["features"][0]
        self.assertEqual((first["feature"], first["active_tokens"], first["samples"]), (0, 20, 3))
        self.assertAlmostEqual(first["density"], 20 / 160)
        self.assertEqual(first["tokens"], [{"id": 1, "count": 3, "text": "nod"}])
        self.assertEqual(first["strongest"]["token"], "nod")


class Tokenizers(StoreTest):
    def test_without_tokens_rows_are_named_by_number(self) -> None:
        done = saetap("show", self.folder / "no_tokens", 0, "--samples", 1)
        self.assertEqual(done.returncode, 0)
        self.assertIn("the run names no tokenizer: token ids are shown", done.stderr)
        self.assertIn("step 10  (token not known)", done.stdout)
        self.assertNotIn("decoder-nearest", done.stdout)

    def ids_are_shown(self, reason: str, tokenizer: Path) -> None:
        done = saetap("show", self.usual, 0, "--tokenizer", tokenizer)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stderr.count("\n"), 1)
        self.assertIn(reason, done.stderr)
        self.assertIn("token ids are shown instead", done.stderr)
        self.assertIn("«1» 2 3 4 5 6 11 10", done.stdout)

    def test_a_tokenizer_that_cannot_be_used_leaves_the_ids(self) -> None:
        self.ids_are_shown("No such file", self.folder / "missing.json")
        broken = self.folder / "broken.json"
        broken.write_text("{", encoding="utf-8")
        self.ids_are_shown("not JSON", broken)
        unsupported = self.folder / "unsupported.json"
        unsupported.write_text('{"decoder": {"type": "Phonetic"}}', encoding="utf-8")
        self.ids_are_shown("Phonetic", unsupported)

    def test_text_that_the_program_gave_is_shown(self) -> None:
        store = self.folder / "own_text"
        # Of the token 10 it knew nothing; the tokenizer of the run does.
        self.assertIn("step 10  «1_»2_3_4_5_6_11_.", self.ok("show", store, 0))
        self.assertIn("«nod»ding", self.ok("show", store, 0, "--tokenizer", store / "tokenizer.json"))
        (store / "tokenizer.json").rename(store / "away.json")
        done = saetap("show", store, 0)
        (store / "away.json").rename(store / "tokenizer.json")
        self.assertIn("step 10  «1_»2_3_4_5_6_11_[id 10]\n", done.stdout)
        self.assertIn("No such file", done.stderr)

    def test_another_tokenizer_may_be_named(self) -> None:
        other = self.folder / "other.json"
        text = (self.usual / "tokenizer.json").read_text(encoding="utf-8")
        other.write_text(text.replace('"nod"', '"eden"'), encoding="utf-8")
        self.assertIn("«eden»ding", self.ok("show", self.usual, 0, "--tokenizer", other))


class Sites(StoreTest):
    def test_the_first_is_read_and_the_others_are_named(self) -> None:
        done = saetap("show", self.folder / "two_sites", 0)
        self.assertEqual(done.returncode, 0)
        self.assertIn("reading site 0 of 0 (Sae.forward.8#0), 1 (Sae.forward.8#1); --site chooses another", done.stderr)

    def test_a_site_is_chosen_by_number_name_or_part_of_it(self) -> None:
        for chosen in ("1", "Sae.forward.8#1", "#1"):
            shown = self.ok_json("show", self.folder / "two_sites", 0, "--site", chosen)
            self.assertEqual(shown["site"], "Sae.forward.8#1")

    def test_a_site_that_is_not_there_is_status_1(self) -> None:
        self.fails(1, "there is no site 7", "show", self.folder / "two_sites", 0, "--site", 7)
        self.fails(1, "more than one site Sae", "show", self.folder / "two_sites", 0, "--site", "Sae")


if __name__ == "__main__":
    run_tests()
