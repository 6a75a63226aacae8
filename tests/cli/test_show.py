"""`saetap show`: what it prints and gives to programs, held against the rules by which make_store fills its stores."""

import json
import math
import os
import pty
import random
import re
import shutil
import sqlite3
import struct
import subprocess
from collections import Counter
from fractions import Fraction

from many_store import MANY_TOKENS, Place, activation_at, active_places, tokens_of_text
from program_test import MAKE_STORE, SAETAP, StoreTest, clean_environment, run_tests, saetap


def tail(hits: int, draws: int, marked: int, all_: int) -> float:
    """P(X >= hits) of the hypergeometric distribution, exactly."""
    ways = sum(math.comb(marked, i) * math.comb(all_ - marked, draws - i) for i in range(hits, min(draws, marked) + 1))
    return float(Fraction(ways, math.comb(all_, draws)))


def holm(p_values: list[float], tests: int) -> list[float]:
    """Of ascending ones; the other tests have p = 1."""
    corrected: list[float] = []
    for i, p in enumerate(p_values):
        corrected.append(min(1.0, max(corrected[-1:] + [p * (tests - i)])))
    return corrected


def terminal_output(command: str, columns: int, **extra: str) -> str:
    reader, writer = pty.openpty()
    environment = clean_environment(**extra)
    subprocess.run(["sh", "-c", f"stty cols {columns} <&1; exec {command}"], stdout=writer, stderr=subprocess.PIPE,
                   env=environment, check=True)
    os.close(writer)
    output = b""
    while True:
        try:
            part = os.read(reader, 65536)
        except OSError:  # the other end is closed, and all was read
            part = b""
        if not part:
            break
        output += part
    os.close(reader)
    return output.decode()


