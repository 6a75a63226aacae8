"""What was collected so far, read from the process that records."""
from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from saetap import library, recording
from saetap.arrays import Table
from saetap.library import SaetapError, check

STATISTICS = np.dtype(library.Statistics)
SAMPLE = np.dtype(library.Sample)


def _infos() -> list[library.SiteInfo]:
    if not recording.is_recording():
        return []
    functions, count = library.table(), ctypes.c_int64()
    check(functions.site_count(ctypes.byref(count)))
    infos = []
    for place in range(count.value):
        info = library.SiteInfo(struct_size=ctypes.sizeof(library.SiteInfo))
        check(functions.site_at(place, ctypes.byref(info)))
        infos.append(info)
    return infos


def sites() -> list[dict[str, Any]]:
    """The sites met so far, those hooked in TorchScript modules included, each with what was seen of it: id, name,
    module_type, path, method, description, features, d_in, d_out, group (layer of a stack, or -1), steps, steps_collected,
    calls, rows_seen, rows_collected, rows_excluded, rows_resolved, rows_ambiguous. Any thread. Raises SaetapError."""
    found = []
    for place, info in enumerate(_infos()):
        counts = library.SiteCounts(struct_size=ctypes.sizeof(library.SiteCounts))
        check(library.table().site_counts(place, ctypes.byref(counts)))
        values = {name: getattr(info, name) for name, *_ in info._fields_[1:]}
        values = {name: value.decode() if isinstance(value, bytes) else value for name, value in values.items()}
        found.append({**values, **{name: getattr(counts, name) for name, *_ in counts._fields_[1:]}})
    return found


def _place(site: int | str | None) -> tuple[int, library.SiteInfo]:
    infos = _infos()
    for place, info in enumerate(infos):
        if site is None or site in (info.id, info.name.decode()):
            return place, info
    known = ", ".join(info.name.decode() for info in infos) or "none yet"
    raise SaetapError(f"saetap: no site {site!r}; there are: {known}")


def statistics(site: int | str | None = None) -> Table:
    """Totals of every feature of a site over the window that is open, [F]: active (tokens), sum, sum_of_squares, max (of
    the largest magnitude), nonfinite, negative, eligible (tokens counted: active / eligible is the density), first_step,
    last_step. Everything up to the latest call is in it; waits some milliseconds. Earlier windows are in the store.

    `site`: a site's id or name; None: the first. Any thread. Raises SaetapError."""
    if not recording.is_recording():
        return np.zeros(0, STATISTICS).view(Table)
    place, info = _place(site)
    totals = np.zeros(info.features, STATISTICS)
    check(library.table().statistics(place, 0, info.features, library.address(totals)))
    return totals.view(Table)


def top_samples(site: int | str | None, feature: int, most: int = 100) -> Table:
    """The strongest samples of a feature in the window that is open, strongest first, at most `most`: sequence, position,
    step, activation, token (-1: not known). Any thread. Raises SaetapError."""
    if not recording.is_recording():
        return np.zeros(0, SAMPLE).view(Table)
    place, _ = _place(site)
    samples, count = np.zeros(max(most, 1), SAMPLE), ctypes.c_int64()
    check(library.table().top_samples(place, feature, library.address(samples), most, ctypes.byref(count)))
    return samples[:min(most, count.value)].view(Table)


def sample_tokens(sample: np.void, before: int = 20, after: int = 20) -> tuple[np.ndarray, int]:
    """The tokens around one of `top_samples`: int32 ids, and which of them is its own; none if they are not known."""
    row = np.array(sample, SAMPLE)
    tokens = np.zeros(before + 1 + after, np.int32)
    count, at = ctypes.c_int64(), ctypes.c_int64()
    check(library.table().sample_tokens(library.address(row), before, after, library.address(tokens), ctypes.byref(count),
                                        ctypes.byref(at)))
    return tokens[:count.value], at.value
