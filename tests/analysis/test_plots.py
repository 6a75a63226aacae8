"""`saetap plot`: what its tables hold, against NumPy on the store as SQLite reads it, and what its pictures show.

    python test_plots.py SAETAP MAKE_STORE PRELOAD_LIBRARY
"""

import json
import re
import shutil
import sqlite3
import sys

import numpy as np
from scipy.stats import binomtest

from plot_test import PlotTest, RECENT, SVG, Store, Svg, centre, column, edge, packed
from program_test import run_tests


class Distribution(PlotTest):
    def test_of_features_is_their_histograms(self) -> None:
        path = self.random_store("some.saetap", 40)
        store = Store(path)
        active = sorted(store.statistics())[:4]
        picture, head, rows = self.plot(path, "distribution", *active)
        self.assertEqual(head[1], "from [activation]")
        x, y = picture.axis("x", log=True), picture.axis("y")
        histograms = [store.histogram(feature) for feature in active]
        for feature, series in zip(active, picture.groups("series"), strict=True):
            counts = store.histogram(feature)
            used = np.arange(counts.nonzero()[0][0], counts.nonzero()[0][-1] + 1)
            own = [row for row in rows if int(row["feature"]) == feature]
            np.testing.assert_array_equal(column(own, "tokens"), counts[used])
            np.testing.assert_allclose(column(own, "from"), edge(used), rtol=1e-12)
            np.testing.assert_allclose(column(own, "to"), edge(used + 1), rtol=1e-12)
            np.testing.assert_allclose(column(own, "share"), counts[used] / counts.sum(), rtol=1e-12)
            # The picture begins where one of them has more than a hundredth of its values behind it.
            begin = min(np.searchsorted(np.cumsum(own) / own.sum(), 0.01, side="right") for own in histograms)
            drawn = used[used >= begin]
            line = np.array(series.find(f"{SVG}polyline").get("points").split(), dtype=float).reshape(-1, 2)
            np.testing.assert_allclose(line[:, 0], x(edge(drawn + 0.5)), atol=0.03)
            np.testing.assert_allclose(line[:, 1], y(counts[drawn] / counts.sum()), atol=0.03)
            self.assertEqual(len(Svg.marks(series)), len(drawn))
        self.assertIn(f"(n = {store.statistics()[active[0]][0]:,})", " ".join(picture.texts()))

    def test_of_the_site_is_quantiles_over_features(self) -> None:
        path = self.random_store("many.saetap", 300)
        store = Store(path)
        picture, _, rows = self.plot(path, "distribution")
        histograms = np.array([store.histogram(feature) for feature in store.statistics()], dtype=float)
        used = histograms.sum(axis=0).nonzero()[0]
        bins = np.arange(used[0], used[-1] + 2)
        above = histograms[:, ::-1].cumsum(axis=1)[:, ::-1]
        shares = (above / histograms.sum(axis=1, keepdims=True))[:, bins]
        np.testing.assert_allclose(column(rows, "at_least"), edge(bins), rtol=1e-12)
        for name, level in (("p5", 0.05), ("p25", 0.25), ("median", 0.5), ("p75", 0.75), ("p95", 0.95)):
            expected = np.quantile(shares, level, axis=0, method="inverted_cdf")
            np.testing.assert_allclose(column(rows, name), expected, rtol=1e-12, err_msg=name)
        np.testing.assert_allclose(column(rows, "pooled"), above[:, bins].sum(axis=0) / histograms.sum(), rtol=1e-12)
        caption = picture.caption()
        self.assertIn(f"n = {len(histograms)} features with {int(histograms.sum()):,} active values", caption)
        self.assertIn(f"{300 - len(histograms)} features never active", caption)
        # Each line of the picture is a column of the table.
        x, y = picture.axis("x", log=True), picture.axis("y")
        lines = [line.get("points").split() for line in picture.groups("series")[0].iter(f"{SVG}polyline")]
        for line, name in zip(lines, ("pooled", "median"), strict=True):
            places = np.array(line, dtype=float).reshape(-1, 2)
            drawn = rows[len(rows) - len(places) :]
            np.testing.assert_allclose(places[:, 0], x(column(drawn, "at_least")), atol=0.03)
            np.testing.assert_allclose(places[:, 1], y(column(drawn, name)), atol=0.03)
        # What the picture leaves out at its left is next to nothing.
        left_out = rows[: len(rows) - len(places) + 1]
        self.assertGreaterEqual(min(column(left_out, "p5").min(), column(left_out, "pooled").min()), 0.99)

    def test_of_one_feature_is_bars(self) -> None:
        path = self.random_store("one.saetap", 10)
        counts = {feature: Store(path).histogram(feature) for feature in Store(path).statistics()}
        feature, own = next(iter(counts.items()))
        picture, _, _ = self.plot(path, "distribution", feature)
        x, y = picture.axis("x", log=True), picture.axis("y")
        used = own.nonzero()[0]
        drawn = used[used >= np.searchsorted(np.cumsum(own) / own.sum(), 0.01, side="right")]
        marks = Svg.marks(picture.groups("bars")[0])
        np.testing.assert_allclose([float(mark.get("x")) for mark in marks], x(edge(drawn)), atol=0.03)
        np.testing.assert_allclose([float(mark.get("y")) for mark in marks], y(own[drawn] / own.sum()), atol=0.03)
        self.assertIn(f"n = {int(own.sum()):,} active values", picture.caption())

    def test_series_differ_without_colour(self) -> None:
        path = self.random_store("eight.saetap", 40)
        active = sorted(Store(path).statistics())[:8]
        picture, _, _ = self.plot(path, "distribution", *active)
        dashes, shapes = set(), set()
        for series in picture.groups("series"):
            dashes.add(series.find(f"{SVG}polyline").get("stroke-dasharray"))
            mark = Svg.marks(series)[0]
            numbers = np.array(re.findall(r"-?\d+\.?\d*", mark.get("d") or ""), dtype=float)
            form = np.round(numbers[2:4] - numbers[:2], 1).tolist() if "L" in (mark.get("d") or "") else []
            shapes.add((mark.tag, mark.get("fill") == "none", re.sub(r"[-\d. ]+", "", mark.get("d") or ""), str(form)))
        self.assertEqual((len(dashes), len(shapes)), (8, 8), (dashes, shapes))


