"""What all tests of `saetap plot` share: a store as SQLite has it, and pictures and tables as they are read back."""

import csv
import io
import re
import shutil
import sqlite3
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1] / "cli"))

from program_test import StoreTest, saetap

SVG = "{http://www.w3.org/2000/svg}"
RECENT = ("closed", "open")


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
        head, rows = table(name.with_suffix(".points.csv"))
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
