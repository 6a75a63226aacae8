"""`saetap plot samples`: its table against the store as SQLite reads it, and the text as its picture shows it.

    python test_sample_plots.py SAETAP MAKE_STORE PRELOAD_LIBRARY
"""

import json
import shutil
import sqlite3
import struct

import numpy as np

from plot_test import PlotTest, RECENT, SVG, Store, Svg, column, packed, table
from program_test import run_tests, saetap

HOSTILE = "<script>alert(1)</script>&\"'\x01\x1b[31m\ufffe\uffff]]>"


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
        _, rows = table(self.folder / "rows.points.csv")
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


if __name__ == "__main__":
    run_tests()
