"""`saetap compare`: what features have in common, held against the rules by which make_store fills its store `many`."""

import itertools
import subprocess
from collections import Counter

from many_store import active_places
from program_test import MAKE_STORE, StoreTest, run_tests

WORD = 2**64


def mix(x: int) -> int:
    """The finaliser that places are hashed with: plugin/trace/token_position.cpp."""
    x = (x ^ x >> 33) * 0xFF51AFD7ED558CCD % WORD
    x = (x ^ x >> 33) * 0xC4CEB9FE1A85EC53 % WORD
    return x ^ x >> 33


def place_hash(sample: dict) -> int:
    return mix((mix(int(sample["sequence"], 16)) + (sample["position"] + 1) * 0x9E3779B97F4A7C15) % WORD)


def place(sample: dict) -> tuple:
    return sample["sequence"], sample["position"]


def ranks(values: list[float]) -> list[float]:
    return [sum(other < value for other in values) + (sum(other == value for other in values) + 1) / 2 for value in values]


def correlation(a: list[float], b: list[float]) -> float:
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    product = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b))
    return product / (sum((x - mean_a) ** 2 for x in a) * sum((y - mean_b) ** 2 for y in b)) ** 0.5


class Compare(StoreTest):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.many = cls.folder / "many"
        subprocess.run([MAKE_STORE, "many", str(cls.many)], check=True)

    def setUp(self) -> None:
        self.features = [0, 1, 2, 5]
        compared = self.ok_json("compare", self.many, *self.features)
        self.compared = {one["feature"]: one for one in compared["features"]}
        self.pairs = {tuple(pair["features"]): pair for pair in compared["pairs"]}
        self.shown = {feature: self.ok_json("show", self.many, feature, "--samples", 5) for feature in self.features}

    def test_each_feature_is_as_show_has_it(self) -> None:
        self.assertEqual(list(self.compared), self.features)
        for feature, compared in self.compared.items():
            for field in set(compared) - {"samples"}:
                self.assertEqual(compared[field], self.shown[feature][field], field)
            self.assertEqual(compared["samples"], self.shown[feature]["samples"])

    def test_every_two_are_a_pair(self) -> None:
        self.assertEqual(list(self.pairs), list(itertools.combinations(self.features, 2)))

    def test_cosines(self) -> None:
        # 0 and 1 write in one direction, 2 across, 5 nowhere.
        self.assertAlmostEqual(self.pairs[0, 1]["cosine"], 1)
        self.assertEqual((self.pairs[0, 2]["cosine"], self.pairs[1, 2]["cosine"]), (0, 0))
        self.assertIsNone(self.pairs[0, 5]["cosine"])

    def test_shared_places(self) -> None:
        for (first, second), pair in self.pairs.items():
            drawn = [{place(sample): sample for sample in self.shown[feature]["random_samples"]}
                     for feature in (first, second)]
            reach = min(max(map(place_hash, samples.values())) for samples in drawn)
            within = [{at for at, sample in samples.items() if place_hash(sample) <= reach} for samples in drawn]
            both, either = within[0] & within[1], within[0] | within[1]
            activity = pair["activity"]
            self.assertEqual((activity["either"], activity["both"], activity["first"], activity["second"]),
                             (len(either), len(both), len(within[0]), len(within[1])))
            active = [set(active_places(feature)) for feature in (first, second)]
            share = len(active[0] & active[1]) / len(active[0] | active[1])
            low, high = activity["share_interval"]
            self.assertTrue(low <= share <= high, (first, second, low, share, high))
        self.assertGreater(self.pairs[0, 1]["activity"]["both"], 5)
        self.assertEqual(self.pairs[0, 2]["activity"]["both"], 0)

    def test_strengths_where_both_are_active(self) -> None:
        for (first, second), pair in self.pairs.items():
            drawn = [{place(sample): sample["activation"] for sample in self.shown[feature]["random_samples"]}
                     for feature in (first, second)]
            common = sorted(set(drawn[0]) & set(drawn[1]))
            self.assertEqual(pair["common_places"], len(common))
            if len(common) < 10:
                self.assertIsNone(pair["rank_correlation"])
                continue
            wanted = correlation(*(ranks([samples[at] for at in common]) for samples in drawn))
            self.assertAlmostEqual(pair["rank_correlation"], wanted)

    def test_tokens_and_strongest_samples_in_common(self) -> None:
        for (first, second), pair in self.pairs.items():
            counts = [Counter(sample["ids"][sample["activating"]] for sample in self.shown[feature]["random_samples"])
                      for feature in (first, second)]
            overlap = sum(min(counts[0][token], counts[1][token]) / 64 for token in counts[0])
            self.assertAlmostEqual(pair["token_overlap"], overlap)
            places = [set(map(place, self.shown[feature]["samples"])) for feature in (first, second)]
            self.assertEqual(pair["shared_strongest"], len(places[0] & places[1]))

    def test_text(self) -> None:
        lines = self.ok("compare", self.many, 0, 1).splitlines()
        self.assertTrue(lines[0].startswith("steps 0 to 299"))
        self.assertRegex(lines[2], r"^feature +0 +1$")
        self.assertIn("0 and 1", "\n".join(lines))
        self.assertIn("feature 1: strongest 5 of 5 kept", lines)
        dead = self.ok("compare", self.usual, 0, 5, 6)
        self.assertIn("feature 6: never active here: no samples", dead)
        self.assertIn("feature 5: active, but never from 0.10 up: no samples", dead)

    def test_of_one_that_was_never_active_nothing_is_measured(self) -> None:
        rows = {row.split()[0]: row.split()[1:] for row in self.ok("compare", self.usual, 0, 6).splitlines() if row}
        self.assertEqual((rows["max"], len(rows["mean"]), rows["std"]), (["7.50"], 4, ["1.44"]))

    def test_wrong_usage(self) -> None:
        self.fails(2, "FEATURE", "compare", self.many, 0)
        self.fails(2, "named twice", "compare", self.many, 0, 1, 0)
        self.fails(1, "there is no feature 8; the site has 0 to 7", "compare", self.many, 0, 8)


if __name__ == "__main__":
    run_tests()
