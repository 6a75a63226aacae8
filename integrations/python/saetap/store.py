"""Reading what a run saved: `saetap.open(path)`. Needs NumPy and neither the plugin nor PyTorch."""
from __future__ import annotations

import dataclasses
import os
from typing import Any

import numpy as np

from saetap.arrays import KEPT, Table, merge_random, merge_strongest
from saetap.store_file import Reading, StoreError, StoreFile

PARTS = ("open", "closed", "past")  # the first two are the recent part of a run
SEGMENT = 64  # tokens of a sequence that are stored together
TOKEN_BLOCK, MOST_TOKEN_IDS = 512, 1 << 21  # ids that are counted in one row, and in all
UNKNOWN_TOKEN = -1
HAS_TOKENS = 1 << 63
BINS_PER_OCTAVE, LOWEST_EXPONENT = 4, -127  # of the histogram of magnitudes

FEATURE = np.dtype([("feature", "<u4"), ("active", "<u8"), ("density", "<f8"), ("max", "<f4"), ("mean", "<f8"), ("std", "<f8"),
                    ("nonfinite", "<u8"), ("negative", "<u8")])
TOKEN_COUNT = np.dtype([("token", "<i4"), ("count", "<u8")])
LISTED = np.dtype([("feature", "<u4"), ("activation", "<f4"), ("sequence", "<u8"), ("position", "<u4"), ("step", "<u4")])


@dataclasses.dataclass(frozen=True)
class Scope:
    """The steps that were read, both included, and how many tokens counted in them (the density's denominator)."""

    first_step: int = 0
    last_step: int = 0
    tokens: int = 0


@dataclasses.dataclass(frozen=True)
class Site:
    """A place where feature activations enter a decoder; the counts are those of docs/file_format.md."""

    id: int
    name: str
    module_type: str
    method: str
    description: str
    features: int
    d_in: int
    d_out: int
    steps: int
    steps_collected: int
    rows_seen: int
    rows_collected: int
    rows_excluded: int
    rows_resolved: int
    calls: int
    rows_ambiguous: int
    token_source: str
    token_stream: str
    recent: Scope = Scope()
    all_time: Scope = Scope()


@dataclasses.dataclass(frozen=True)
class Sample:
    """One place in the text, and the activation of a feature there."""

    activation: float
    step: int
    sequence: int
    """A hash of the sequence's tokens; without known tokens the number of a run."""
    position: int
    """Of the token in the sequence, from 0; without known tokens the running number of the row."""
    tokens: np.ndarray | None
    """int32 ids around it; None if they are not known."""
    activating: int
    """Which of `tokens` is its own."""
    activations: np.ndarray | None
    """float32, of the feature at each of `tokens`; NaN beyond what was kept; None if they are not known."""
    from_start: bool
    """`tokens` begins with the sequence's first token."""
    to_end: bool
    """`tokens` ends with its last one."""

    @property
    def token(self) -> int | None:
        return None if self.tokens is None else int(self.tokens[self.activating])


