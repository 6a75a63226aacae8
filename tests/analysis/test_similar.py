"""`saetap similar` against cosines and overlaps that NumPy finds in the same store."""

import csv
import io

import numpy as np
from planted import FEATURES, PlantedTest, planted_store, run_tests, saetap


class Similar(PlantedTest):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        has, units = cls.planted.units()
        cls.cosines = np.full((FEATURES, FEATURES), np.nan)
        cls.cosines[np.ix_(has, has)] = units @ units.T
        places = [set(one) for one in cls.planted.places]
        cls.shared = np.array([[len(a & b) for b in places] for a in places])
        cls.either = np.array([[len(a | b) for b in places] for a in places])
        with np.errstate(invalid="ignore"):
            cls.jaccard = cls.shared / cls.either
            counts = cls.planted.token_counts()
            lengths = np.linalg.norm(counts, axis=1)
            cls.tokens = counts @ counts.T / np.outer(lengths, lengths)
        # All pairs are of features at work: where the direction of one that never was active points is chance.
        at_work = np.outer(cls.planted.active, cls.planted.active)
        cls.measures = {"decoder": np.where(at_work, cls.cosines, np.nan), "places": cls.jaccard, "tokens": cls.tokens}

    def check_ranked(self, of: np.ndarray, feature: int, listed: list[int], tolerance: float = 1e-6) -> None:
        """They are the most similar ones; who is as similar as the last may be one or another."""
        others = np.delete(np.arange(FEATURES), feature)
        values = np.nan_to_num(of[feature], nan=-2)
        best = np.sort(values[others])[::-1][: len(listed)]
        np.testing.assert_allclose(values[listed], best, atol=tolerance)
        self.assertNotIn(feature, listed)
        self.assertEqual(len(set(listed)), len(listed))

    def test_one_feature_by_each_measure(self) -> None:
        for feature in (0, 17, 598):
            shown = self.ok_json("similar", feature, "--top", 20)
            self.assertEqual(list(shown["nearest"]), ["decoder", "places", "tokens"])
            for name, listed in shown["nearest"].items():
                self.assertEqual(len(listed), 20, name)
                of = self.cosines if name == "decoder" else self.measures[name]
                self.check_ranked(of, feature, [one["feature"] for one in listed])
                for one in listed:
                    other = one["feature"]
                    self.assertAlmostEqual(one["place_overlap"], np.nan_to_num(self.jaccard[feature, other]), places=6)
                    self.assertEqual(one["shared_places"], self.shared[feature, other])
                    self.assertEqual(one["samples"], len(self.planted.places[other]))
                    for field, matrix in (("decoder_cosine", self.cosines), ("token_cosine", self.tokens)):
                        if np.isnan(matrix[feature, other]):
                            self.assertIsNone(one[field])
                        else:
                            self.assertAlmostEqual(one[field], matrix[feature, other], places=5)

    def test_what_has_no_direction_is_near_nothing(self) -> None:
        for feature in (3, 5):
            shown = self.ok_json("similar", feature)["nearest"]
            self.assertEqual(shown["decoder"], [])
            self.assertEqual(len(shown["places"]), 10)
        self.assertEqual(self.ok_json("similar", 49)["nearest"]["places"], [])  # never active
        self.assertIn("its direction is zero", self.ok("similar", 3))

    def test_all_pairs_above_a_bound(self) -> None:
        first, second = np.triu_indices(FEATURES, 1)
        for by, least in (("decoder", 0.7), ("places", 0.3), ("tokens", 0.3)):
            values = self.measures[by][first, second]
            # What rounding could put on either side is not asked for.
            sure = set(zip(first[values > least + 1e-5].tolist(), second[values > least + 1e-5].tolist()))
            maybe = set(zip(first[values > least - 1e-5].tolist(), second[values > least - 1e-5].tolist()))
            self.assertGreater(len(sure), 50)
            listed = self.ok_json("similar", "--all", "--by", by, "--least", least)["pairs"]
            found = {(one["first"], one["second"]): one["similarity"] for one in listed}
            self.assertEqual(len(found), len(listed))
            self.assertLessEqual(sure, set(found))
            self.assertLessEqual(set(found), maybe)
            for (a, b), similarity in found.items():
                self.assertAlmostEqual(similarity, self.measures[by][a, b], places=5)
            similarities = [one["similarity"] for one in listed]
            self.assertEqual(similarities, sorted(similarities, reverse=True))

    def test_a_longer_copy_is_the_most_similar_pair(self) -> None:
        lines = self.ok("similar", "--all", "--least", "0.99").splitlines()
        self.assertIn("1 pair of at least 0.990", "\n".join(lines))
        self.assertEqual(lines[-1].split()[:3], ["0", "1", "1.000"])

    def test_nearest_of_all_as_csv(self) -> None:
        file = self.folder / "nearest.csv"
        for by in ("decoder", "places", "tokens"):
            self.assertIn(str(file), self.ok("similar", "--all", "--by", by, "--top", 4, "-o", file))
            rows = list(csv.DictReader(io.StringIO(file.read_text())))
            lists: dict[int, list[int]] = {}
            for row in rows:
                lists.setdefault(int(row["feature"]), []).append(int(row["nearest"]))
                self.assertEqual(int(row["rank"]), len(lists[int(row["feature"])]))
            wanted = np.flatnonzero(self.planted.active)
            if by == "decoder":
                wanted = np.intersect1d(wanted, self.planted.units()[0])
            self.assertEqual(sorted(lists), wanted.tolist())
            for feature, listed in lists.items():
                self.check_ranked(self.measures[by], feature, listed, 1e-5)
                self.assertEqual(len(listed), 4)

    def test_more_than_can_be_kept_is_refused(self) -> None:
        with planted_store(5000, 2, 4, 1) as folder:
            done = saetap("similar", folder, "--all", "--top", 2001)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn("--top 2001 of each of 5,000 features is more than can be listed: 2,000 at most", done.stderr)
        self.assertEqual(len(self.ok_json("similar", "--all", "--top", 10**9)["nearest"][0]["nearest"]), 585)

    def test_what_cannot_be_asked(self) -> None:
        self.fails(2, "either one FEATURE or --all", "similar")
        self.fails(2, "either one FEATURE or --all", "similar", 3, "--all")
        self.fails(2, "--least", "similar", 3, "--least", "0.5")
        self.fails(2, "from -1 to 1", "similar", "--all", "--least", "nan")
        self.fails(2, "--by", "similar", 3, "--by", "colour")
        self.fails(1, "no feature 600", "similar", FEATURES)


run_tests()
