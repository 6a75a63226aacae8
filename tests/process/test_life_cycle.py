"""However a recorded program begins, multiplies and ends: it does as it would alone, and the store has what it can have."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap

from host_run import (ACTIVE, LONG_FORM, PLUGIN, ROWS, UNBOUNDED, Ended, HostTest, Store, record_fault,
                      run_tests)

STEPS = 12
CHECKPOINT = 8  # the latest one that the program asks for
# How it ends, and the exit status or signal that this is from outside.
IN_ORDER = {"return": 6, "exit": 3, "quick_exit": 5}
IN_DISORDER = {"_exit": 4, "throw": -signal.SIGABRT, "abort": -signal.SIGABRT, "fault": -signal.SIGSEGV,
               str(int(signal.SIGTERM)): -signal.SIGTERM, str(int(signal.SIGINT)): -signal.SIGINT,
               str(int(signal.SIGKILL)): -signal.SIGKILL}
NAMES = {"throw": "an exception that nobody catches", "fault": "a segmentation fault of its own",
         "15": "SIGTERM", "2": "SIGINT", "9": "SIGKILL"}


class Ends(HostTest):
    LIBTORCH_THREADS = 2

    def test_what_ends_in_order_loses_nothing(self):
        for how, status in IN_ORDER.items():
            with self.subTest(how):
                shutil.rmtree(self.folder / "out", ignore_errors=True)
                done = self.recorded(steps=STEPS, checkpoint=CHECKPOINT, end=how)
                self.assertEqual(done.status, status, done.err)
                self.check_store(STEPS)
                self.assertEqual(done.warnings(), [])
                record_fault("life", f"the program ends by {how}", 1, "nothing")

    def test_what_ends_otherwise_has_everything_up_to_the_last_checkpoint(self):
        for how, status in IN_DISORDER.items():
            with self.subTest(how):
                shutil.rmtree(self.folder / "out", ignore_errors=True)
                done = self.recorded(steps=STEPS, checkpoint=CHECKPOINT, end=how)
                self.assertEqual(done.status, status, done.err)
                self.check_store(CHECKPOINT)
                record_fault("life", f"the program ends by {NAMES.get(how, how)}", 1, "what came after the last checkpoint")

    def test_training_and_signals_are_the_programs_own(self):
        alone = self.run_host(steps=STEPS)
        recorded = self.recorded(steps=STEPS)
        self.assertEqual(recorded.said("state"), alone.said("state"))
        # 32 and 33 are glibc's own, which it takes with the first thread.
        of_threads = 1 << 31 | 1 << 32
        for word in ("SigCgt", "SigIgn", "SigBlk"):
            own, ours = (int(done.said(word)[0], 16) & ~of_threads for done in (alone, recorded))
            self.assertEqual(ours, own, word)

    def test_nobody_reads_its_stderr_any_more(self):
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(self.command(load=PLUGIN, steps=STEPS), stdout=subprocess.PIPE, stderr=write, text=True,
                              timeout=UNBOUNDED, check=False, env=self.environment(SAETAP_CONFIG=self.config()))
        os.close(write)
        self.assertEqual(done.returncode, 6)
        self.check_store(STEPS)
        record_fault("life", "nobody reads the program's stderr any more, to which our lines go", 1, "nothing")

    def test_threads_that_call_the_module_while_the_program_ends(self):
        ends = {"return": 6, "exit": 3, "quick_exit": 5, "_exit": 4}
        for how, status in ends.items():
            for pool in (0, 1):
                with self.subTest(how, pool=pool):
                    shutil.rmtree(self.folder / "out", ignore_errors=True)
                    done = self.recorded(steps=STEPS, busy=2, pool=pool, checkpoint=CHECKPOINT, end=how)
                    self.assertEqual(done.status, status, done.err)
                    self.check_busy(in_order=how != "_exit")
                    if how != "_exit":
                        self.assertIn("samples.saetap", done.log[-1])
        busy = "while threads of its own and of LibTorch's pool call the module"
        record_fault("life", f"the program ends by return, exit and quick_exit {busy}", 6, "nothing")
        record_fault("life", f"the program ends by _exit {busy}", 2, "what came after the last checkpoint")

    def check_busy(self, in_order: bool) -> None:
        """The store has the steps, and of the threads' calls those that it counts, with all that they activated."""
        store = Store(self.store_path)
        try:
            self.assertEqual(store.finished, in_order)
            if in_order:
                self.assertEqual(store.steps, STEPS)
            else:  # a slow machine may get as far as a checkpoint that nobody asked for
                self.assertIn(store.steps, range(CHECKPOINT, STEPS + 1))
            rows = store.one("SELECT eligible FROM part WHERE part = 'open'")
            self.assertGreaterEqual(rows, store.steps * ROWS)
            self.assertEqual(rows, store.one("SELECT rows_collected - rows_excluded FROM site"))
            self.assertEqual(rows, store.one("SELECT calls FROM site") * ROWS)
            self.assertEqual(store.one("SELECT sum(active) FROM feature"), rows * ACTIVE)
        finally:
            store.close()