class Density(PlotTest):
    def test_is_numpys_histogram(self) -> None:
        path = self.random_store("density.saetap", 500)
        store = Store(path)
        densities = np.array([own[0] for own in store.statistics().values()]) / store.eligible()
        picture, head, rows = self.plot(path, "density")
        self.assertEqual(head, ["from [share of tokens]", "to [share of tokens]", "features [features]"])
        self.assertEqual(rows[0], {"from": "0", "to": "0", "features": str(500 - len(densities))})
        bins = rows[1:]
        edges = np.append(column(bins, "from"), column(bins, "to")[-1])
        np.testing.assert_allclose(np.log10(edges) * 5, np.round(np.log10(edges) * 5), atol=1e-9)
        np.testing.assert_array_equal(column(bins, "features"), np.histogram(densities, edges)[0])
        self.assertEqual(column(bins, "features").sum(), len(densities))
        x, y = picture.axis("x", log=True), picture.axis("y")
        drawn = [bar for bar in bins if bar["features"] != "0"]
        marks = Svg.marks(picture.groups("bars")[0])
        self.assertEqual(len(marks), len(drawn))
        for mark, bar in zip(marks, drawn, strict=True):
            self.assertAlmostEqual(float(mark.get("x")), float(x(float(bar["from"]))), delta=0.03)
            self.assertAlmostEqual(float(mark.get("y")), float(y(float(bar["features"]))), delta=0.03)
            self.assertAlmostEqual(float(mark.get("height")), float(y(0) - y(float(bar["features"]))), delta=0.03)
        self.assertIn(f"n = {len(densities)} features that were active", picture.caption())
        self.assertIn(f"{500 - len(densities)} dead features of 500", picture.caption())
        self.assertIn("steps 10 to 29 of 0 to 29", picture.caption())

    def test_dead_site_has_nothing_to_draw(self) -> None:
        path = self.folder / "dead.saetap"
        shutil.copy(self.usual / "samples.saetap", path)
        sql = sqlite3.connect(path)
        sql.executescript("DELETE FROM feature; DELETE FROM sample;")
        for kind in ("density", "max-density", "distribution"):
            self.fails(1, "was active in the steps that were read", "plot", path, kind)
        self.fails(1, "feature 2 has none here", "plot", path, "samples", 2)