class Show(StoreTest):
    def test_samples_with_their_context(self) -> None:
        lines = self.ok("show", self.usual, 0).splitlines()
        # Recent: steps 10 to 29. The second sequence was first seen in step 10, the third in 11, the first in 12.
        self.assertTrue(lines[0].startswith("steps 10 to 29"))
        self.assertRegex(lines[1], r"^feature 0   density 12\.5 % \(7\.\d+ % to 18\.\d %\)   max 7\.50   mean \d\.\d\d "
                                   r"\(\d\.\d\d to \d\.\d\d\)   std \d\.\d\d   active on 20 of 160 tokens$")
        self.assertEqual(lines[2], "decoder-nearest 1 (cosine 1.00), 2 (cosine 0)")
        begin = next(i for i, line in enumerate(lines) if line.startswith("strongest 3 of 3 kept"))
        self.assertEqual(lines[begin + 1], "1  7.50  step 10  «nod»ding * | a↵b \\x1B[31m <b>.")
        self.assertEqual(lines[begin + 2], "2  7.26  step 11  the «nod» ofding * the land.")
        self.assertEqual(lines[begin + 3], "3  7.03  step 12  the land of «nod». the east.")

    def test_quantiles_are_those_of_all_active_values(self) -> None:
        # One row in each of steps 10 to 29, whose value falls by a quarter with each step; read within 9.1 %.
        values = sorted(10 - step / 4 for step in range(10, 30))
        line = next(line for line in self.ok("show", self.usual, 0).splitlines() if line.startswith("size of its 20"))
        shown = re.findall(r"(\d+) % below (\d+\.\d+)", line)
        self.assertEqual([int(percent) for percent, _ in shown], [10, 25, 50, 75, 99])
        for percent, value in shown:
            exact = values[math.ceil(int(percent) / 100 * len(values)) - 1]
            self.assertLess(abs(float(value) / exact - 1), 0.1, line)

    def test_the_random_sample_is_in_json(self) -> None:
        # Three places are all there are, each with its latest step.
        sample = self.ok_json("show", self.usual, 0)["random_samples"]
        self.assertEqual(sorted(one["step"] for one in sample), [27, 28, 29])
        for one in sample:
            self.assertAlmostEqual(one["activation"], 10 - one["step"] / 4, delta=0.08)

    def test_all_time_finds_the_stronger_beginning(self) -> None:
        text = self.ok("show", self.usual, 0, "--all-time")
        self.assertTrue(text.startswith("steps 0 to 29: the whole run, all 240 tokens collected\n"))
        self.assertIn("\n1  10.03  step 0  the land of «nod»", text)

    def test_context_and_top(self) -> None:
        text = self.ok("show", self.usual, 0, "--context", 1, "--samples", 2)
        self.assertIn("«nod»ding…\n", text)
        self.assertIn("the «nod» of…", text)
        self.assertNotIn("  step 12  ", text)

    def test_json(self) -> None:
        shown = self.ok_json("show", self.usual, 0)
        self.assertEqual((shown["feature"], shown["samples_kept"]), (0, 3))
        self.assertEqual([near["feature"] for near in shown["decoder_nearest"]], [1, 2])
        sample = shown["samples"][1]
        self.assertEqual((sample["step"], sample["position"], sample["activating"]), (11, 1, 1))
        self.assertEqual((sample["before"], sample["token"], sample["after"]), ("the ", "nod", " ofding * the land."))
        self.assertIn('"activation": 7.26,', self.ok("show", self.usual, 0, "--json"))
        self.assertEqual(sample["ids"], [7, 1, 9, 2, 3, 7, 8, 10])
        self.assertEqual((sample["from_start"], sample["to_end"]), (True, True))
        self.assertRegex(sample["sequence"], "^[0-9a-f]{16}$")

    def test_activations_at_every_token_shown(self) -> None:
        sample = self.ok_json("show", self.usual, 0)["samples"][1]
        self.assertEqual(sample["activations"], [0, 7.26, 0, 0, 0, 0, 0, 0])
        narrow = self.ok_json("show", self.usual, 0, "--context", 1)["samples"][1]
        self.assertEqual((narrow["ids"], narrow["activations"]), ([7, 1, 9], [0, 7.26, 0]))
        (unknown,) = json.loads(saetap("show", self.folder / "no_tokens", 0, "--samples", 1, "--json").stdout)["samples"]
        self.assertNotIn("activations", unknown)

    def test_one_that_was_active_before_the_recent_steps_says_so(self) -> None:
        store = self.folder / "died"
        shutil.copytree(self.usual, store)
        with sqlite3.connect(store / "samples.saetap") as connection:
            for table in ("feature", "sample", "random_sample"):
                connection.execute(f"DELETE FROM {table} WHERE feature = 0 AND part IN ('closed', 'open')")
        text = self.ok("show", store, 0)
        self.assertIn("not active in these steps: no samples; active on 10 tokens before (--all-time)\n", text)
        self.assertNotIn("max 0", text)
        self.assertNotIn("never active", text)
        shown = self.ok_json("show", store, 0)
        self.assertEqual((shown["mean"], shown["std"], shown["active_tokens"]), (None, None, 0))
        self.assertIn("active on 10 of 240 tokens", self.ok("show", store, 0, "--all-time"))
        self.assertEqual(self.ok("similar", store, 0).count("no sample of it is kept of these steps (--all-time"), 2)

    def test_all_active_tokens_are_not_said_to_be_drawn(self) -> None:
        text = self.ok("show", self.usual, 0)
        self.assertIn("at every strength: 3 of its 20 active tokens, drawn at random, in ", text)
        store = self.folder / "few"
        shutil.copytree(self.usual, store)
        with sqlite3.connect(store / "samples.saetap") as connection:
            connection.execute("UPDATE feature SET active = 3 WHERE feature = 0 AND part = 'closed'")
            connection.execute("DELETE FROM feature WHERE feature = 0 AND part = 'open'")
        self.assertIn("at every strength: all its 3 active tokens, in ", self.ok("show", store, 0))

    def test_of_parts_without_samples_nothing_is_said(self) -> None:
        said = "strongest 3 of 3 kept; steps 10 to 12, half of them from 11 on: 3 of the window before it ("
        self.assertIn(said, self.ok("show", self.usual, 0))
        self.assertIn("kept; steps 0 to 2, half of them from 1 on: 3 of the past\n", self.ok("show", self.usual, 0, "--all-time"))
        store = self.folder / "one_part"
        shutil.copytree(self.usual, store)
        with sqlite3.connect(store / "samples.saetap") as connection:
            for table in ("part", "feature", "sample", "random_sample"):
                connection.execute(f"DELETE FROM {table} WHERE part IN ('past', 'open')")
        self.assertIn("kept; steps 10 to 12, half of them from 11 on\n", self.ok("show", store, 0))

    def test_activations_around_random_samples(self) -> None:
        shown = self.ok_json("show", self.usual, 0, "--context", 2)
        self.assertEqual(len(shown["random_samples"]), 3)
        examples = [one for group in shown["groups"] for one in group["examples"]]
        for sample in shown["random_samples"] + examples:
            # It is active on the token 1 and nowhere else.
            here = sample["activating"]
            self.assertEqual(sample["activations"][here], sample["activation"])
            self.assertEqual([i for i, value in enumerate(sample["activations"]) if value != 0], [here])
            self.assertEqual(len(sample["activations"]), len(sample["ids"]))
            self.assertLessEqual(len(sample["ids"]), 5)

    def test_features_without_samples_say_why(self) -> None:
        self.assertIn("never active here: no samples", self.ok("show", self.usual, 6))
        self.assertIn("active, but never from 0.10 up: no samples", self.ok("show", self.usual, 5))

    def test_a_feature_the_site_does_not_have_is_status_1(self) -> None:
        for feature in (8, 4_000_000_000, 2**62):
            self.fails(1, f"there is no feature {feature}; the site has 0 to 7", "show", self.usual, feature)

    def test_nothing_reaches_the_terminal_raw(self) -> None:
        self.assertNotIn("\x1b", self.ok("show", self.usual, 0) + self.ok("features", self.usual))

    def test_a_terminal_gets_lines_that_fit_it(self) -> None:
        lines = terminal_output(f"'{SAETAP}' show '{self.usual}' 0 --color never", 44).splitlines()
        begin = next(i for i, line in enumerate(lines) if line.startswith("strongest")) + 1
        self.assertRegex(lines[begin], r"^1  7\.50  step 10  «nod»ding \* \| a↵b…$")
        self.assertTrue(all(len(line) <= 44 for line in lines[begin:begin + 3]), lines)