class BoundAtExit(HostTest):
    def test_a_disk_that_does_not_answer_holds_the_end_up_no_longer_than_configured(self):
        # SQLite opens a journal that is there; a pipe that nobody writes to makes it wait for ever.
        command = self.command(load=PLUGIN, steps=STEPS, checkpoint=CHECKPOINT, turns=self.folder / "turn", end="exit")
        variables = self.environment(SAETAP_CONFIG=self.config(exit_seconds=2, checkpoint_seconds=1000))
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.folder,
                              env=variables) as program:
            self.wait_for(self.folder / "turn.1", program)
            os.mkfifo(str(self.store_path) + "-journal")
            (self.folder / "turn.1.done").touch()
            out, err = program.communicate(timeout=UNBOUNDED)
        done = Ended(subprocess.CompletedProcess(command, program.returncode, out, err))
        self.assertEqual(done.status, 3, err)
        self.assertEqual(done.warnings(), ["saetap: not finished: saving takes longer than 2 s (exit_seconds); the "
                                           "latest checkpoint stands"])
        os.remove(str(self.store_path) + "-journal")
        self.check_store(CHECKPOINT)
        record_fault("life", "the disk does not answer at the end", 1, "what came after the last checkpoint")


class StartsAndStops(HostTest):
    RESTARTS = 200 if LONG_FORM else 50

    def test_stopped_it_leaves_nothing_and_can_start_again(self):
        done = self.run_host(load=PLUGIN, init=self.config(), restarts=self.RESTARTS, steps=3, features=1024)
        self.assertEqual(done.status, 6, done.err)
        stops = [line.split() for line in done.said("stop")]
        self.assertEqual(len(stops), self.RESTARTS)
        self.assertEqual({status for status, *_ in stops}, {"0"})
        self.assertEqual({threads for _, _, threads, *_ in stops}, {stops[0][2]})
        kilobytes = [int(stop[4]) for stop in stops]
        # What one recording has in memory is megabytes: the tables, and the rows that tokens are found by.
        self.assertLess(max(kilobytes[10:]) - kilobytes[9], 20_000, kilobytes)
        stores = sorted((self.folder / "out").glob("samples*.saetap"))
        self.assertEqual(len(stores), self.RESTARTS)
        for path in (stores[0], stores[-1], self.store_path):
            self.check_store(3, path)
        record_fault("life", "recording is started and stopped again and again in one process", self.RESTARTS, "nothing")


class Loading(HostTest):
    def test_loaded_after_the_module_ran_it_records_from_there(self):
        done = self.recorded(steps=STEPS, load_at=5)
        self.assertEqual(done.status, 6, done.err)
        self.check_store(STEPS - 5)
        record_fault("life", "the plugin is loaded after the module ran", 1, "nothing from there on")

    def test_closed_by_who_loaded_it_it_goes_on(self):
        for flags in (0, 1):
            shutil.rmtree(self.folder / "out", ignore_errors=True)
            done = self.recorded(steps=STEPS, close=1, **{"global": flags})
            self.assertEqual(done.status, 6, done.err)
            self.check_store(STEPS)
        record_fault("life", "the plugin is closed again by who loaded it, and loaded with RTLD_GLOBAL", 2, "nothing")

    def test_loaded_by_a_global_object_before_main(self):
        done = self.run_host(steps=STEPS, variables={"HOST_EARLY": PLUGIN, "SAETAP_CONFIG": self.config()})
        self.assertEqual(done.status, 6, done.err)
        self.check_store(STEPS)
        record_fault("life", "the plugin is loaded by a global object before main()", 1, "nothing")

    def test_linked_into_the_program(self):
        done = self.run_host("host_linked", steps=STEPS, variables={"SAETAP_CONFIG": self.config()})
        self.assertEqual(done.status, 6, done.err)
        self.check_store(STEPS)
        self.assertEqual(self.run_host("host_linked", steps=STEPS).log, [])
        record_fault("life", "the program is linked with the plugin", 1, "nothing")

    def test_loaded_twice(self):
        link = self.folder / "link.so"
        link.symlink_to(PLUGIN)
        copy = self.folder / "copy.so"
        shutil.copy(PLUGIN, copy)
        for also, is_same in ((PLUGIN, "1"), (link, "1"), (copy, "0")):
            for close in (0, 1):
                with self.subTest(also.name, close=close):
                    shutil.rmtree(self.folder / "out", ignore_errors=True)
                    done = self.recorded(steps=STEPS, also=also, close=close)
                    self.assertEqual(done.status, 6, done.err)
                    self.assertEqual(done.said("same"), [is_same])
                    self.check_store(STEPS)
        record_fault("life", "the plugin is loaded twice: by one path, by a link, as a copy", 6, "nothing")

    def test_a_second_copy_that_is_asked_to_record_stays_out_and_says_so(self):
        copy = self.folder / "copy.so"
        shutil.copy(PLUGIN, copy)
        done = self.run_host(steps=STEPS, load=PLUGIN, also=copy, init=self.config())
        self.assertEqual(done.status, 6, done.err)
        first, second = done.said("init")
        self.assertEqual(first.split()[0], "0")
        self.assertEqual(second, "5 another copy of libsaetap.so is loaded in this process")
        self.check_store(STEPS)


