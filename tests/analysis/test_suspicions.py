"""The p-values of suspicious features, and the cosines of families, held against SciPy and NumPy on the same store.

    python test_suspicions.py SAETAP MAKE_STORE PRELOAD_LIBRARY
"""

import math
import sqlite3
import sys
from pathlib import Path

import numpy as np
from scipy import stats

sys.path.append(str(Path(__file__).resolve().parents[1] / "cli"))

import suspicious_store as planted
from program_test import StoreTest, run_tests

ALL = sum(planted.ELIGIBLE.values())
RECENT = planted.ELIGIBLE["closed"] + planted.ELIGIBLE["open"]
WINDOWS = 5
BEGINNINGS = (1, 3, 7, 15)  # the last positions of the first 2, 4, 8 and 16


class Suspicions(StoreTest):
    def report(self, locked: int, died: int) -> dict:
        self.path = self.folder / f"{locked}-{died}.saetap"
        planted.make_suspicious(self.usual / "samples.saetap", self.path, locked, died)
        return self.ok_json("report", self.path)

    def found(self, report: dict, kind: str) -> tuple[int, list[dict]]:
        (rule,) = [one for one in report["suspicious"] if one["kind"] == kind]
        return rule["judged"], rule["features"]

    def positions(self) -> list[np.ndarray]:
        """Of each feature's random sample: a place stands once, whatever the part."""
        store = sqlite3.connect(self.path)
        found = []
        for feature in range(planted.FEATURES):
            rows = store.execute(
                "SELECT sequence, position FROM random_sample WHERE feature = ? AND part != 'past'", (feature,)
            ).fetchall()
            places = {place for sequence, position in rows
                      for place in zip(np.frombuffer(sequence, "<i8"), np.frombuffer(position, "<u4"))}
            found.append(np.array([position for _, position in places], dtype=int))
        store.close()
        return found

    def assert_same_p(self, p: float, log_p: float) -> None:
        self.assertAlmostEqual(math.log(p), log_p, delta=1e-6 * max(1, abs(log_p)))

    def test_died_is_a_hypergeometric_probability(self) -> None:
        for died in (60, 90, 600):
            judged, (one,) = self.found(self.report(planted.DRAWN, died), "died")
            self.assertEqual(one["count"], died)
            self.assert_same_p(one["p"], stats.hypergeom.logpmf(0, ALL, died, RECENT) + math.log(judged))

    def test_came_back_is_one_for_every_span_that_could_be(self) -> None:
        judged, (one,) = self.found(self.report(planted.DRAWN, 600), "came_back")
        silent = 2 * planted.ELIGIBLE["past"] // 3
        log_p = stats.hypergeom.logpmf(0, ALL, one["count"], silent)
        self.assert_same_p(one["p"], log_p + math.log(WINDOWS * (WINDOWS + 1) / 2) + math.log(judged))

    def test_position_locked_is_a_binomial_tail(self) -> None:
        for locked in (20, 27, 40):
            judged, (one,) = self.found(self.report(locked, 600), "position_locked")
            positions = self.positions()
            base = np.concatenate([own for own in positions if own.size and np.bincount(own).max() * 2 < own.size])
            usual = (np.count_nonzero(base == 0) + 1) / (base.size + 1)
            self.assertEqual((one["feature"], one["count"], one["of"]), (45, locked, planted.DRAWN))
            self.assertAlmostEqual(one["usual"], usual, places=12)
            spans = np.unique(base).size + len(BEGINNINGS)
            log_p = stats.binom.logsf(locked - 1, planted.DRAWN, usual)
            self.assert_same_p(one["p"], log_p + math.log(spans) + math.log(judged))

    def test_tokens_are_corrected_over_the_features_of_the_report(self) -> None:
        self.report(planted.DRAWN, 600)
        for features in ("0,1,2,3,44", "44", ",".join(map(str, range(40)))):
            told = self.ok_json("report", self.path, "--features", features)["features"]
            tokens = [one["activating_tokens"]["tokens"] for one in told]
            best = np.array([min(token["p"] for token in own) for own in tokens if own])
            rates = stats.false_discovery_control(best)
            for own, rate in zip([own for own in tokens if own], rates):
                self.assertAlmostEqual(min(token["q"] for token in own), rate, delta=1e-9 * rate)
            # Of the others: at every level, told are those with a p up to that of the least sure best that is told.
            for token in (token for own in tokens for token in own):
                levels = [p * best.size / np.count_nonzero(best <= p) for p in (token["p"], *best[best >= token["p"]])]
                self.assertAlmostEqual(token["q"], min(1, *levels), delta=1e-9)

    def test_too_little_is_not_found(self) -> None:
        # 20 of 40 is half; of 12 tokens before, 8 would be expected since.
        report = self.report(19, 12)
        self.assertEqual(self.found(report, "position_locked")[1], [])
        self.assertEqual(self.found(report, "died")[1], [])

    def test_families_have_the_cosines_of_numpy(self) -> None:
        report = self.report(planted.DRAWN, 600)
        store = sqlite3.connect(self.path)
        (blob,) = store.execute("SELECT directions FROM decoder").fetchone()
        store.close()
        rows = np.frombuffer(blob, "<f2").astype(np.float64).reshape(planted.FEATURES, planted.WIDTH)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        cosines = rows @ rows.T
        families = report["families"]["families"]
        self.assertEqual(report["families"]["count"], len(families))
        for family in families:
            members = family["features"]
            pairs = [cosines[a, b] for a in members for b in members if a < b]
            self.assertAlmostEqual(family["mean_cosine"], np.mean(pairs), places=6)
            self.assertAlmostEqual(family["lowest_cosine"], min(pairs), places=6)
            self.assertGreaterEqual(family["lowest_cosine"], report["families"]["least_cosine"])
        # No two families could be one, and nobody who is left out fits into one.
        grouped = {feature for family in families for feature in family["features"]}
        groups = [family["features"] for family in families]
        groups += [[feature] for feature in range(planted.FEATURES) if feature not in grouped]
        for i, a in enumerate(groups):
            for b in groups[:i]:
                self.assertLess(cosines[np.ix_(a, b)].min(), report["families"]["least_cosine"], (a, b))


if __name__ == "__main__":
    run_tests()