class Store:
    """The samples and statistics of a run, as of the latest checkpoint; each method reads anew, so that a run can be
    watched while it goes on. Nothing is written, and the run waits for no longer than one method takes.

    Features are read over the *recent* part of the run (its last fifth to third), or with `all_time=True` over all of it.
    `site`: a site's number or name; None: the first. Any thread. Raises StoreError with a reason in one line."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """`path`: a .saetap file, or the folder that holds samples.saetap."""
        self._file = StoreFile(path)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Gives the file back; nothing can be read any more. Happens by itself when the object goes."""
        self._file.close()

    def __repr__(self) -> str:
        return f"saetap.open({self.path!r})"

    @property
    def path(self) -> str:
        return str(self._file.path)

    @property
    def run(self) -> dict[str, Any]:
        """Facts about the run, the table `meta` of docs/file_format.md: program, started, saved, tokenizer, the keys in
        force. Whole numbers are ints, `finished` is a bool, everything else text."""
        with self._file.reading() as reading:
            return _facts(reading)

    @property
    def runs(self) -> list[dict[str, Any]]:
        """One for each process whose collection is here: several where a run was resumed or ranks were merged."""
        columns = ("run_id", "rank", "ranks", "launch", "program", "started", "saved", "finished", "steps")
        with self._file.reading() as reading:
            found = reading.rows(f"SELECT {', '.join(columns)} FROM run ORDER BY rank, started, run_id")
        return [{**dict(zip(columns, row)), "finished": bool(row[7])} for row in found]

    @property
    def sites(self) -> list[Site]:
        """Where features were recorded, in the order of their ids."""
        with self._file.reading() as reading:
            return _sites(reading)

    def features(self, site: int | str | None = None, all_time: bool = False) -> Table:
        """What each feature did, [F]: feature, active (tokens), density, max (of the largest magnitude, with its sign),
        mean and std (of the active values), nonfinite and negative (counts). A `Table`, see its `to_pandas`."""
        with self._file.reading() as reading:
            of = _site(reading, site)
            sums = np.zeros(of.features, [("active", "<u8"), ("sum", "<f8"), ("squares", "<f8"), ("max", "<f8"),
                                          ("nonfinite", "<u8"), ("negative", "<u8")])
            for part in _parts(all_time):
                rows = reading.rows("SELECT feature, active, sum, sum_of_squares, max, nonfinite, negative FROM feature "
                                    "WHERE site = ? AND part = ?", of.id, part)
                if not rows:
                    continue
                at = np.array([row[0] for row in rows])
                if at.min() < 0 or at.max() >= of.features or len(np.unique(at)) != len(at):
                    raise reading.damaged("a feature the site does not have")
                read = np.array([row[1:] for row in rows], dtype=np.float64).T
                if not np.isfinite(read).all():
                    raise reading.damaged("a sum that is not a number")
                for name, values in zip(("active", "sum", "squares"), read[:3]):
                    sums[name][at] += values.astype(sums[name].dtype)
                larger = np.abs(read[3]) > np.abs(sums["max"][at])
                sums["max"][at[larger]] = read[3][larger]
                for name, values in zip(("nonfinite", "negative"), read[4:]):
                    sums[name][at] += values.astype(np.uint64)
            tokens = (of.all_time if all_time else of.recent).tokens
        table = np.zeros(of.features, FEATURE)
        table["feature"] = np.arange(of.features)
        for name in ("active", "max", "nonfinite", "negative"):
            table[name] = sums[name]
        active = np.maximum(sums["active"], 1)
        table["density"] = sums["active"] / max(tokens, 1)
        table["mean"] = sums["sum"] / active
        table["std"] = np.sqrt(np.maximum(0, sums["squares"] / active - table["mean"] ** 2))
        return table.view(Table)

    def samples(self, feature: int, site: int | str | None = None, all_time: bool = False, *, random: bool = False,
                context: int | None = None) -> list[Sample]:
        """The strongest samples of a feature, strongest first; or with `random=True` a random sample of the places where
        it was active, each as likely as any other, in an order that means nothing.

        `context`: tokens to each side (default: as many as were kept). IndexError for a feature that is not there."""
        with self._file.reading() as reading:
            facts = _facts(reading)
            of = _site(reading, site)
            if not 0 <= feature < of.features:
                raise IndexError(f"{self.path}: no feature {feature}; the site has features 0 to {of.features - 1}")
            kept, around = _kept(reading, facts, of, feature, all_time, random)
            size = facts["sample_context_size"]
            return [_sample(reading, row, around[row["part"]][row["place"]], size, size if context is None else context)
                    for row in kept]

    def sample_table(self, site: int | str | None = None, all_time: bool = False, *, random: bool = False) -> Table:
        """All samples of all features of a site, without their context: feature, activation, sequence, position, step;
        features in order, the strongest of each first. A `Table`, see its `to_pandas`."""
        with self._file.reading() as reading:
            facts = _facts(reading)
            of = _site(reading, site)
            table = "random_sample" if random else "sample"
            marks = ", ".join("?" for _ in _parts(all_time))
            features = [row[0] for row in reading.rows(f"SELECT DISTINCT feature FROM {table} WHERE site = ? AND part IN ({marks}) "
                                                       "ORDER BY feature", of.id, *_parts(all_time))]
            lists = []
            for feature in features:
                kept, _ = _kept(reading, facts, of, feature, all_time, random)
                rows = np.empty(len(kept), LISTED)
                rows["feature"] = feature
                for name in LISTED.names[1:]:
                    rows[name] = kept[name]
                lists.append(rows)
        return np.concatenate([*lists, np.empty(0, LISTED)]).view(Table)

    def histogram(self, feature: int, site: int | str | None = None, all_time: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """How large a feature's active values were: (counts [n], edges [n + 1]), as numpy.histogram gives them, of their
        magnitudes; both empty if it never was active."""
        with self._file.reading() as reading:
            of = _site(reading, site)
            rows = [row for part in _parts(all_time) for row in reading.rows(
                "SELECT first_bin, bins FROM feature WHERE site = ? AND part = ? AND feature = ?", of.id, part, feature)]
            bins = [(first, reading.array(blob, "<u8")) for first, blob in rows if blob]
        if not bins:
            return np.empty(0, np.uint64), np.empty(0)
        first = min(begin for begin, _ in bins)
        counts = np.zeros(max(begin + len(part) for begin, part in bins) - first, np.uint64)
        for begin, part in bins:
            counts[begin - first:begin - first + len(part)] += part
        return counts, 2.0 ** (np.arange(first, first + len(counts) + 1) / BINS_PER_OCTAVE + LOWEST_EXPONENT)

    def token_counts(self, site: int | str | None = None, all_time: bool = False) -> Table:
        """How many of the tokens that counted were of each id: token (those that were met, ascending), count. Where a row's
        token was not known it is in none, so that the counts add up to at most the tokens that counted. Empty where the
        store does not have it (written before it was kept, gone on with by a saetap that did not keep it, or with redact:
        tokens). A `Table`, see its `to_pandas`."""
        counts, rows, fit = np.zeros(MOST_TOKEN_IDS, np.uint64), 0.0, True
        with self._file.reading() as reading:
            of = _site(reading, site)
            known = reading.rows("SELECT 1 FROM sqlite_schema WHERE name = 'token_count'")
            eligible = dict(reading.rows("SELECT part, eligible FROM part WHERE site = ?", of.id))
            for part in _parts(True) if known else ():
                before = rows
                for block, blob in reading.rows("SELECT block, counts FROM token_count WHERE site = ? AND part = ?", of.id, part):
                    read = reading.array(blob, "<u8")
                    if not 0 <= block < MOST_TOKEN_IDS // TOKEN_BLOCK or len(read) > TOKEN_BLOCK:
                        raise reading.damaged("impossible tokens in token_count")
                    rows += float(read.sum(dtype=np.float64))
                    if part in _parts(all_time):
                        counts[block * TOKEN_BLOCK:block * TOKEN_BLOCK + len(read)] += read
                fit = fit and rows - before <= eligible.get(part, 0)
            if rows >= 2.0 ** 63:
                raise reading.damaged("more rows of tokens than can be")
        if not fit:  # a saetap that did not know the table went on with the store: they are other windows'
            counts[:] = 0
        table = np.empty(np.count_nonzero(counts), TOKEN_COUNT)
        table["token"] = np.flatnonzero(counts)
        table["count"] = counts[counts > 0]
        return table.view(Table)

    def decoder(self, site: int | str | None = None) -> np.ndarray | None:
        """The decoder's directions, float16 [F, d_out], as of the latest checkpoint; None if they were not saved."""
        with self._file.reading() as reading:
            of = _site(reading, site)
            blocks = [row[0] for row in reading.rows("SELECT directions FROM decoder WHERE site = ? ORDER BY block", of.id)]
            if not blocks:
                return None
            directions = reading.array(b"".join(blocks), "<f2")
            if directions.size != of.features * of.d_out:
                raise reading.damaged("decoder directions of another size")
        return directions.reshape(of.features, of.d_out)

    def token_texts(self) -> dict[int, bytes]:
        """The text of tokens where the program gave it; mostly empty. Bytes: not always whole characters."""
        with self._file.reading() as reading:
            return {int(token): bytes(text) for token, text in reading.rows("SELECT id, text FROM token")}


def _parts(all_time: bool) -> tuple[str, ...]:
    return PARTS if all_time else PARTS[:2]


def _facts(reading: Reading) -> dict[str, Any]:
    facts: dict[str, Any] = dict(reading.rows("SELECT key, value FROM meta"))
    for key in ("checkpoint", "lost_before", "max_memory_mb", "max_samples_per_feature", "random_samples_per_feature",
                "kept_samples_per_feature", "kept_random_samples_per_feature", "max_samples_per_sequence",
                "sample_context_size", "sample_collection_freq"):
        try:
            facts[key] = int(facts[key])
        except (KeyError, ValueError):
            raise reading.damaged(f"{key} in meta is no number") from None
    facts["finished"] = facts.get("finished") == "1"
    facts["collapse_near_duplicates"] = facts.get("collapse_near_duplicates") == "1"
    facts["sample_activation_threshold"] = float(facts.get("sample_activation_threshold", "nan"))
    return facts


def _sites(reading: Reading) -> list[Site]:
    columns = [field.name for field in dataclasses.fields(Site)][:-2]
    found = []
    for row in reading.rows(f"SELECT {', '.join(columns)} FROM site ORDER BY id"):
        site = Site(*row)
        if not 0 <= site.features <= 1 << 26:
            raise reading.damaged("impossible size of a site")
        scopes = {part: (first, last, tokens) for part, first, last, tokens in reading.rows(
            "SELECT part, first_step, last_step, eligible FROM part WHERE site = ? AND eligible > 0", site.id)}
        found.append(dataclasses.replace(site, recent=_scope(scopes, PARTS[:2]), all_time=_scope(scopes, PARTS)))
    return found


def _scope(scopes: dict[str, tuple[int, int, int]], parts: tuple[str, ...]) -> Scope:
    taken = [scopes[part] for part in parts if part in scopes]
    if not taken:
        return Scope()
    first, last, tokens = zip(*taken)
    return Scope(min(first), max(last), sum(tokens))


def _site(reading: Reading, wanted: int | str | None) -> Site:
    sites = _sites(reading)
    for site in sites:
        if wanted is None or wanted in (site.id, site.name):
            return site
    if not sites:
        raise StoreError(f"{reading.path}: nothing was attached: the store has no site")
    raise StoreError(f"{reading.path}: no site {wanted!r}; there are " + ", ".join(repr(site.name) for site in sites))


def _kept(reading: Reading, facts: dict[str, Any], site: Site, feature: int, all_time: bool,
          random: bool) -> tuple[np.ndarray, list[list[tuple[np.ndarray, np.ndarray] | None]]]:
    """KEPT rows as they are to be read, and for each part what is known around each of its samples."""
    alike = 0 if random else 1 if facts["collapse_near_duplicates"] else facts["max_samples_per_sequence"]
    columns = "activation, sequence, position, step, context_count, context_offset, context_activation"
    lists, around = [], []
    for part in _parts(all_time):
        found = reading.rows(f"SELECT {columns}{'' if random else ', alike'} FROM {'random_sample' if random else 'sample'} "
                             "WHERE site = ? AND part = ? AND feature = ?", site.id, part, feature)
        around.append([])
        for row in found:
            activation, sequence, position, step, count, offset, nearby = (
                reading.array(blob, kind) for blob, kind in zip(row, ("<f4", "<u8", "<u4", "<u4", "<i4", "<i4", "<f4")))
            if not len(activation) == len(sequence) == len(position) == len(step) == len(count):
                raise reading.damaged("sample columns of different lengths")
            if not np.isfinite(activation).all():
                raise reading.damaged("a sample that is not a number")
            rows = np.zeros(len(activation), KEPT)
            rows["activation"], rows["sequence"], rows["position"], rows["step"] = activation, sequence, position, step
            rows["part"], rows["place"] = len(around) - 1, np.arange(len(rows))
            if alike:
                groups = reading.array(row[7], "<u8")
                if len(groups) != len(rows):
                    raise reading.damaged("which samples are alike")
                rows["alike"] = groups
            ends = np.cumsum(np.maximum(count, 0))
            if len(ends) and (ends[-1] > len(offset) or ends[-1] > len(nearby)):
                raise reading.damaged("activations around a sample")
            around[-1] = [None if known < 0 else (offset[end - known:end], nearby[end - known:end])
                          for known, end in zip(count.tolist(), ends.tolist())]
            lists.append(rows)
    most = facts["kept_random_samples_per_feature" if random else "kept_samples_per_feature"]
    return (merge_random(lists, most) if random else merge_strongest(lists, most, alike)), around


def _sample(reading: Reading, row: np.void, around: tuple[np.ndarray, np.ndarray] | None, kept: int, context: int) -> Sample:
    position, sequence = int(row["position"]), int(row["sequence"])
    tokens, activating, from_start, to_end = _context(reading, sequence, position, context)
    activations = None
    if tokens is not None and around is not None:
        distance = np.arange(len(tokens)) - activating
        activations = np.where(np.abs(distance) <= kept, np.float32(0), np.float32(np.nan))
        offsets, values = around
        inside = (offsets >= -activating) & (offsets < len(tokens) - activating)
        activations[offsets[inside] + activating] = values[inside]
        activations[activating] = row["activation"]
    return Sample(float(row["activation"]), int(row["step"]), sequence, position, tokens, activating, activations, from_start,
                  to_end)


def _context(reading: Reading, sequence: int, position: int, size: int) -> tuple[np.ndarray | None, int, bool, bool]:
    """The stored tokens around a place, cut at the ends of the sequence and at what is not stored."""
    unknown = (None, 0, False, False)
    if not sequence & HAS_TOKENS:
        return unknown
    found = {segment: (length, reading.array(tokens, "<i4")[:SEGMENT]) for segment, length, tokens in reading.rows(
        "SELECT segment, length, tokens FROM sequence WHERE id = ? AND segment BETWEEN ? AND ?", sequence - (1 << 64),
        max(0, position - size) // SEGMENT, (position + size) // SEGMENT)}
    own = first = position // SEGMENT
    if own not in found or position - own * SEGMENT >= len(found[own][1]):
        return unknown
    while first - 1 in found and len(found[first - 1][1]) == SEGMENT:
        first -= 1
    last = own
    while last + 1 in found and len(found[last][1]) == SEGMENT:
        last += 1
    run = np.concatenate([found[segment][1] for segment in range(first, last + 1)])
    begin, end = max(first * SEGMENT, position - size), min(first * SEGMENT + len(run), position + size + 1)
    # Of a store made of a samples.json only what stood around samples is known.
    missing = np.flatnonzero(run == UNKNOWN_TOKEN) + first * SEGMENT
    begin = max([begin, *(missing[missing <= position] + 1)])
    end = min([end, *missing[missing > position]])
    if begin > position:
        return unknown
    return (run[begin - first * SEGMENT:end - first * SEGMENT], position - begin, begin == 0, end == found[last][0])
