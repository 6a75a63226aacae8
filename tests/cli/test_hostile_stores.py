"""Every command on stores as damage and ill will make them, and on paths with odd names: a result or one line.

    python3 test_hostile_stores.py SAETAP MAKE_STORE PRELOAD_LIBRARY
"""

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "reliability"))

from fault_record import LONG_FORM, record_fault
from program_test import MAKE_STORE, SAETAP, StoreTest, clean_environment, run_tests

COMMANDS = (
    ("info",),
    ("info", "--json"),
    ("info", "--all-time"),
    ("features",),
    ("features", "--json", "--all-time"),
    ("show", "2"),
    ("show", "2", "--json", "--all-time"),
    ("compare", "2", "0", "--color", "always"),
    ("report", "-o", "-"),
    ("report", "-o", "-", "--html", "--all-time"),
    ("report", "--json"),
    ("export", "--all"),
    ("export", "--all-time", "--format", "csv"),
    ("plot", "distribution", "-o", "-"),
    ("plot", "max-density", "-o", "-"),
    ("plot", "map", "-o", "-"),
    ("plot", "samples", "2", "-o", "-", "--all-time"),
    ("plot", "windows", "2", "--json"),
    ("similar", "2"),
    ("similar", "--all", "--json"),
    ("similar", "--all", "--by", "places", "--top", "2"),
    ("cluster", "-k", "2", "--all-time"),
    ("cluster", "--by", "places", "--json"),
    ("map",),
)
NAMES = (
    "two\nlines",
    "\"quotes'",
    "100%",
    "a?b#c",
    "  spaces  ",
    "münchen→東",
    os.fsdecode(b"not utf-8 \xff\xfe"),
    "semi;colon & $(echo)",
    "file:a?mode=memory",
    ":memory:",
    "x" * 200,
)
SQL = "'); DROP TABLE sample; --"
SECONDS = 60  # more than any command takes; a hang is not waited for


class HostileTest(StoreTest):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        # A sound store that can be merged with the usual one.
        cls.sound = cls.folder / "rank1"
        subprocess.run([MAKE_STORE, "rank1", str(cls.sound)], check=True)

    def ends_well(self, *arguments: object, cwd: object = None) -> int:
        """The command ends by itself: with a result, or with one line and status 1 or 2."""
        command = [SAETAP, *map(str, arguments)]
        done = subprocess.run(
            command, capture_output=True, env=clean_environment(), cwd=cwd, timeout=SECONDS, check=False
        )
        said = done.stderr.decode(errors="surrogateescape")
        self.assertIn(done.returncode, (0, 1, 2), (command, said))
        if done.returncode != 0:
            # Lines before may say that ids are shown instead of text.
            self.assertEqual(said.count("\n"), len(said.splitlines()), said)
            self.assertTrue(said.splitlines()[-1].startswith("saetap: "), said)
            self.assertLess(len(said), 3000 + sum(map(len, command)))
        return done.returncode

    def merging_ends_well(self, store: Path) -> int:
        """Merged with a sound one: a whole store, or one line and nothing left."""
        folder = self.folder / "merged"
        folder.mkdir(exist_ok=True)
        status = self.ends_well("merge", folder / "all.saetap", store, self.sound)
        self.assertEqual([path.name for path in folder.iterdir()], ["all.saetap"] if status == 0 else [])
        if status == 0:
            self.assertEqual(self.ends_well("features", folder / "all.saetap", "--json", "--all-time"), 0)
            (folder / "all.saetap").unlink()
        return status

    def all_end_well(self, store: Path) -> set[int]:
        statuses = {self.ends_well(name, store, *rest) for name, *rest in COMMANDS}
        # Beside a sound one, as the training and as the final pass.
        beside = (("agree", store, self.sound), ("agree", self.sound, store, "--json", "--top", 3))
        return statuses | {self.ends_well(*arguments) for arguments in beside} | {self.merging_ends_well(store)}