class Colors(StoreTest):
    def shown(self, *arguments: object, **extra: str) -> str:
        words = " ".join(f"'{word}'" for word in arguments)
        return terminal_output(f"'{SAETAP}' show '{self.usual}' 0 {words}", 100, TERM="xterm", **extra)

    def test_are_for_terminals_unless_somebody_says_otherwise(self) -> None:
        self.assertIn("\x1b[", self.shown())
        self.assertNotIn("\x1b[", self.shown("--color", "never"))
        self.assertNotIn("\x1b[", self.shown(NO_COLOR="1"))
        self.assertIn("\x1b[", self.shown(NO_COLOR=""))  # no-color.org: only if it is not empty
        self.assertIn("\x1b[", self.shown("--color", "always", NO_COLOR="1"))
        self.assertNotIn("\x1b[", terminal_output(f"'{SAETAP}' show '{self.usual}' 0", 100, TERM="dumb"))
        self.assertNotIn("\x1b[", self.ok("show", self.usual, 0))
        self.assertIn("\x1b[", self.ok("show", self.usual, 0, "--color", "always"))
        self.fails(2, "--color", "show", self.usual, 0, "--color", "sometimes")

    def test_the_text_below_them_is_the_same(self) -> None:
        for columns in (40, 60, 200):
            colored, plain = (terminal_output(f"'{SAETAP}' show '{self.usual}' {feature} --color {choice}", columns)
                              for feature in (0,) for choice in ("always", "never"))
            lines = re.sub(r"\x1b\[[0-9;]*m", "", colored).splitlines()
            self.assertEqual([line for line in lines if not line.startswith("Shaded: ")], plain.splitlines())
            self.assertEqual(len(lines), len(plain.splitlines()) + 1)  # what the colours mean

    def test_what_is_active_is_shaded_and_nothing_else(self) -> None:
        # Of the store's own escape character only its name is there.
        line = next(line for line in self.ok("show", self.usual, 0, "--color", "always").splitlines()
                    if line.startswith("2  7.26"))
        self.assertEqual(re.findall(r"48;5;\d+m([^\x1b]*)", line), ["nod"])
        self.assertIn("\\x1B[31m", self.ok("show", self.usual, 0, "--color", "always"))


