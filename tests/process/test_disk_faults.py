"""A disk that fails while a program is recorded: one warning, training is the same to the last bit, collection goes on
in memory and is saved when it can be."""

import array
import concurrent.futures
import os
import pathlib
import re
import sqlite3
import subprocess
import tempfile
import time
import unittest

from host_run import ACTIVE, LONG_FORM, PLUGIN, ROWS, UNBOUNDED, Ended, HostTest, Store, record_fault, run_tests

STEPS, EVERY = 12, 2  # six checkpoints
MOUNT = "mount -t tmpfs -o size=3m,mode=700 none out"
UNSAVED, AGAIN, GONE = "not saved", "saved again", "not where it was left"
WINDOW = 3  # steps, where there are several windows

# What is done to the disk: before the program starts, behind its first checkpoint, behind its fourth; and the warnings
# that this may make. `p` is the program.
FAULTS = {
    "the disk is full, and has room again": (MOUNT, "cat /dev/zero > out/filler", "rm out/filler", [UNSAVED, AGAIN]),
    "the disk is full from the start": (f"{MOUNT}; cat /dev/zero > out/filler", "true", "rm out/filler",
                                        [UNSAVED, AGAIN]),
    "the disk is made read-only, and writable again": (
        MOUNT, "mount -o remount,ro out", "mount -o remount,rw out", [UNSAVED, AGAIN]),
    "the folder is removed": ("true", "rm -r out", "true", []),
    "a file is put in the folder's place, and taken away": (
        "true", "rm -r out; touch out", "rm out", [UNSAVED, AGAIN]),
    "a quota (RLIMIT_FSIZE) is reached, and lifted": (
        "true", "prlimit --pid $p --fsize=20000:unlimited", "prlimit --pid $p --fsize=unlimited:unlimited",
        [UNSAVED, AGAIN]),
    "the store is deleted": ("true", "rm out/samples.saetap", "true", []),
    "the store is replaced by another file": ("true", "echo a letter > out/samples.saetap", "true", []),
    "the store is cut short": ("true", "truncate -s 20000 out/samples.saetap", "true", []),
    "the store is overwritten in the middle": (
        "true", "head -c 60000 /dev/urandom | dd of=out/samples.saetap bs=4096 seek=8 conv=notrunc status=none", "true",
        [UNSAVED, AGAIN]),
}


# Those after which the file is gone, or of no use, with what was in it alone.
LOSE_THE_FILE = ("the folder is removed", "a file is put in the folder's place, and taken away", "the store is deleted",
                 "the store is replaced by another file", "the store is cut short",
                 "the store is overwritten in the middle")
ONLY_THERE = "closed windows that were in that file alone: a warning names the step; of the open window and later ones nothing"


def may_mount() -> bool:
    return subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", tempfile.gettempdir()], check=False,
                          capture_output=True).returncode == 0


