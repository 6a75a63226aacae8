"""NumPy structured arrays that pandas reads, and the rules by which samples of several parts of a run become one list."""
from __future__ import annotations

from typing import Any, Sequence

import numpy as np


class Table(np.ndarray):
    """A structured array: `table["density"]` is a column, `table[3]` a row. All of NumPy works on it."""

    def to_pandas(self) -> Any:
        """The same as a pandas.DataFrame (copied). ImportError where pandas is not installed."""
        import pandas

        return pandas.DataFrame.from_records(np.asarray(self))


SAMPLE = np.dtype([("activation", "<f4"), ("sequence", "<u8"), ("position", "<u4"), ("step", "<u4")])
# Of a sample, besides: the part of the run it was read from, its number there, and its group where those are limited.
KEPT = np.dtype(SAMPLE.descr + [("part", "<u1"), ("place", "<u4"), ("alike", "<u8")])

_GOLDEN, _FINAL1, _FINAL2 = (np.uint64(value) for value in (0x9E3779B97F4A7C15, 0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53))
_HALF = np.uint64(33)


def _mix(x: np.ndarray) -> np.ndarray:
    x = (x ^ (x >> _HALF)) * _FINAL1
    x = (x ^ (x >> _HALF)) * _FINAL2
    return x ^ (x >> _HALF)


def place_hash(sequence: np.ndarray, position: np.ndarray) -> np.ndarray:
    """uint64: the number by which a place is in the random sample or not (plugin/trace/token_position.cpp)."""
    with np.errstate(over="ignore"):
        return _mix(_mix(sequence.astype(np.uint64)) + (position.astype(np.uint64) + np.uint64(1)) * _GOLDEN)


def _first_of_each_place(rows: np.ndarray, *better: np.ndarray) -> np.ndarray:
    """One row of each place: the largest by `better`, the first of which counts most; of equal ones the last part's."""
    order = np.lexsort((rows["part"], *better[::-1], rows["position"], rows["sequence"]))[::-1]
    rows = rows[order]
    new = np.ones(len(rows), bool)
    new[1:] = (rows["sequence"][1:] != rows["sequence"][:-1]) | (rows["position"][1:] != rows["position"][:-1])
    return rows[new]


def merge_strongest(parts: Sequence[np.ndarray], most: int, most_alike: int) -> np.ndarray:
    """Of KEPT rows: of each place the largest activation (then the latest step), strongest first, at most `most`; of
    those alike at most `most_alike` (0: any number)."""
    rows = np.concatenate([*parts, np.empty(0, KEPT)])
    rows = _first_of_each_place(rows, np.abs(rows["activation"]), rows["step"], rows["activation"])
    rows = rows[np.lexsort((rows["position"], rows["sequence"], -np.abs(rows["activation"])))]
    if most_alike:
        taken: dict[int, int] = {}
        keep = np.zeros(len(rows), bool)
        for place, group in enumerate(rows["alike"].tolist()):
            taken[group] = taken.get(group, 0) + 1
            keep[place] = taken[group] <= most_alike
        rows = rows[keep]
    return rows[:most]


def merge_random(parts: Sequence[np.ndarray], most: int) -> np.ndarray:
    """Of KEPT rows: of each place the latest, those with the smallest hashes, at most `most`."""
    rows = np.concatenate([*parts, np.empty(0, KEPT)])
    rows = _first_of_each_place(rows, rows["step"], np.abs(rows["activation"]), rows["activation"])
    return rows[np.lexsort((rows["position"], rows["sequence"], place_hash(rows["sequence"], rows["position"])))][:most]