class OtherProcesses(HostTest):
    def check_with(self, children: str) -> None:
        shutil.rmtree(self.folder / "out", ignore_errors=True)
        done = self.recorded({"phases": ["train"]}, steps=STEPS, children=children)
        self.assertEqual(done.status, 6, done.err)
        count = children.split(":")[1]
        self.assertEqual(done.said("children"), [f"{count} of {count}"])
        self.assertEqual(done.said("state"), self.alone)
        self.check_store(STEPS)
        files = {path.name for path in (self.folder / "out").iterdir()}
        self.assertEqual(files, {"samples.saetap", "samples.json"})
        # Its own lines, once each: no child said anything.
        self.assertEqual(len(done.log), len(set(done.log)))
        self.assertEqual(sum("samples.saetap" in line for line in done.log), 1)

    def test_children_do_as_they_would_alone_and_record_nothing(self):
        self.alone = self.run_host(steps=STEPS).said("state")
        for children, fault in {
            "fork:3:return": "forks, and the child ends by return", "fork:3:exit": "forks, and the child ends by exit",
            "fork:3:_exit": "forks, and the child ends by _exit",
            "fork:3:quick_exit": "forks, and the child ends by quick_exit",
            "bare:3:exit": "forks by the system call itself, and the child ends by exit",
            "exec:3": "forks and starts another program", "spawn:3": "starts others by posix_spawn",
            "vfork:3": "starts others by vfork", "system:3": "starts others by system",
            "workers:3": "has four workers at a time that answer through pipes",
        }.items():
            with self.subTest(children):
                self.check_with(children)
                record_fault("life", f"the program {fault}", int(children.split(":")[1]), "nothing")

    def test_forks_while_the_collector_is_at_work_never_hang(self):
        forks = 1000 if LONG_FORM else 50
        done = self.recorded({"checkpoint_seconds": 1000}, steps=4, features=512, saver=1,
                             children=f"fork:{forks}:exit", end="quick_exit")
        self.assertEqual(done.status, 5, done.err)
        self.assertEqual(done.said("children"), [f"{forks} of {forks}"])
        record_fault("life", "the program forks while the collector is at work or saves", forks, "nothing")

    def test_pythons_data_loader_has_workers(self):
        source = textwrap.dedent("""
            import ctypes, sys
            import torch
            ctypes.CDLL(sys.argv[1])
            sae = torch.jit.load(sys.argv[2])
            class Rows(torch.utils.data.Dataset):
                def __len__(self): return 64 * 12
                def __getitem__(self, i):
                    torch.manual_seed(i)
                    row = torch.randn(16)
                    sae(row[None])  # a worker that calls the module itself
                    return row
            for epoch in range(2):
                for rows in torch.utils.data.DataLoader(Rows(), batch_size=64, num_workers=2):
                    sae(rows)[0].square().mean().backward()
        """)
        self.run_host(steps=1, sae=self.folder / "sae.pt")
        done = subprocess.run([sys.executable, "-c", source, PLUGIN, self.folder / "sae.pt"], capture_output=True,
                              text=True, timeout=UNBOUNDED, check=False, env=self.environment(SAETAP_CONFIG=self.config()))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_store(23)  # the first call chose its code before the plugin saw it
        record_fault("life", "Python's DataLoader with two workers, two epochs", 1, "nothing")


if __name__ == "__main__":
    run_tests()