class DamagedStores(HostileTest):
    def setUp(self) -> None:
        self.whole = (self.usual / "samples.saetap").read_bytes()
        self.path = self.folder / "damaged.saetap"

    def test_cut_short(self) -> None:
        step = 512 if LONG_FORM else 16 * 1024 + 512
        lengths = range(0, len(self.whole), step)
        for length in lengths:
            self.path.write_bytes(self.whole[:length])
            self.assertEqual(self.all_end_well(self.path), {2}, length)
        record_fault("input", "every command on a store that is cut short", len(lengths), "nothing: one line")

    def test_flipped_bits(self) -> None:
        chosen = random.Random(3)
        tries = 2000 if LONG_FORM else 60
        for _ in range(tries):
            at = chosen.randrange(len(self.whole))
            flipped = bytearray(self.whole)
            flipped[at] ^= 1 << chosen.randrange(8)
            self.path.write_bytes(flipped)
            self.all_end_well(self.path)
        record_fault("input", "every command on a store with a bit flipped", tries, "what the bit damaged, or one line")

    def test_rows_that_cannot_be(self) -> None:
        changes = (
            "UPDATE site SET features = 1 << 62",
            "UPDATE site SET features = 0",
            "UPDATE site SET d_in = 1 << 24, d_out = 1 << 24",
            "UPDATE feature SET sum = 9e999, sum_of_squares = 9e999",
            "UPDATE feature SET sum = -9e999 WHERE part = 'closed'",
            "UPDATE feature SET active = -1, negative = -1, nonfinite = -1",
            "UPDATE feature SET bins = zeroblob(8)",
            "UPDATE sample SET position = CAST(position || x'00' AS BLOB)",
            "UPDATE sample SET position = CAST(x'FFFFFFFF' || substr(position, 5) AS BLOB)",
            "UPDATE sample SET context_count = CAST(x'FFFFFF7F' || substr(context_count, 5) AS BLOB)",
            "UPDATE sequence SET tokens = randomblob(length(tokens)), length = -1",
            "UPDATE part SET eligible = -1, first_step = -1",
            "UPDATE part SET eligible = 0",
            "UPDATE meta SET value = '4294967295' WHERE key LIKE '%size' OR key LIKE '%feature'",
            "UPDATE meta SET value = '/dev/zero' WHERE key = 'tokenizer'",
            "UPDATE meta SET value = 'inf' WHERE key = 'sample_activation_threshold'",
            "INSERT INTO token SELECT 7, x'FF1B5B33316D0A00'",
            "DROP TABLE meta; CREATE VIEW meta AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
            " SELECT i AS key, i AS value FROM n",
            "DELETE FROM site",
        )
        for sql in changes:
            self.path.write_bytes(self.whole)
            with sqlite3.connect(self.path) as store:
                store.executescript(sql)
            store.close()
            with self.subTest(sql):
                self.all_end_well(self.path)
        record_fault("input", "every command on a store whose rows cannot be", len(changes), "nothing, or one line")

    def test_what_is_no_store(self) -> None:
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        loop = self.folder / "loop"
        loop.symlink_to("loop")
        dangling = self.folder / "dangling"
        dangling.symlink_to("nowhere")
        folder = self.folder / "holds a folder"
        (folder / "samples.saetap").mkdir(parents=True)
        foreign = self.folder / "foreign.sqlite"
        with sqlite3.connect(foreign) as database:
            database.execute("CREATE TABLE meta(key, value)")
        database.close()
        for path in (pipe, loop, dangling, folder, foreign, Path("/dev/zero"), Path("/dev/null"), Path("/proc/self/mem")):
            self.assertEqual(self.all_end_well(path), {2}, path)
        record_fault("input", "every command on a pipe, a device, a folder, a link to nothing, a foreign SQLite file", 8,
                     "nothing: one line")


