"""`saetap merge` from outside.

    python3 test_merge.py SAETAP MAKE_STORE PRELOAD_LIBRARY
"""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from program_test import MAKE_STORE, StoreTest, run_tests


class Merge(StoreTest):
    def setUp(self) -> None:
        self.ranks = Path(tempfile.mkdtemp(prefix="saetap-merge-"))
        self.addCleanup(shutil.rmtree, self.ranks)
        for rank in ("rank0", "rank1"):
            subprocess.run([MAKE_STORE, rank, str(self.ranks / rank)], check=True)

    def test_ranks_become_one_store_that_every_command_reads(self) -> None:
        merged = self.ranks / "merged.saetap"
        said = self.ok("merge", merged, self.ranks / "rank1", self.ranks / "rank0" / "samples.saetap")
        self.assertIn(f"merged 2 stores into {merged}", said)
        self.assertRegex(said, r"  rank 0 of 2: \d+ steps, finished, started 2026-11-22T12:00:00Z\n  rank 1 of 2: ")
        info = self.ok_json("info", merged)
        alone = self.ok_json("info", self.ranks / "rank0")
        self.assertEqual([run["rank"] for run in info["runs"]], [0, 1])
        self.assertEqual(info["sites"][0]["tokens_seen"], 2 * alone["sites"][0]["tokens_seen"])
        self.assertEqual(info["sites"][0]["steps"], alone["sites"][0]["steps"])
        # Both ranks saw the same text: a place counts once, and so the strongest samples are those of one.
        self.assertEqual(self.ok_json("show", merged, 0)["samples"], self.ok_json("show", self.ranks / "rank0", 0)["samples"])
        self.assertIn("made of     2 runs", self.ok("info", merged))
        self.assertIn("# ", self.ok("report", merged, "-o", "-"))

    def test_json(self) -> None:
        said = json.loads(self.ok("merge", "--json", self.ranks / "all.saetap", self.ranks / "rank0", self.ranks / "rank1"))
        self.assertEqual((said["sites"], [run["run_id"] for run in said["runs"]]), (1, ["rank0", "rank1"]))

    def test_ranks_that_were_not_merged_are_named(self) -> None:
        self.fails(2, f"stores of 2 ranks are there: saetap merge {self.ranks}/samples.saetap {self.ranks}/rank*", "info", self.ranks)

    def test_what_cannot_be_merged_is_one_line(self) -> None:
        zero, one, merged = self.ranks / "rank0", self.ranks / "rank1", self.ranks / "merged.saetap"
        self.fails(2, "it would count twice", "merge", merged, zero, zero)
        self.fails(2, "no such file", "merge", merged, zero, self.ranks / "rank7")
        self.fails(2, "IN: At least 2 required", "merge", merged, zero)
        self.fails(2, "is one of the stores to merge", "merge", zero, zero, one)
        self.fails(2, "there is no folder", "merge", self.ranks / "no" / "merged.saetap", zero, one)
        self.assertFalse(merged.exists())
        self.ok("merge", merged, zero, one)
        self.fails(2, "exists; --force replaces it", "merge", merged, zero, one)
        self.ok("merge", "--force", merged, zero, one)
        self.assertEqual(sorted(path.name for path in self.ranks.iterdir()), ["merged.saetap", "rank0", "rank1"])


run_tests()
