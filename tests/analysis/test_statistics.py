"""Tests, intervals and corrections, held against SciPy and, where SciPy is not exact, against whole-number arithmetic.

    python test_statistics.py STATISTICS_TOOL
"""

import math
import random
import subprocess
import sys
import unittest
from fractions import Fraction

import numpy as np
from scipy import stats

TOOL = sys.argv[1]


def answers(questions: list[tuple]) -> list[list[float]]:
    text = "\n".join(" ".join(map(repr_of, question)) for question in questions)
    done = subprocess.run([TOOL], input=text, capture_output=True, text=True, check=True)
    return [list(map(float, line.split())) for line in done.stdout.splitlines()]


def repr_of(word: object) -> str:
    return word if isinstance(word, str) else repr(word)


def exact_tail(hits: int, draws: int, marked: int, all_: int) -> float:
    ways = sum(math.comb(marked, i) * math.comb(all_ - marked, draws - i) for i in range(hits, min(draws, marked) + 1))
    return float(Fraction(ways, math.comb(all_, draws)))


def some_tables(count: int, most_draws: int, seed: int) -> list[tuple]:
    """(hits, draws, marked, all): around the mean, far from it, at the ends; up to a text of 10^12 tokens."""
    rng = random.Random(seed)
    tables = []
    for _ in range(count):
        all_ = int(10 ** rng.uniform(0.5, 12))
        marked = max(1, int(all_ * 10 ** rng.uniform(-9, 0)))
        draws = max(1, min(all_, int(10 ** rng.uniform(0, math.log10(most_draws)))))
        fewest, most = max(0, draws - (all_ - marked)), min(draws, marked)
        mean = draws * marked / all_
        wanted = int(rng.choice([mean, mean + 1, mean * 2, mean / 2, mean + 5, rng.randint(fewest, most)]))
        tables.append((min(most, max(fewest, wanted)), draws, marked, all_))
    return tables


class Enrichment(unittest.TestCase):
    def test_the_tail_is_exact(self) -> None:
        tables = some_tables(400, 300, seed=1) + [(64, 64, 64, 10**12), (1, 64, 1, 10**12), (0, 5, 0, 9), (5, 9, 5, 9)]
        for table, (p,) in zip(tables, answers([("tail", *table) for table in tables])):
            wanted = exact_tail(*table)
            self.assertLess(abs(p - wanted), 1e-11 * wanted + 1e-300, table)

    def test_thousands_of_draws_as_scipy_has_them(self) -> None:
        tables = [table for table in some_tables(200, 4000, seed=2) if table[3] < 10**7]
        self.assertGreater(len(tables), 50)
        for table, (p,) in zip(tables, answers([("tail", *table) for table in tables])):
            hits, draws, marked, all_ = table
            wanted = stats.hypergeom.sf(hits - 1, all_, marked, draws)
            # SciPy's goes through log-gammas: its own error is larger than what is looked for above.
            self.assertLess(abs(p - wanted), 1e-6 * wanted + 1e-250, table)

    def test_it_is_fishers(self) -> None:
        for hits, draws, marked, all_ in [(3, 10, 20, 100), (8, 10, 20, 100), (1, 7, 2, 50)]:
            table = [[hits, draws - hits], [marked - hits, all_ - marked - draws + hits]]
            ((p,),) = answers([("tail", hits, draws, marked, all_)])
            self.assertAlmostEqual(p, stats.fisher_exact(table, alternative="greater").pvalue, places=12)


class Corrections(unittest.TestCase):
    def test_benjamini_hochberg(self) -> None:
        rng = np.random.default_rng(3)
        for size in (1, 2, 50, 1000):
            p = rng.uniform(size=size) ** 3
            p[rng.integers(size)] = p[0]  # a tie
            (adjusted,) = answers([("fdr", *map(float, p))])
            np.testing.assert_allclose(adjusted, stats.false_discovery_control(p), rtol=1e-12)
        self.assertEqual(answers([("fdr",)]), [[]])


class Intervals(unittest.TestCase):
    def test_shares(self) -> None:
        shares = [(0, 1), (1, 1), (0, 50), (50, 50), (1, 50), (928, 226304), (10, 10**9), (5 * 10**11, 10**12)]
        for (hits, of), (low, high) in zip(shares, answers([("share", *share) for share in shares])):
            wanted = stats.binomtest(hits, of).proportion_ci(0.95, method="exact") if of < 10**6 else None
            if wanted is None:
                wanted = (stats.beta.ppf(0.025, hits, of - hits + 1), stats.beta.ppf(0.975, hits + 1, of - hits))
            np.testing.assert_allclose((low, high), wanted, rtol=1e-6)
        self.assertEqual(answers([("share", 0, 0)]), [[]])

    def test_means(self) -> None:
        rng = np.random.default_rng(4)
        for size in (2, 3, 20, 5000):
            values = rng.gamma(2, 3, size=size)
            ((low, high),) = answers([("mean", size, float(values.sum()), float((values**2).sum()))])
            wanted = stats.t.interval(0.95, size - 1, loc=values.mean(), scale=stats.sem(values))
            np.testing.assert_allclose((low, high), wanted, rtol=1e-8)
        self.assertEqual(answers([("mean", 1, 3.0, 9.0), ("mean", 0, 0.0, 0.0)]), [[], []])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
