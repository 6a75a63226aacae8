"""Hours in small: a program that trains, checkpoints, reloads modules, stops and starts recording, and must not grow.

Usage: test_soak.py BIN_DIR PLUGIN      (BIN_DIR holds soak; PLUGIN: libsaetap.so)
"""

import json
import pathlib
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "reliability"))
from fault_record import LONG_FORM, record_fault

BIN, PLUGIN = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
SECONDS = 1800 if LONG_FORM else 15
RESTART_SECONDS = 20 if LONG_FORM else 4
GROWTH_MIB = 12  # what the allocator may still take in when all that is kept is full
CONFIG = {"saetap": {"save_activation_samples": True, "checkpoint_seconds": 1, "log_level": "error",
                     "max_samples_per_feature": 20, "tokens": {"buffer_rows": 4096}}}


def recorded_rows(store):
    """Rows that went through all sites of a store, and whether the recording ended in order."""
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
        rows, = connection.execute("select sum(rows_seen) from site").fetchone()
        finished, = connection.execute("select value from meta where key = 'finished'").fetchone()
    return rows, finished


def taken(samples):
    """Resident KiB but for what a busy collector has in hand: the lower quartile. Threads and open files: the fewest, for
    a machine with other work is saving most of the time."""
    return [statistics.quantiles(sample[1] for sample in samples)[0], *(min(sample[number] for sample in samples) for number in (2, 3))]


class Soak(unittest.TestCase):
    def test_memory_threads_and_files_stay_as_they_are_and_every_row_is_counted(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            CONFIG["saetap"]["output_dir"] = str(folder / "samples")
            (folder / "config.json").write_text(json.dumps(CONFIG))
            command = [BIN / "soak", SECONDS, RESTART_SECONDS, PLUGIN, folder / "config.json"]
            done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                                  timeout=2 * SECONDS + 300, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            stores = sorted((folder / "samples").glob("*.saetap"))
            kept = [recorded_rows(store) for store in stores]
        lines = [line.split() for line in done.stdout.splitlines()]
        fed = [int(words[1]) for words in lines if words[0] == "recorded"]
        samples = [[float(word) for word in words[1:]] for words in lines if words[0] == "sample"]
        self.assertGreater(min(fed), 0)
        self.assertEqual(sorted(kept), sorted((rows, "1") for rows in fed))

        third = len(samples) // 3
        self.assertGreater(third, 3)
        middle, last = (taken(part) for part in (samples[third:2 * third], samples[2 * third:]))
        print(f"{len(samples)} samples, {len(fed)} recordings, {sum(fed):,} rows; resident {middle[0] / 1024:.1f} MiB, "
              f"then {last[0] / 1024:.1f}; threads {middle[1]:.0f}, then {last[1]:.0f}; files {middle[2]:.0f}, "
              f"then {last[2]:.0f}", file=sys.stderr)
        self.assertLess(last[0], middle[0] + GROWTH_MIB * 1024)
        self.assertLessEqual(last[1], middle[1])
        self.assertLessEqual(last[2], middle[2])
        record_fault("threads", f"{SECONDS} s of training with checkpoints, reloaded modules and recordings that stop "
                     "and start: memory, threads and open files", len(samples), "nothing")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
