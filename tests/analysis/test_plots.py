"""`saetap plot`: what its tables hold, against NumPy on the store as SQLite reads it, and what its pictures show.

    python test_plots.py SAETAP MAKE_STORE PRELOAD_LIBRARY
"""

import csv
import io
import json
import re
import shutil
import sqlite3
import stat
import struct
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
from scipy.stats import binomtest

sys.path.append(str(Path(__file__).resolve().parents[1] / "cli"))

from program_test import SAETAP, StoreTest, clean_environment, run_tests, saetap

SVG = "{http://www.w3.org/2000/svg}"
RECENT = ("closed", "open")
HOSTILE = "<script>alert(1)</script>&\"'\x01\x1b[31m\ufffe\uffff]]>"


def packed(kind: str, blob: bytes) -> np.ndarray:
    return np.frombuffer(blob, dtype=np.dtype(kind).newbyteorder("<"))


class Store:
    """A store by SQLite alone."""

    def __init__(self, path: Path) -> None:
        self.sql = sqlite3.connect(path)

    def histogram(self, feature: int, parts: tuple = RECENT) -> np.ndarray:
        counts = np.zeros(255 * 4, dtype=np.uint64)
        query = f"SELECT first_bin, bins FROM feature WHERE site = 0 AND feature = ? AND part IN {parts}"
        for first, bins in self.sql.execute(query, (feature,)):
            own = packed("u8", bins)
            counts[first : first + len(own)] += own
        return counts

    def eligible(self, parts: tuple = RECENT) -> int:
        return self.sql.execute(f"SELECT sum(eligible) FROM part WHERE site = 0 AND part IN {parts}").fetchone()[0]

    def statistics(self, parts: tuple = RECENT) -> dict[int, tuple[int, float]]:
        """Of each active feature: on how many tokens, and the value of largest magnitude."""
        found: dict[int, tuple[int, float]] = {}
        query = f"SELECT feature, active, max FROM feature WHERE site = 0 AND part IN {parts}"
        for feature, active, largest in self.sql.execute(query):
            before = found.get(feature, (0, 0.0))
            found[feature] = (before[0] + active, max(before[1], largest, key=abs))
        return {feature: own for feature, own in found.items() if own[0] > 0}


def edge(bin_number: np.ndarray) -> np.ndarray:
    return 2.0 ** (np.asarray(bin_number) / 4 - 127)