class Many(StoreTest):
    """The store of many places, where figures have something to rest on."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.many = cls.folder / "many"
        subprocess.run([MAKE_STORE, "many", str(cls.many)], check=True)

    def text_held_against(self, tokens: dict) -> list[int]:
        if tokens["text_counted_share"]:
            return tokens_of_text()
        with sqlite3.connect(f"file:{self.many}/samples.saetap?mode=ro", uri=True) as store:
            blobs = [blob for (blob,) in store.execute("SELECT tokens FROM sequence")]
        return [token for blob in blobs for token in struct.unpack(f"<{len(blob) // 4}i", blob)]

    def test_figures_are_those_of_the_rule(self) -> None:
        for feature in range(6):
            shown = self.ok_json("show", self.many, feature)
            active = list(active_places(feature).values())
            self.assertEqual((shown["active_tokens"], shown["scope"]["tokens"]), (len(active), MANY_TOKENS))
            self.assertAlmostEqual(shown["mean"], sum(active) / len(active), places=5)
            self.assertEqual(sum(one["count"] for one in shown["histogram"]), len(active))
            for one in shown["histogram"]:
                inside = sum(one["from"] <= value < one["to"] for value in active)
                self.assertAlmostEqual(inside, one["count"], delta=1)  # the value is a float, the edge is not

    def test_random_samples_and_their_groups_by_strength(self) -> None:
        for feature in (0, 1, 5):
            shown = self.ok_json("show", self.many, feature)
            drawn = shown["random_samples"]
            self.assertEqual(len(drawn), 64)
            for sample in drawn:
                at = activation_at(feature, Place(sample["step"], sample["position"]))
                self.assertAlmostEqual(sample["activation"], at, places=5)
            ordered = sorted((sample["activation"] for sample in drawn), reverse=True)
            cuts = [ordered[i * 64 // 5:(i + 1) * 64 // 5] for i in range(5)]
            groups = shown["groups"]
            self.assertEqual([(group["strongest"], group["weakest"], group["count"]) for group in groups],
                             [(cut[0], cut[-1], len(cut)) for cut in cuts])
            for group, cut in zip(groups, cuts):
                self.assertEqual(len(group["examples"]), 3)
                self.assertTrue(all(example["activation"] in cut for example in group["examples"]))

    def test_tokens_with_their_lift_and_exact_p(self) -> None:
        for feature in (0, 1, 5):
            shown = self.ok_json("show", self.many, feature)
            tokens = shown["activating_tokens"]
            self.assertEqual((tokens["among"], tokens["of"]), ("random", 64))
            drawn = Counter(sample["ids"][sample["activating"]] for sample in shown["random_samples"])
            text = Counter(self.text_held_against(tokens))
            self.assertEqual(tokens["text_tokens"], text.total())
            self.assertEqual({one["id"]: one["count"] for one in tokens["tokens"]}, dict(drawn))
            counts = [one["count"] for one in tokens["tokens"]]
            self.assertEqual(counts, sorted(counts, reverse=True))
            chance = {token: tail(count, 64, text[token], text.total()) for token, count in drawn.items()}
            by_p = sorted(chance, key=chance.get)
            corrected = dict(zip(by_p, holm([chance[token] for token in by_p], len(text))))
            for one in tokens["tokens"]:
                self.assertAlmostEqual(one["lift"], one["count"] / 64 / (text[one["id"]] / text.total()), places=9)
                self.assertLess(abs(one["p"] / corrected[one["id"]] - 1), 1e-9)
        self.assertGreater(min(one["p"] for one in tokens["tokens"]), 0.05)  # feature 5 is active everywhere
        self.assertIn("corrected (Holm) for every token of the text, not for looking at many features.",
                      self.ok("show", self.many, 5))

    def test_what_is_known_of_the_text_is_said(self) -> None:
        path = self.folder / "more.saetap"
        # As where other tokens were counted of which it is not known what they were.
        for factor, share, said in (("1", 1, "2,400 tokens, all that were counted"),
                                    ("3 / 2", 2 / 3, "2,400 of 3,600 counted tokens, those that are known"),
                                    ("2", 1 / 2, "2,400 of 4,800 counted tokens, those that are known"),
                                    ("5 / 2", None, " tokens, an estimate: those that the store holds around samples")):
            shutil.copy(self.many / "samples.saetap", path)
            with sqlite3.connect(path) as store:
                store.execute(f"UPDATE part SET eligible = eligible * {factor}")
            tokens = self.ok_json("show", path, 1, "--all-time")["activating_tokens"]
            self.assertEqual((tokens["text_counted_share"], tokens["text_whole"]), (share, share == 1))
            self.assertEqual(tokens["text_tokens"], Counter(self.text_held_against(tokens)).total())
            self.assertIn("The text: " + (said if share else f"{tokens['text_tokens']:,}{said}"),
                          self.ok("show", path, 1, "--all-time"))
            self.assertIn(said, " ".join(self.ok("report", path, "--all-time", "--top", 2, "-o", "-").split()))

    def test_too_few_at_random_and_the_strongest_are_counted(self) -> None:
        tokens = self.ok_json("show", self.usual, 0)["activating_tokens"]
        self.assertEqual((tokens["among"], tokens["of"]), ("strongest", 3))
        self.assertIn("of 3 strongest samples", self.ok("show", self.usual, 0))

    def test_age(self) -> None:
        # Windows of 200 steps: 0 to 199 is closed, 200 to 299 open.
        shown = self.ok_json("show", self.many, 5)
        strongest = sorted(active_places(5).items(), key=lambda one: -one[1])[:5]
        steps = sorted(sample["step"] for sample in shown["samples"])
        self.assertEqual([sample["activation"] for sample in shown["samples"]], [round(value, 2) for _, value in strongest])
        age = shown["age"]
        self.assertEqual((age["first_step"], age["median_step"], age["last_step"]), (steps[0], steps[2], steps[4]))
        newest, before = age["parts"]
        self.assertEqual((newest["part"], newest["first_step"], newest["last_step"]), ("open", 200, 299))
        self.assertEqual((before["part"], before["first_step"], before["last_step"]), ("closed", 0, 199))
        self.assertAlmostEqual(newest["newest_share"], 1 / 3)
        self.assertEqual(before["newest_share"], 1)
        self.assertEqual(newest["samples"], sum(step >= 200 for step in steps))
        self.assertEqual(before["samples"], sum(step < 200 for step in steps))

    def test_the_picture_has_a_column_for_every_bin_in_use(self) -> None:
        text = self.ok("show", self.many, 0, LC_ALL="C")
        lines = text[text.index("size of its"):].splitlines()[1:7]
        self.assertTrue(all(line.isascii() for line in lines), lines)
        self.assertRegex(lines[0], r"^ +\d+\.\d % ?\|")
        bins = self.ok_json("show", self.many, 0)["histogram"]
        foot = lines[3].split("|")[1]
        self.assertEqual(len(re.findall(r"[#.]", foot)), 3 * len(bins))
        self.assertIn("█", self.ok("show", self.many, 0, LC_ALL="C.UTF-8"))


class Neighbors(StoreTest):
    FEATURES = 1500  # more than one block of the decoder's table
    WIDTH = 11

    def directions(self) -> list[list[float]]:
        """Of half precision; some that point nowhere."""
        drawn = random.Random(5)
        rows = [[drawn.gauss(0, 1) for _ in range(self.WIDTH)] for _ in range(self.FEATURES)]
        rows[2] = [1.0] + [0.001] * (self.WIDTH - 1)  # as the next but one would be if infinity were a number
        rows[3] = [0.0] * self.WIDTH
        rows[4] = [math.inf] + [1.0] * (self.WIDTH - 1)
        rows[5] = [math.nan] + [1.0] * (self.WIDTH - 1)
        rows[1400] = [value * 1e-3 for value in rows[1]]  # near it, of another length, and partly subnormal
        rows[6] = [value * 1e-6 for value in rows[2]]
        return [list(struct.unpack(f"<{self.WIDTH}e", struct.pack(f"<{self.WIDTH}e", *row))) for row in rows]

    def test_nearest_of_all_blocks(self) -> None:
        store = self.folder / "wide"
        shutil.copytree(self.usual, store)
        rows = self.directions()
        packed = [struct.pack(f"<{self.WIDTH}e", *row) for row in rows]
        with sqlite3.connect(store / "samples.saetap") as connection:
            connection.execute("UPDATE site SET features = ?, d_out = ?", (self.FEATURES, self.WIDTH))
            connection.execute("DELETE FROM decoder")
            for block in range(2):
                connection.execute("INSERT INTO decoder VALUES (0, ?, ?)", (block, b"".join(packed[block * 1024:][:1024])))
        for feature in (0, 1, 2, 1023, 1024, 1499):
            cosines = {other: self.cosine(rows[feature], rows[other]) for other in range(self.FEATURES)
                       if other not in (feature, 3, 4, 5)}
            wanted = sorted(cosines, key=lambda other: -cosines[other])[:3]
            nearest = self.ok_json("show", store, feature)["decoder_nearest"]
            self.assertEqual([near["feature"] for near in nearest], wanted)
            for near in nearest:
                self.assertAlmostEqual(near["cosine"], cosines[near["feature"]], places=5)
        for nowhere in (3, 4, 5):
            self.assertEqual(self.ok_json("show", store, nowhere)["decoder_nearest"], [])

    @staticmethod
    def cosine(a: list[float], b: list[float]) -> float:
        return sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


if __name__ == "__main__":
    run_tests()