class Names(HostileTest):
    def test_names_that_are_sql(self) -> None:
        store = self.folder / "sql"
        shutil.copytree(self.usual, store)
        path = store / "samples.saetap"
        with sqlite3.connect(path) as database:
            for column in ("name", "module_type", "method", "description", "token_stream"):
                database.execute(f"UPDATE site SET {column} = ?", (SQL,))
            database.execute("UPDATE meta SET value = ? WHERE key IN ('program', 'run_id', 'libtorch_version')", (SQL,))
            database.execute("INSERT INTO token VALUES(1, ?)", (SQL.encode(),))
        database.close()
        self.assertEqual(self.ok_json("info", store)["sites"][0]["name"], SQL)
        self.assertIn(SQL, self.ok("show", store, 0, "--site", SQL))
        self.assertEqual(self.all_end_well(store), {0})
        self.fails(1, "there is no site " + SQL, "features", self.usual, "--site", SQL)
        with sqlite3.connect(path) as database:
            self.assertGreater(database.execute("SELECT count(*) FROM sample").fetchone()[0], 0)
        database.close()
        record_fault("input", "every command on a store full of '); DROP TABLE sample; --", 1, "nothing")

    def test_paths_with_odd_names(self) -> None:
        for name in NAMES:
            with self.subTest(name):
                folder = self.folder / "odd" / name
                shutil.copytree(self.usual, folder)
                self.assertEqual(self.all_end_well(folder), {0})
                self.assertEqual(self.all_end_well(folder / "samples.saetap"), {0})
                # Relative, where a URI or a name of SQLite's own could be read into it.
                shutil.copy(folder / "samples.saetap", folder / name)
                here = {self.ends_well(command, name, *rest, cwd=folder) for command, *rest in COMMANDS}
                self.assertEqual(here, {0})
                tokenizer = folder / (name[:100] + ".json")
                shutil.copy(folder / "tokenizer.json", tokenizer)
                self.assertEqual(self.ends_well("features", folder, "--tokenizer", tokenizer), 0)
                self.assertEqual(self.ends_well("report", folder, "-o", folder / (name[:100] + ".md")), 0)
                self.assertIn(b"# Features of", Path(folder / (name[:100] + ".md")).read_bytes())
        record_fault("input", "every command on a path with odd characters", len(NAMES), "nothing")

    def test_a_leading_dash_and_a_path_too_long(self) -> None:
        here = self.folder / "dash"
        shutil.copytree(self.usual, here / "-store")
        self.assertEqual(self.ends_well("info", "--", "-store", cwd=here), 0)
        self.assertEqual(self.ends_well("info", "./-store", cwd=here), 0)
        for path in ("/" + "x" * 300, "/" + "x/" * 3000, "x" * 100_000):
            self.assertEqual(self.all_end_well(Path(path)), {2})
        record_fault("input", "every command on a path that begins with a dash or is too long", 5, "nothing, or one line")

    def test_links_to_stores(self) -> None:
        links = self.folder / "links"
        links.mkdir()
        (links / "file.saetap").symlink_to(self.usual / "samples.saetap")
        (links / "folder").symlink_to(self.usual)
        (links / "twice").symlink_to("folder")
        for name in ("file.saetap", "folder", "twice"):
            self.assertEqual(self.all_end_well(links / name), {0}, name)
        # A report goes where the link leads.
        (links / "report.md").symlink_to("there.md")
        self.assertEqual(self.ends_well("report", self.usual, "-o", links / "report.md"), 0)
        self.assertIn(b"# Features of", (links / "report.md").read_bytes())
        (links / "loop.md").symlink_to("loop.md")
        self.ends_well("report", self.usual, "-o", links / "loop.md")
        record_fault("input", "stores and reports behind links", 5, "nothing")


class Configs(HostileTest):
    def test_record_refuses_what_is_no_config_at_once(self) -> None:
        folder = self.folder / "configs"
        folder.mkdir()
        os.mkfifo(folder / "pipe")
        (folder / "loop").symlink_to("loop")
        (folder / "vast").write_bytes(b'{"a": "' + b"x" * 100_000_000 + b'"}')
        (folder / "deep").write_text('{"saetap":' * 100_000, encoding="utf-8")
        (folder / "rubbish").write_bytes(bytes(range(256)) * 10)
        reasons = {
            "pipe": "not a file",
            "loop": "Too many levels",
            "vast": "larger than 4 MiB",
            "deep": "nested more than 64 levels deep",
            "rubbish": "not valid JSON",
            ".": "not a file",
            "none": "No such file",
        }
        for name, reason in reasons.items():
            self.fails(2, reason, "record", "--config", folder / name, "--", "true")
        self.fails(2, "larger than", "record", "--config", folder / "vast", "--output", self.folder / "o", "--", "true")
        record_fault("input", "record with a config that is a pipe, a loop of links, 100 MB, nested or rubbish",
                     len(reasons) + 1, "nothing: one line before the program is started")

    def test_tokenizers_and_indexes_of_a_config(self) -> None:
        pipe = self.folder / "a pipe"
        os.mkfifo(pipe)
        for key, value in (("tokenizer", f'"{pipe}"'), ("tokens", f'{{"index": ["{pipe}"]}}')):
            config = self.folder / "tap.json"
            config.write_text(f'{{"saetap": {{"{key}": {value}}}}}', encoding="utf-8")
            self.assertEqual(self.ends_well("record", "--config", config, "--", "true"), 2)
        record_fault("input", "a config names a pipe as tokenizer or index", 2, "nothing: one line")


if __name__ == "__main__":
    run_tests()