class MaxDensity(PlotTest):
    def test_has_a_mark_for_each_feature(self) -> None:
        path = self.random_store("max.saetap", 700)
        store = Store(path)
        for arguments, parts in ((), RECENT), (("--all-time",), ("past", *RECENT)):
            expected = store.statistics(parts)
            picture, _, rows = self.plot(path, "max-density", *arguments)
            self.assertEqual([int(row["feature"]) for row in rows], sorted(expected))
            x, y = picture.axis("x", log=True), picture.axis("y", log=True)
            marks = Svg.marks(picture.groups("series")[0])
            for row, mark in zip(rows, marks, strict=True):
                active, largest = expected[int(row["feature"])]
                self.assertEqual(int(row["active_tokens"]), active)
                self.assertEqual(np.float32(row["max"]), np.float32(largest))
                self.assertAlmostEqual(float(row["density"]), active / store.eligible(parts), delta=1e-15)
                place = centre(mark)
                self.assertAlmostEqual(place[0], float(x(float(row["density"]))), delta=0.03)
                self.assertAlmostEqual(place[1], float(y(float(row["max"]))), delta=0.03)

    def test_of_many_features_is_small_and_whole(self) -> None:
        path = self.random_store("large.saetap", 65536)
        expected = Store(path).statistics()
        picture, _, rows = self.plot(path, "max-density")
        self.assertEqual(len(rows), len(expected))
        self.assertLess((self.folder / "picture.svg").stat().st_size, 1_000_000)
        self.assertIn("a square of 1 mm stands for the features in it", picture.caption())
        # The cells are those of the points, the darker the more points there are.
        x, y = picture.axis("x", log=True), picture.axis("y", log=True)
        area = next(one for one in picture.root.iter(f"{SVG}rect") if one.get("fill") == "none")
        left, top = float(area.get("x")), float(area.get("y"))
        columns = np.floor(x(column(rows, "density")) - left + 1e-9).astype(int)
        lines = np.floor(y(column(rows, "max")) - top + 1e-9).astype(int)
        counts: dict[tuple[int, int], int] = {}
        for place in zip(columns.tolist(), lines.tolist(), strict=True):
            counts[place] = counts.get(place, 0) + 1
        drawn = {
            (round(float(mark.get("x")) - left), round(float(mark.get("y")) - top)): mark.get("fill")
            for mark in Svg.marks(picture.groups("cells")[0])
        }
        # Points at the edge of a cell may fall to its neighbour by rounding.
        common = [place for place in drawn if place in counts]
        self.assertGreater(len(common), 0.97 * max(len(drawn), len(counts)))
        shades: dict[str, list[int]] = {}
        for place in common:
            shades.setdefault(drawn[place], []).append(counts[place])
        medians = [np.median(shades[fill]) for fill in sorted(shades, reverse=True)]  # "#fff…" is the lightest
        self.assertEqual(medians, sorted(medians))
        self.assertGreaterEqual(len(medians), 3)