class DiskFaults(HostTest):
    def script(self, before: str, actions: dict[int, str]) -> str:
        lines = ["mkdir -p out", before, '"$@" & p=$!']
        for turn in range(1, STEPS // EVERY + 1):
            action = actions.get(turn, "true")
            lines += [f"while [ ! -e turn.{turn} ]; do kill -0 $p 2>/dev/null || break; sleep 0.02; done",
                      f"{{ {action}; }} 2>/dev/null", f"touch turn.{turn}.done"]
        # The mount is seen by this shell alone: what is in it has to be taken out.
        return "\n".join([*lines, "wait $p; status=$?", "cp -a out kept; exit $status"])

    def run_fault(self, before: str, actions: dict[int, str], prefix=(), **keys) -> tuple[pathlib.Path, Ended]:
        """`actions`: what is done behind which checkpoints."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        config = folder / "config.json"
        config.write_text(self.config_text(output_dir=str(folder / "out"), checkpoint_seconds=1000, **keys),
                          encoding="utf-8")
        host = self.command(load=PLUGIN, steps=STEPS, checkpoint=EVERY, turns=folder / "turn")
        done = subprocess.run([*prefix, "sh", "-c", self.script(before, actions), "sh", *host], check=False,
                              capture_output=True, text=True, timeout=UNBOUNDED, cwd=folder,
                              env=self.environment(SAETAP_CONFIG=config))
        return folder, Ended(done)

    def check_program(self, fault: str, done: Ended, warnings: list[str]) -> None:
        self.assertEqual(done.status, 6, done.err)
        self.assertEqual(done.said("state"), self.alone.said("state"), fault)
        self.assertEqual(len(done.warnings()), len(warnings), f"{fault}: {done.err}")
        for line, word in zip(done.warnings(), warnings):
            self.assertIn(word, line, fault)

    def check_fault(self, fault: str) -> None:
        before, breaks, heals, warnings = FAULTS[fault]
        folder, done = self.run_fault(before, {1: breaks, 4: heals}, ["unshare", "-m"] if "mount" in before else [])
        self.check_program(fault, done, warnings)
        self.check_store(STEPS, folder / "kept" / "samples.saetap")

    def check_closed_windows(self, fault: str) -> None:
        """Behind the fourth checkpoint two windows have closed and left memory. Without them the store is that of a run
        of which nothing failed."""
        _, breaks, heals, warnings = FAULTS[fault]
        folder, done = self.run_fault("true", {4: breaks, 5: heals}, sample_window_steps=WINDOW)
        self.check_program(fault, done, [*warnings, GONE])
        lost = 4 * EVERY // WINDOW * WINDOW  # steps
        self.assertIn(f"what was kept before step {lost} is not in", done.warnings()[-1])
        store, whole = Store(folder / "kept" / "samples.saetap"), Store(self.whole)
        try:
            self.assertEqual((store.steps, store.finished, store.meta["lost_before"]), (STEPS, True, str(lost)))
            self.assertEqual(store.one("SELECT min(first_step) FROM part WHERE eligible > 0"), lost)
            self.assertEqual(store.one("SELECT sum(eligible) FROM part"), (STEPS - lost) * ROWS)
            for table in ("feature", "sample", "random_sample"):
                rows = f"SELECT * FROM {table} WHERE part <> 'past' ORDER BY part, feature"
                self.assertEqual(*(one.connection.execute(rows).fetchall() for one in (store, whole)), fault)
            ids = {sequence for (column,) in store.connection.execute("SELECT sequence FROM sample")
                   for sequence in array.array("q", column)}
            texts = "SELECT id, segment, length, tokens FROM sequence"
            kept = store.connection.execute(texts).fetchall()
            self.assertTrue(ids)
            self.assertLessEqual(ids, {row[0] for row in kept})
            self.assertLessEqual(set(kept), set(whole.connection.execute(texts)))
        finally:
            store.close()
            whole.close()

    def check_either(self, fault: str) -> None:
        self.check_fault(fault)
        if fault in LOSE_THE_FILE:
            self.check_closed_windows(fault)

    def test_faults_that_pass(self):
        self.alone = self.run_host(steps=STEPS)
        folder, done = self.run_fault("true", {}, sample_window_steps=WINDOW)
        self.check_program("none", done, [])
        self.whole = folder / "kept" / "samples.saetap"
        faults = [fault for fault, (before, *_) in FAULTS.items() if "mount" not in before or may_mount()]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for fault, checked in [(fault, pool.submit(self.check_either, fault)) for fault in faults]:
                with self.subTest(fault):
                    checked.result()
                    loses = fault in LOSE_THE_FILE
                    record_fault("disk", fault, 2 if loses else 1, ONLY_THERE if loses else "nothing")
        if len(faults) < len(FAULTS):
            self.skipTest("without the right to mount, a full and a read-only disk are not tried")

    def test_a_folder_that_may_not_be_written_to(self):
        # To root all folders are open.
        if os.getuid() != 0:
            self.skipTest("needs root, to become somebody else")
        alone = self.run_host(steps=STEPS)
        prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        self.folder.chmod(0o711)
        closed = self.folder / "closed"
        closed.mkdir(0o755)
        config = self.folder / "config.json"
        config.write_text(self.config_text(output_dir=str(closed / "out"), checkpoint_seconds=1000), encoding="utf-8")
        config.chmod(0o644)
        done = self.run_host(prefix=prefix, variables={"SAETAP_CONFIG": config}, load=PLUGIN, steps=STEPS,
                             checkpoint=EVERY)
        self.assertEqual(done.status, 6, done.err)
        self.assertEqual(done.said("state"), alone.said("state"))
        self.assertEqual(len(done.warnings()), 2, done.err)  # when it begins, and at the end
        self.assertIn("what came after the latest checkpoint is lost", done.warnings()[-1])
        record_fault("disk", "the folder may not be written to, from the start to the end", 1, "all, and it is said")

    def test_another_process_holds_the_store(self):
        command = self.command(load=PLUGIN, steps=3 * EVERY, checkpoint=EVERY, turns=self.folder / "turn")
        alone = self.run_host(steps=3 * EVERY)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.folder,
                              env=self.environment(SAETAP_CONFIG=self.config(checkpoint_seconds=1000))) as program:
            self.wait_for(self.folder / "turn.1", program)
            holder = sqlite3.connect(self.store_path, isolation_level=None)
            holder.execute("BEGIN EXCLUSIVE")
            (self.folder / "turn.1.done").touch()
            self.wait_for(self.folder / "turn.2", program)
            holder.execute("ROLLBACK")
            holder.close()
            for turn in (2, 3):
                (self.folder / f"turn.{turn}.done").touch()
            out, err = program.communicate(timeout=UNBOUNDED)
        done = Ended(subprocess.CompletedProcess(command, program.returncode, out, err))
        self.assertEqual(done.status, 6, err)
        self.assertEqual(done.said("state"), alone.said("state"))
        self.assertEqual([UNSAVED in line for line in done.warnings()], [True, False], err)
        self.check_store(3 * EVERY)
        record_fault("disk", "another process holds the store locked", 1, "nothing")

    def preloaded(self, source: str) -> pathlib.Path:
        """A library for LD_PRELOAD in which `delay` stands before every write that is to reach the disk."""
        library = self.folder / "delay.so"
        source = f"""
            #include <fcntl.h>
            #include <stdlib.h>
            #include <sys/syscall.h>
            #include <unistd.h>
            {source}
            extern "C" int fdatasync(int) {{ return delay(); }}
            extern "C" int fsync(int) {{ return delay(); }}
            """
        subprocess.run(["c++", "-shared", "-fPIC", "-x", "c++", "-", "-o", library], input=source.encode(), check=True)
        return library

    def test_a_slow_disk(self):
        # Every write that is to reach the disk takes its time, and notes whether the thread that trains waits for it.
        syncs = self.folder / "syncs"
        slow = self.preloaded("""
            static int delay() {
              const int file = open(getenv("SLOW_SYNCS"), O_CREAT | O_APPEND | O_WRONLY, 0600);
              const bool noted = write(file, getpid() == syscall(SYS_gettid) ? "m" : "t", 1) == 1;
              close(file);
              usleep(200000);
              return noted ? 0 : -1;
            }
            """)
        alone = self.run_host(steps=200, pause=10)
        # Two seconds at least, and a checkpoint is due after one: it comes while the program trains.
        done = self.recorded({"checkpoint_seconds": 1}, variables={"LD_PRELOAD": slow, "SLOW_SYNCS": syncs}, steps=200,
                             pause=10)
        self.assertEqual(done.status, 6, done.err)
        self.assertEqual(done.said("state"), alone.said("state"))
        self.assertEqual(done.warnings(), [])
        self.check_store(200)
        store = Store(self.store_path)
        self.assertGreaterEqual(int(store.meta["checkpoint"]), 2)
        store.close()
        self.assertEqual(set(syncs.read_text()), {"t"})
        record_fault("disk", "every sync takes a fifth of a second: the thread that trains waits for none", 1, "nothing")

    @unittest.skipUnless(LONG_FORM, "it waits for as long as training would")
    def test_a_disk_that_hangs(self):
        # It does not answer from the first checkpoint on, until the program has said that it goes on without collecting.
        hanging, log = self.folder / "hanging", self.folder / "log"
        library = self.preloaded("""
            static int delay() {
              while (access(getenv("HANGING"), F_OK) == 0) usleep(10000);
              return 0;
            }
            """)
        hanging.touch()
        steps = 60_000
        alone = self.run_host(steps=steps)
        command = self.command(load=PLUGIN, steps=steps)
        variables = {"SAETAP_CONFIG": self.config(checkpoint_seconds=1), "LD_PRELOAD": library, "HANGING": hanging}
        with log.open("w", encoding="utf-8") as err, subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=err, text=True, cwd=self.folder,
                env=self.environment(**variables)) as program:
            while "it stands still" not in log.read_text(encoding="utf-8"):
                self.assertIsNone(program.poll(), "the program ended before its queue was full")
                time.sleep(0.1)
            hanging.unlink()
            out, _ = program.communicate(timeout=UNBOUNDED)
        text = log.read_text(encoding="utf-8")
        done = Ended(subprocess.CompletedProcess(command, program.returncode, out, text))
        self.assertEqual(done.status, 6, text)
        self.assertEqual(done.said("state"), alone.said("state"))
        self.assertEqual(text.count("it stands still"), 1, text)
        passed_over = int(re.search(r"it goes on: (\d+) calls were passed over", text)[1])
        store = Store(self.store_path)
        self.assertEqual(store.steps, steps)
        self.assertTrue(store.finished)
        collected = store.one("SELECT steps_collected FROM site")
        self.assertEqual(collected, steps - passed_over)
        self.assertEqual(store.one("SELECT sum(active) FROM feature"), collected * ROWS * ACTIVE)
        store.close()
        record_fault("disk", "the disk does not answer for longer than training waits (half a minute)", 1,
                     "the calls that were passed over until it answered: it is said how many")


if __name__ == "__main__":
    run_tests()