def table(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Heads with their units, and rows by the names before them."""
    head, *rows = csv.reader(io.StringIO(path.read_bytes().decode(), newline=""))
    names = [name.split(" [")[0] for name in head]
    return head, [dict(zip(names, row, strict=True)) for row in rows]


def column(rows: list[dict[str, str]], name: str) -> np.ndarray:
    return np.array([float(row[name]) for row in rows])


class Svg:
    def __init__(self, text: bytes) -> None:
        self.root = ET.fromstring(text)

    def groups(self, name: str) -> list[ET.Element]:
        return self.root.findall(f".//{SVG}g[@class='{name}']")

    def texts(self, inside: ET.Element | None = None) -> list[str]:
        return ["".join(one.itertext()) for one in (self.root if inside is None else inside).iter(f"{SVG}text")]

    def caption(self) -> str:
        return " ".join(text for group in self.groups("caption") for text in self.texts(group))

    def axis(self, name: str, which: int = 0, log: bool = False) -> "callable":
        """From values to millimetres: the line through all labelled ticks, on which each of them must lie."""
        values, places = [], []
        group = self.groups(f"{name}-axis")[which]
        ticks = [float(line.get(f"{name}1")) for line in group.iter(f"{SVG}line")]
        for text in group.iter(f"{SVG}text"):
            label = text.text.replace(",", "")
            values.append(float(label[:-2]) / 100 if label.endswith(" %") else float(label))
            # A label stands at its tick; that of a y axis has its baseline a little lower.
            at = float(text.get(name)) - (0 if name == "x" else 0.91)
            assert min(abs(tick - at) for tick in ticks) < 0.02, (label, at, ticks)
            places.append(min(ticks, key=lambda tick: abs(tick - at)))
        scale = np.log10 if log else np.asarray
        slope, offset = np.polyfit(scale(np.array(values)), places, 1)
        assert len(values) >= 2 and np.abs(slope * scale(np.array(values)) + offset - places).max() < 0.02, values
        return lambda value: slope * scale(np.asarray(value, dtype=float)) + offset

    @staticmethod
    def marks(group: ET.Element) -> list[ET.Element]:
        return [one for one in group.iter() if one.get("class") == "mark"]


def centre(mark: ET.Element) -> tuple[float, float]:
    if mark.tag == f"{SVG}circle":
        return float(mark.get("cx")), float(mark.get("cy"))
    numbers = [float(number) for number in re.findall(r"-?\d+\.?\d*", mark.get("d"))]
    return numbers[0], numbers[1]


class PlotTest(StoreTest):
    def plot(self, store: Path, *arguments: object, ending: str = "svg", **extra: str) -> tuple[Svg, list[str], list[dict]]:
        name = self.folder / f"picture.{ending}"
        done = saetap("plot", store, *arguments, "-o", name, **extra)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn(str(name), done.stdout)
        head, rows = table(name.with_suffix(".csv"))
        return Svg(name.read_bytes()), head, rows

    @classmethod
    def random_store(cls, name: str, features: int, seed: int = 5) -> Path:
        """The usual store with this many features, most of them active, whose histograms and directions are random."""
        path = cls.folder / name
        shutil.copy(cls.usual / "samples.saetap", path)
        random = np.random.default_rng(seed)
        sql = sqlite3.connect(path)
        sql.execute("UPDATE site SET features = ?, d_out = 12", (features,))
        sql.execute("DELETE FROM feature")
        sql.execute("DELETE FROM decoder")
        # Densities from below a thousandth to above a tenth.
        sql.execute("UPDATE part SET eligible = 5000")
        directions = (random.normal(size=(features, 12)) * np.geomspace(1, 0.2, 12) + 0.3).astype("<f2")
        directions[3::11] = 0
        for block in range(0, features, 1024):
            blob = directions[block : block + 1024].tobytes()
            sql.execute("INSERT INTO decoder(site, block, directions) VALUES (0, ?, ?)", (block // 1024, blob))
        rows = []
        for feature in range(features):
            for part in RECENT[: random.integers(0, 3)]:
                bins = random.geometric(10 ** -random.uniform(0, 2.5), size=random.integers(1, 12)).astype("<u8")
                active, largest = int(bins.sum()), float(np.exp(random.normal()))
                first = int(random.integers(490, 520))
                rows.append((part, feature, active, 1.0, 1.0, largest, 0, 0, first, bins.tobytes()))
        sql.executemany(
            "INSERT INTO feature(site, part, feature, active, sum, sum_of_squares, max, nonfinite, negative, first_bin,"
            " bins) VALUES (0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
        sql.commit()
        return path


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


class Samples(PlotTest):
    def expected(self, store: Store, feature: int, context: int) -> list[tuple]:
        """(step, offset, token, activation or None) of the kept samples, strongest first."""
        known, samples = {}, []
        query = (
            "SELECT activation, sequence, position, step, context_count, context_offset, context_activation FROM sample"
            f" WHERE site = 0 AND feature = ? AND part IN {RECENT}"
        )
        for activation, sequence, position, step, count, offset, around in store.sql.execute(query, (feature,)):
            offsets, values, next_one = packed("i4", offset), packed("f4", around), 0
            for one in zip(
                packed("f4", activation), packed("i8", sequence), packed("u4", position), packed("u4", step),
                packed("i4", count), strict=True,
            ):
                many = max(int(one[4]), 0)
                mine = slice(next_one, next_one + many)
                known[one[:4]] = None if one[4] < 0 else dict(zip(offsets[mine].tolist(), values[mine], strict=True))
                next_one += many
                samples.append(one[:4])
        # A place that stands in both parts keeps its larger activation.
        samples.sort(key=lambda one: (-abs(one[0]), np.uint64(np.int64(one[1])), one[2]))
        places, kept = set(), []
        for one in samples:
            if one[1:3] not in places:
                kept.append(one)
            places.add(one[1:3])
        most = int(store.sql.execute("SELECT value FROM meta WHERE key = 'kept_samples_per_feature'").fetchone()[0])
        rows = []
        for one in kept[:most]:
            query = "SELECT tokens FROM sequence WHERE id = ? AND segment = 0"
            (blob,) = store.sql.execute(query, (int(one[1]),)).fetchone()
            tokens = packed("i4", blob).tolist()
            for at, token in enumerate(tokens):
                offset = at - int(one[2])
                if abs(offset) > context:
                    continue
                around = known[one]
                value = one[0] if offset == 0 else None if around is None else around.get(offset, 0)
                rows.append((int(one[3]), offset, token, value))
        return rows

    def test_table_is_the_stores_samples(self) -> None:
        store = Store(self.usual / "samples.saetap")
        for feature, context in ((0, 5), (2, 1), (4, 20)):
            _, _, rows = self.plot(self.usual, "samples", feature, "--context", context)
            expected = self.expected(store, feature, context)
            self.assertEqual(
                [(int(row["step"]), int(row["offset"]), int(row["token_id"])) for row in rows],
                [row[:3] for row in expected],
            )
            for row, (_, _, _, activation) in zip(rows, expected, strict=True):
                self.assertEqual(np.float32(row["activation"]), np.float32(activation))

    def test_a_token_that_goes_on_with_a_word_says_so(self) -> None:
        picture, head, rows = self.plot(self.usual, "samples", 0)
        texts = {int(row["token_id"]): row["token"].strip() for row in rows}
        self.assertEqual((texts[1], texts[2], texts[8]), ("nod", "##ding", "land"))
        drawn = ["".join(text.itertext()) for row in picture.groups("row") for text in row.iter(f"{SVG}text")]
        self.assertIn("##ding", drawn)
        self.assertIn("activation", head)

    def test_rows_and_shades(self) -> None:
        picture, _, rows = self.plot(self.usual, "samples", 0, "--samples", 3)
        drawn = picture.groups("row")
        self.assertEqual(len(drawn), 3)
        ranks = [[row for row in rows if row["rank"] == str(rank + 1)] for rank in range(3)]
        largest = column(rows, "activation").max()
        for group, own in zip(drawn, ranks, strict=True):
            marks = Svg.marks(group)
            self.assertEqual(len(marks), len(own))
            for mark, row in zip(marks, own, strict=True):
                share = float(row["activation"]) / largest
                expected = [round(255 + share * (dark - 255)) for dark in (8, 48, 107)]
                fill = bytes.fromhex(mark.get("fill")[1:])
                self.assertLessEqual(np.abs(np.array(list(fill)) - expected).max(), 1)
        # The activating token of every row stands in one column.
        at = [[row["offset"] for row in own].index("0") for own in ranks]
        self.assertEqual(len({Svg.marks(group)[i].get("x") for group, i in zip(drawn, at, strict=True)}), 1)

    def test_what_is_not_known_is_marked(self) -> None:
        path = self.folder / "unknown.saetap"
        shutil.copy(self.usual / "samples.saetap", path)
        sql = sqlite3.connect(path)
        for part, feature, count in sql.execute("SELECT part, feature, context_count FROM sample").fetchall():
            unknown = struct.pack(f"<{len(count) // 4}i", *[-1] * (len(count) // 4))
            sql.execute(
                "UPDATE sample SET context_count = ?, context_offset = x'', context_activation = x'' WHERE part = ? AND"
                " feature = ?",
                (unknown, part, feature),
            )
        sql.commit()
        picture, _, rows = self.plot(path, "samples", 0, "--tokenizer", self.usual / "tokenizer.json")
        self.assertEqual({row["activation"] for row in rows if row["offset"] != "0"}, {""})
        strokes = [line for group in picture.groups("row") for line in group.iter(f"{SVG}line")]
        self.assertEqual(len(strokes), sum(row["activation"] == "" for row in rows))
        self.assertIn("A stroke in the corner: not known there", picture.caption())

    def test_without_tokens(self) -> None:
        done = saetap("plot", self.folder / "no_tokens", "samples", 0, "-o", self.folder / "rows.svg")
        self.assertEqual(done.returncode, 0, done.stderr)
        picture = Svg((self.folder / "rows.svg").read_bytes())
        _, rows = table(self.folder / "rows.csv")
        self.assertEqual(picture.texts().count("(tokens not known)"), len(rows))
        self.assertEqual({row["token"] for row in rows}, {""})

    def test_text_is_text(self) -> None:
        vocabulary = {"plain": 7, HOSTILE: 8, "=1+1": 9, 'a,"b"': 1, "x" * 300: 10, "漢字漢字漢字漢字漢字": 12}
        tokens = self.folder / "hostile.json"
        decoder = {"type": "WordPiece", "prefix": "##", "cleanup": False}
        tokens.write_text(json.dumps({"model": {"type": "WordPiece", "vocab": vocabulary}, "decoder": decoder}))
        path = self.folder / "hostile.saetap"
        shutil.copy(self.usual / "samples.saetap", path)
        sql = sqlite3.connect(path)
        sql.execute("UPDATE site SET name = ?", (HOSTILE,))
        sql.commit()
        picture, _, rows = self.plot(path, "samples", 0, "--tokenizer", tokens)
        visible = "<script>alert(1)</script>&\"'\\x01\\x1B[31m"
        self.assertIn(visible, picture.caption())
        self.assertIsNone(picture.root.find(f".//{SVG}script"))
        texts = {row["token"].strip() for row in rows}
        self.assertTrue(any(text.startswith(visible) for text in texts), texts)
        self.assertTrue(any(text.startswith("'=1+1") or text == "=1+1" for text in texts), texts)
        self.assertIn('a,"b"', texts)
        self.assertIn("plain", picture.texts())
        # A token that is too long is cut in the picture, not in the table.
        self.assertIn("x" * 300, texts)
        self.assertTrue(all(len(text) < 60 for group in picture.groups("row") for text in picture.texts(group)))


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


class Files(PlotTest):
    def test_formats(self) -> None:
        root = self.plot(self.usual, "density")[0].root
        width, height = (float(root.get(name).removesuffix("mm")) for name in ("width", "height"))
        self.assertEqual(root.get("viewBox"), f"0 0 {width:g} {height:g}")
        self.plot_file("density", "picture.png")
        png = (self.folder / "picture.png").read_bytes()
        self.assertEqual(png[:8], b"\x89PNG\r\n\x1a\n")
        pixels = struct.unpack(">2I", png[16:24])
        np.testing.assert_allclose(pixels, (width / 25.4 * 300, height / 25.4 * 300), atol=1.5)
        self.plot_file("density", "picture.pdf")
        pdf = (self.folder / "picture.pdf").read_bytes()
        self.assertTrue(pdf.startswith(b"%PDF-"))
        box = re.search(rb"/MediaBox \[ *0 0 ([\d.]+) ([\d.]+) *\]", pdf)
        np.testing.assert_allclose([float(one) for one in box.groups()], (width / 25.4 * 72, height / 25.4 * 72), atol=1)

    def plot_file(self, *arguments: object) -> None:
        *rest, name = arguments
        done = saetap("plot", self.usual, *rest, "-o", self.folder / name)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_names(self) -> None:
        folder = self.folder / "names"
        folder.mkdir()
        for arguments, names in (
            (("density",), {"density.svg", "density.csv"}),
            (("samples", 2, "--format", "png"), {"samples-2.png", "samples-2.csv"}),
            (("distribution", 0, 3), {"distribution-0-3.svg", "distribution-0-3.csv"}),
            (("density", "-o", "v1.5", "--format", "svg"), {"v1.5", "v1.5.csv"}),
        ):
            done = saetap("plot", self.usual, *arguments, cwd=str(folder))
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual({path.name for path in folder.iterdir()}, names)
            for path in folder.iterdir():
                self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
                path.unlink()
        self.fails(2, "ends in .svg, .png or .pdf", "plot", self.usual, "density", "-o", folder / "density.jpg")
        self.fails(2, "is not --format pdf", "plot", self.usual, "density", "-o", folder / "a.svg", "--format", "pdf")
        self.assertEqual(list(folder.iterdir()), [])

    def test_stdout(self) -> None:
        Svg(self.ok("plot", self.usual, "density", "-o", "-").encode())
        command = [SAETAP, "plot", str(self.usual), "density", "-o", "-", "--format", "pdf"]
        done = subprocess.run(command, capture_output=True, check=True, env=clean_environment())
        self.assertTrue(done.stdout.startswith(b"%PDF-"))

    def test_a_converter_that_fails_is_said(self) -> None:
        tools = self.folder / "tools"
        tools.mkdir()
        picture = self.folder / "kept.png"
        picture.write_bytes(b"old")
        arguments = ("plot", self.usual, "density", "-o", picture)
        self.fails(2, "librsvg2-bin", *arguments, PATH=str(tools))
        fake = tools / "rsvg-convert"
        for script, reason in (
            ("exit 3", "it ended with status 3"),
            ("echo no font >&2; echo more >&2; exit 1", "cannot make the picture: no font"),
            ("exit 0", "it ended with status 0"),
            ("kill -9 $$", "it ended with status 137"),
        ):
            fake.write_text(f"#!/bin/sh\n{script}\n")
            fake.chmod(0o755)
            self.fails(2, reason, *arguments, PATH=str(tools))
        self.assertEqual(picture.read_bytes(), b"old")
        self.assertFalse((self.folder / "kept.csv").exists())

    def test_json_is_the_table(self) -> None:
        path = self.random_store("json.saetap", 60)
        for arguments in (("density",), ("max-density",), ("distribution",), ("map",), ("windows", 1, 2), ("samples", 0)):
            store = self.usual if arguments[0] in ("windows", "samples") else path
            _, _, rows = self.plot(store, *arguments)
            printed = self.ok_json("plot", store, *arguments)
            self.assertEqual(printed["kind"], arguments[0])
            self.assertEqual(printed["scope"]["kind"], "all_time" if arguments[0] == "windows" else "recent")
            self.assertEqual(len(printed["points"]), len(rows))
            for point, row in zip(printed["points"], rows, strict=True):
                self.assertEqual(list(point), list(row))
                for name, value in point.items():
                    if value is None or isinstance(value, str):
                        self.assertEqual(value or "", row[name])
                    else:
                        self.assertEqual(value, float(row[name]))

    def test_wrong_usage(self) -> None:
        self.fails(2, "KIND", "plot", self.usual, "pie")
        self.fails(2, "KIND is required (saetap plot --help)", "plot", self.usual)
        self.fails(2, "plot density takes no feature", "plot", self.usual, "density", 1)
        self.fails(2, "plot samples takes one feature", "plot", self.usual, "samples")
        self.fails(2, "plot samples takes one feature", "plot", self.usual, "samples", 1, 2)
        self.fails(2, "plot distribution takes up to 8 features", "plot", self.usual, "distribution", *range(8), 1)
        self.fails(2, "plot windows takes one to 8 features", "plot", self.usual, "windows")
        self.fails(2, "--samples and --context are for the kind samples", "plot", self.usual, "density", "--samples", 3)
        self.fails(2, "--method and --seed are for the kind map", "plot", self.usual, "density", "--method", "pca")
        self.fails(2, "--output excludes --json", "plot", self.usual, "density", "--json", "-o", "x.svg")
        self.fails(1, "there is no feature 8", "plot", self.usual, "samples", 8)
        self.fails(2, "it is a folder", "plot", self.usual, "density", "-o", self.svg_folder())

    def svg_folder(self) -> Path:
        folder = self.folder / "folder.svg"
        folder.mkdir()
        return folder


if __name__ == "__main__":
    run_tests()