class Map(PlotTest):
    def test_is_numpys_principal_components(self) -> None:
        path = self.random_store("map.saetap", 1500)
        store = Store(path)
        blobs = store.sql.execute("SELECT directions FROM decoder ORDER BY block").fetchall()
        directions = packed("f2", b"".join(blob for (blob,) in blobs)).astype(float).reshape(-1, 12)
        lengths = np.linalg.norm(directions, axis=1)
        statistics = store.statistics()
        active = np.array([statistics.get(one, (0, 0))[0] > 0 for one in range(len(lengths))])
        self.assertTrue((~active & (lengths > 0)).any())
        kept = (active & (lengths > 0)).nonzero()[0]
        unit = directions[kept] / lengths[kept, None]
        _, sizes, components = np.linalg.svd(unit - unit.mean(axis=0), full_matrices=False)
        components *= np.sign(components[np.arange(12), np.abs(components).argmax(axis=1)])[:, None]
        expected = (unit - unit.mean(axis=0)) @ components[:2].T
        picture, _, rows = self.plot(path, "map")
        self.assertEqual([int(row["feature"]) for row in rows], kept.tolist())
        np.testing.assert_allclose(np.stack([column(rows, "x"), column(rows, "y")], axis=1), expected, atol=1e-4)
        self.assertEqual(
            [int(row["active_tokens"]) for row in rows], [statistics.get(one, (0, 0))[0] for one in kept.tolist()]
        )
        share = sizes**2 / (sizes**2).sum()
        self.assertIn(f"principal component 1 ({share[0]:.1%} of the variance)".replace("%", " %"), picture.texts())
        # Each feature has the mark of its density's class, at its place.
        x, y = picture.axis("x"), picture.axis("y")
        self.assertAlmostEqual(float(x(1) - x(0)), float(y(0) - y(1)), delta=0.3)  # one scale in both directions
        density = column(rows, "density")
        kinds = np.digitize(density, [0.001, 0.01, 0.1])
        self.assertEqual(set(kinds.tolist()), {0, 1, 2, 3})
        for kind, series in enumerate(picture.groups("series")):
            own = (kinds == kind).nonzero()[0]
            marks = Svg.marks(series)
            self.assertEqual(len(marks), len(own))
            if marks[0].tag == f"{SVG}circle":
                places = np.array([centre(mark) for mark in marks])
                np.testing.assert_allclose(places[:, 0], x(column(rows, "x")[own]), atol=0.05)
                np.testing.assert_allclose(places[:, 1], y(column(rows, "y")[own]), atol=0.05)

    def test_needs_directions(self) -> None:
        self.fails(1, "no decoder directions were saved of this site", "plot", self.folder / "no_tokens", "map")

    def test_tsne_is_the_map_of_saetap_map(self) -> None:
        path = self.random_store("tsne.saetap", 200)
        python = {"SAETAP_PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
        how = ("--method", "tsne", "--seed", 5)
        map_of = json.loads(self.ok("map", path, *how, "--json", **python))["points"]
        picture, _, rows = self.plot(path, "map", *how, **python)
        self.assertEqual([(int(row["feature"]), float(row["x"]), float(row["y"])) for row in rows],
                         [(one["feature"], one["x"], one["y"]) for one in map_of])
        self.assertIn("t-SNE of the decoder directions by their cosines, seed 5", picture.caption())
        self.assertTrue({"t-SNE dimension 1", "t-SNE dimension 2"} <= set(picture.texts()))


class Windows(PlotTest):
    def test_table_is_the_stores_windows(self) -> None:
        store = Store(self.usual / "samples.saetap")
        picture, _, rows = self.plot(self.usual, "windows", 0, 1)
        expected = []
        for feature in (0, 1):
            past = "SELECT window, first_step, end_step - 1, eligible FROM past_window ORDER BY window"
            for span in store.sql.execute(past).fetchall():
                query = "SELECT active, max FROM history WHERE window = ? AND feature = ?"
                found = store.sql.execute(query, (span[0], feature)).fetchone()
                expected.append((feature, span[0], "history", *span[1:], *(found or (0, 0.0))))
            for part in RECENT:
                query = "SELECT window, first_step, last_step, eligible FROM part WHERE part = ?"
                span = store.sql.execute(query, (part,)).fetchone()
                query = "SELECT active, max FROM feature WHERE part = ? AND feature = ?"
                found = store.sql.execute(query, (part, feature)).fetchone()
                expected.append((feature, span[0], part, *span[1:], *(found or (0, 0.0))))
        names = ("feature", "window", "kind", "first_step", "last_step", "tokens", "active_tokens")
        self.assertEqual(
            [tuple(row[name] for name in names) for row in rows], [tuple(map(str, own[:7])) for own in expected]
        )
        np.testing.assert_array_equal(np.float32(column(rows, "max")), np.float32([own[7] for own in expected]))
        np.testing.assert_allclose(column(rows, "density"), [own[6] / own[5] for own in expected], rtol=1e-12)
        for row, own in zip(rows, expected, strict=True):
            likely = binomtest(own[6], own[5]).proportion_ci(0.95, "exact")
            np.testing.assert_allclose([float(row["density_low"]), float(row["density_high"])], list(likely), atol=1e-9)
        # Two panels, a series of each feature in both: the first one's marks are circles.
        self.assertEqual(len(picture.groups("series")), 4)
        first = [row for row in rows if row["feature"] == "0"]
        middles = (column(first, "first_step") + column(first, "last_step")) / 2
        for panel, name in ((0, "max"), (1, "density")):
            places = np.array([centre(mark) for mark in Svg.marks(picture.groups("series")[2 * panel])])
            np.testing.assert_allclose(places[:, 0], picture.axis("x", panel)(middles), atol=0.03)
            np.testing.assert_allclose(places[:, 1], picture.axis("y", panel)(column(first, name)), atol=0.03)

    def test_dead_feature(self) -> None:
        self.fails(1, "never active in the run", "plot", self.usual, "windows", 7)


if __name__ == "__main__":
    run_tests()
