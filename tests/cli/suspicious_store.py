"""A store in which something is wrong with known features, written from what docs/file_format.md says.

Text: 120 sequences of 64 tokens from 0 to 99, but the token 7 stands nowhere by chance: only where feature 44 is
active. Features 0 to 39 are active anywhere; the others are what PLANTED says: 46 has the direction of 3, and 49 the places of 5, but for one.
"""

import random
import sqlite3
import struct
from pathlib import Path

FEATURES = 50
WIDTH = 48
SEQUENCES = 120
LENGTH = 64
DRAWN = 40
STEPS = 100  # recent: the last 40, in windows of 20; before them three windows in history
ELIGIBLE = {"past": 60_000, "closed": 20_000, "open": 20_000}

PLANTED = {
    "nonfinite": [47],
    "dense": [40],
    "never_active": [41],
    "died": [42],
    "came_back": [43],
    "one_token": [44],
    "position_locked": [45],
    "duplicate_direction": [3, 46],
    "same_strongest": [5, 49],
    "negative": [48],
}
FAMILY = [10, 11, 12]


def half_rows(rows: list[list[float]]) -> bytes:
    return b"".join(struct.pack(f"<{WIDTH}e", *row) for row in rows)


def directions(chance: random.Random) -> bytes:
    """Across from each other as chance has it; 10, 11 and 12 at cosines of about 0.89 and 0.79, 46 as 3."""
    rows = []
    for feature in range(FEATURES):
        row = [0.0] * WIDTH
        row[feature % WIDTH] = 1.0
        row[(feature // WIDTH + feature + 1) % WIDTH] += 1.0 + feature / 100
        row[(3 * feature + 2) % WIDTH] += chance.choice((-1.2, 1.2))
        rows.append(row)
    unused = [at for at, value in enumerate(rows[10]) if value == 0]
    for other, axis in zip(FAMILY[1:], unused):
        rows[other] = [value + (at == axis) for at, value in enumerate(rows[10])]
    rows[46] = [2 * value for value in rows[3]]
    return half_rows(rows)


def active_tokens(feature: int, died: int = 600) -> dict[str, int]:
    """Of each part; history is the past in three windows alike. `died`: of feature 42."""
    if feature == 40:
        return {part: 3 * eligible // 10 for part, eligible in ELIGIBLE.items()}
    if feature == 41:
        return {}
    if feature == 42:
        return {"past": died}
    if feature == 43:
        return {"past": 200, "closed": 200, "open": 200}
    return {part: eligible // 100 for part, eligible in ELIGIBLE.items()}


def history_of(feature: int, window: int) -> int:
    if feature == 43:
        return 200 if window == 0 else 0
    return active_tokens(feature).get("past", 0) // 3


class Text:
    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        tokens = [token for token in range(100) if token != 7]
        self.rows = [[chance.choice(tokens) for _ in range(LENGTH)] for _ in range(SEQUENCES)]
        self.placed: dict[int, list[tuple[int, int]]] = {}
        self.ids = [sequence - 2**63 for sequence in chance.sample(range(2**40), SEQUENCES)]  # tokens are known

    def places(self, feature: int, locked: int) -> list[tuple[int, int]]:
        """Each in a sequence of its own. `locked`: how many of feature 45 are at position 0."""
        chosen = self.chance.sample(range(SEQUENCES), DRAWN)
        if feature == 49:
            return [*self.placed[5][1:], (chosen[0], LENGTH - 1)]
        if feature == 45:
            return [(sequence, 0 if at < locked else at) for at, sequence in enumerate(chosen)]
        places = [(sequence, self.chance.randrange(1, LENGTH)) for sequence in chosen]
        if feature == 44:
            for sequence, position in places:
                self.rows[sequence][position] = 7
        self.placed[feature] = places
        return places


def blobs(text: Text, places: list[tuple[int, int]], step: int, sign: int) -> list[bytes]:
    count = len(places)
    return [
        struct.pack(f"<{count}f", *(sign * (9 - rank / 10) for rank in range(count))),
        struct.pack(f"<{count}q", *(text.ids[sequence] for sequence, _ in places)),
        struct.pack(f"<{count}I", *(position for _, position in places)),
        struct.pack(f"<{count}I", *([step] * count)),
        struct.pack(f"<{count}i", *([-1] * count)),
        b"",
        b"",
    ]


SAMPLE_COLUMNS = "activation, sequence, position, step, context_count, context_offset, context_activation"


def insert(store: sqlite3.Connection, table: str, columns: str, values: list) -> None:
    marks = ", ".join("?" * len(values))
    store.execute(f"INSERT INTO {table}({columns}) VALUES({marks})", values)


def statistics_of(feature: int, active: int) -> list:
    negative = active // 2 if feature == 48 else 0
    nonfinite = 5 if feature == 47 else 0
    return [active, 4.0 * active, 20.0 * active, 9.0, nonfinite, negative]


STATISTICS = "active, sum, sum_of_squares, max, nonfinite, negative"


def write_feature(store: sqlite3.Connection, text: Text, feature: int, locked: int, died: int) -> None:
    places = text.places(feature, locked)
    sign = -1 if feature == 48 else 1
    for part, active in active_tokens(feature, died).items():
        bins = struct.pack("<Q", active)  # all of them near 4
        insert(store, "feature", f"site, part, feature, {STATISTICS}, first_bin, bins",
               [0, part, feature, *statistics_of(feature, active), 4 * 129, bins])
        own = blobs(text, places, 90 if part == "open" else 70 if part == "closed" else 10, sign)
        insert(store, "sample", f"site, part, feature, {SAMPLE_COLUMNS}, alike", [0, part, feature, *own, b""])
        insert(store, "random_sample", f"site, part, feature, {SAMPLE_COLUMNS}", [0, part, feature, *own])
    for window in range(3):
        if active := history_of(feature, window):
            insert(store, "history", f"site, window, feature, {STATISTICS}, {SAMPLE_COLUMNS}, alike",
                   [0, window, feature, *statistics_of(feature, active), *[b""] * 8])


def write_parts(store: sqlite3.Connection) -> None:
    spans = {"past": (0, 59, 2), "closed": (60, 79, 3), "open": (80, 99, 4)}
    for part, (first, last, window) in spans.items():
        insert(store, "part", "site, part, window, window_first_step, window_end_step, first_step, last_step, eligible",
               [0, part, window, max(first, 40 if part == "past" else first), last + 1, first, last, ELIGIBLE[part]])
    for window in range(3):
        insert(store, "past_window", "site, window, first_step, end_step, eligible",
               [0, window, 20 * window, 20 * window + 20, 20_000])


def make_suspicious(usual: Path, path: Path, locked: int = DRAWN, died: int = 600) -> None:
    """`usual`: a store of make_store's, of which the run and the tables are taken. `locked`, `died`: how far the
    features 45 and 42 go."""
    path.write_bytes(usual.read_bytes())
    chance = random.Random(5)
    store = sqlite3.connect(path)
    with store:
        for table in ("feature", "sample", "random_sample", "history", "past_window", "part", "sequence", "decoder"):
            store.execute(f"DELETE FROM {table}")
        store.execute("UPDATE site SET features = ?, d_out = ?", (FEATURES, WIDTH))
        store.execute("UPDATE meta SET value = ? WHERE key LIKE 'kept%'", (str(DRAWN),))
        text = Text(chance)
        write_parts(store)
        for feature in range(FEATURES):
            write_feature(store, text, feature, locked, died)
        insert(store, "decoder", "site, block, directions", [0, 0, directions(chance)])
        for sequence, tokens in zip(text.ids, text.rows):
            insert(store, "sequence", "id, segment, length, tokens, kept",
                   [sequence, 0, LENGTH, struct.pack(f"<{LENGTH}i", *tokens), 3])
    store.close()
