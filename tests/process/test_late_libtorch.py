"""`saetap record` and programs into which LibTorch comes while they run: Python, trainers that are plugins, scripts,
launchers. Each is started as it is without us."""

import os
import re
import subprocess
import sys
import textwrap

from host_run import BIN, LIBRARIES, ROWS, UNBOUNDED, HostTest, Store, run_tests

PYTHON = sys.executable
STEPS = 6
TRAIN = """
    import sys
    import torch
    class Sae(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.W_enc = torch.nn.Parameter(torch.randn(16, 64))
            self.W_dec = torch.nn.Parameter(torch.randn(64, 16))
            self.b_dec = torch.nn.Parameter(torch.zeros(16))
        def forward(self, x):
            values, indices = torch.topk((x - self.b_dec) @ self.W_enc, 4, -1)
            features = torch.zeros([x.size(0), 64]).scatter(-1, indices, values)
            return features @ self.W_dec + self.b_dec, features
    torch.manual_seed(3)
    sae = torch.jit.script(Sae())
    for step in range(int(sys.argv[1])):
        rows = torch.randn(64, 16)
        loss = (sae(rows)[0] - rows).square().sum()
        loss.backward()
    print("loss", loss.item().hex())
"""


class LateLibTorch(HostTest):
    def setUp(self):
        super().setUp()
        self.script = self.folder / "train.py"
        self.script.write_text(textwrap.dedent(TRAIN), encoding="utf-8")

    def run_command(self, *command, **variables) -> subprocess.CompletedProcess:
        return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=UNBOUNDED, check=False,
                              cwd=self.folder, env=self.environment(**variables))

    def record(self, *command, options=(), **variables) -> subprocess.CompletedProcess:
        config = self.config(tokens={"source": "none"})
        return self.run_command(BIN / "saetap", "record", "--config", config, *options, "--", *command,
                                SAETAP_LIBRARY_DIR=LIBRARIES, **variables)

    def plain_and_recorded(self, *command) -> subprocess.CompletedProcess:
        plain, recorded = self.run_command(*command), self.record(*command)
        self.assertEqual((recorded.returncode, recorded.stdout), (plain.returncode, plain.stdout), recorded.stderr)
        return recorded

    def recorded_training(self, *command, status=0, **more) -> subprocess.CompletedProcess:
        """What is printed is that of the script in test_python, which takes its time without us, too."""
        recorded = self.record(*command, **more)
        self.assertEqual(recorded.returncode, status, recorded.stderr)
        self.assertRegex(recorded.stdout, r"^loss 0x[0-9a-f.]+p\+?\d+\n$")
        return recorded

    def steps(self) -> int:
        store = Store(self.store_path)
        try:
            self.assertTrue(store.finished)
            self.assertEqual(store.one("SELECT eligible FROM part WHERE part = 'open'"), store.steps * ROWS)
            return store.steps
        finally:
            store.close()

    def test_python(self):
        done = self.plain_and_recorded(PYTHON, self.script, STEPS)
        self.assertEqual(done.stderr.count("saetap: attached"), 1, done.stderr)
        self.assertEqual(self.steps(), STEPS - 1)  # Python chooses a method's code before its first call is seen

    def test_another_libtorch_is_named_with_both_values(self):
        done = self.record(PYTHON, "-c", f"import ctypes; ctypes.CDLL('{LIBRARIES / 'other' / 'libtorch_cpu.so'}')")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, r"^saetap: not recording: built for LibTorch 2\.\d+ with "
                                      r"_GLIBCXX_USE_CXX11_ABI=1 but this program runs LibTorch 1\.13 with "
                                      r"_GLIBCXX_USE_CXX11_ABI=0: .*undefined symbol.*\n$")

    def test_a_trainer_that_is_opened_by_its_path(self):
        for library in ("liblate_trainer.so", "liblate_opener.so"):
            with self.subTest(library):
                self.plain_and_recorded(BIN / "late", LIBRARIES / library, STEPS, 0)
                self.assertEqual(self.steps(), STEPS)

    def test_a_trainer_that_is_found_where_its_caller_says(self):
        steps = 100  # a second, some of which is over until it is noticed
        done = self.plain_and_recorded(BIN / "late", "liblate_trainer.so", steps, 10)
        self.assertEqual(done.stderr.count("saetap: attached"), 1, done.stderr)
        self.assertGreater(self.steps(), 0)
        # What it does not name is not found with us either.
        missing = self.plain_and_recorded(BIN / "late", "libno_such_trainer.so", 1, 0)
        self.assertEqual(missing.returncode, 1)
        self.assertIn("late: libno_such_trainer.so: cannot open shared object file", missing.stderr)

    def test_names_are_looked_up_for_who_asks(self):
        # In the folders of a library that loaded the asking one (RPATH), and beside it ($ORIGIN).
        sources = {
            "target.c": "int target(void) { return 5; }",
            "asks.c": """#include <dlfcn.h>
                int ask(const char* name) {
                  void* library = dlopen(name, RTLD_NOW);
                  return library ? ((int (*)(void))dlsym(library, "target"))() : 9;
                }""",
            "loads.c": "int ask(const char*); int loads(const char* name) { return ask(name); }",
            "main.c": "int loads(const char*); int main(int n, char** words) { return loads(words[1]); }",
        }
        for name, source in sources.items():
            (self.folder / name).write_text(source, encoding="utf-8")
        (self.folder / "deep").mkdir()
        build = """cc -shared -fPIC -o deep/libtarget.so target.c
                   cc -shared -fPIC -o libasks.so asks.c
                   cc -shared -fPIC -o libloads.so loads.c -L. -lasks -Wl,--disable-new-dtags,-rpath,$PWD/deep:$PWD
                   cc -o asker main.c -L. -lloads -Wl,--enable-new-dtags,-rpath,$PWD -Wl,--allow-shlib-undefined"""
        subprocess.run(["sh", "-e", "-c", build], check=True, cwd=self.folder)
        for name, status in (("libtarget.so", 5), ("$ORIGIN/deep/libtarget.so", 5), ("libnowhere.so", 9)):
            with self.subTest(name):
                self.assertEqual(self.run_command(self.folder / "asker", name).returncode, status)
                self.assertEqual(self.record(self.folder / "asker", name).returncode, status)

    def test_python_that_opened_something_by_name_before(self):
        script = self.folder / "opens.py"
        script.write_text("import ctypes\nctypes.CDLL('libm.so.6')\n" + self.script.read_text(encoding="utf-8"),
                          encoding="utf-8")
        self.recorded_training(PYTHON, script, 300)
        self.assertGreater(self.steps(), 0)

    def test_nobody_reads_the_line_at_the_end(self):
        for close in ("", "; exec 2>&-"):
            with self.subTest(close):
                read, write = os.pipe()
                os.close(read)
                command = [BIN / "saetap", "record", "--", "bash", "-c", f"echo there{close}; exit 4"]
                done = subprocess.run([*map(str, command)], stdout=subprocess.PIPE, stderr=write, text=True, check=False,
                                      timeout=UNBOUNDED, cwd=self.folder,
                                      env=self.environment(SAETAP_LIBRARY_DIR=LIBRARIES))
                os.close(write)
                self.assertEqual((done.returncode, done.stdout), (4, "there\n"))
        # A pipe that is full, and that nobody reads.
        read, write = os.pipe()
        os.set_blocking(write, False)
        with self.assertRaises(BlockingIOError):
            while True:
                os.write(write, b"x" * 65536)
        os.set_blocking(write, True)
        for ends in ("exit 4", "kill -TERM $$"):
            status = subprocess.run([BIN / "saetap", "record", "--", "sh", "-c", ends], stderr=write, check=False,
                                    timeout=UNBOUNDED, cwd=self.folder,
                                    env=self.environment(SAETAP_LIBRARY_DIR=LIBRARIES)).returncode
            self.assertEqual(status, 4 if ends == "exit 4" else -15)
        os.close(read)
        os.close(write)

    def test_a_script_that_becomes_the_trainer(self):
        self.recorded_training("sh", "-c", f"true; exec {PYTHON} {self.script} {STEPS}")
        self.assertEqual(self.steps(), STEPS - 1)

    def test_a_script_that_starts_the_trainer(self):
        for shell in ("sh", "bash"):
            with self.subTest(shell):
                done = self.record(shell, "-c", "ls / > /dev/null; exit 3")
                self.assertEqual((done.returncode, done.stdout, done.stderr), (
                    3, "", f"saetap: nothing recorded: {shell} loaded no LibTorch "
                           "(to record what it starts: saetap record --follow-children)\n"))
        command = ("sh", "-c", f"{PYTHON} {self.script} {STEPS}; exit 3")
        done = self.recorded_training(*command, status=3)
        self.assertNotIn("attached", done.stderr)
        self.assertFalse(self.store_path.exists())
        done = self.recorded_training(*command, status=3, options=["--follow-children"])
        self.assertNotIn("nothing recorded", done.stderr)
        self.assertEqual(self.steps(), STEPS - 1)

    def test_what_a_trainer_starts_is_not_recorded(self):
        # Before it has loaded LibTorch, and after; with the environment it has, and with the one it was started with.
        parent = self.folder / "parent.py"
        parent.write_text(textwrap.dedent(f"""
            import os, subprocess
            command = ["{PYTHON}", "{self.script}", "3"]
            os.system(" ".join(command))
            import torch
            subprocess.run(command)
            subprocess.run(command, env=dict(os.environ))
            """), encoding="utf-8")
        done = self.record(PYTHON, parent)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(done.stdout.splitlines()), 3)
        self.assertNotIn("attached", done.stderr)
        self.assertIn("saetap: nothing recorded: no TorchScript module was called", done.stderr)
        self.assertFalse(self.store_path.exists())

    def test_torchrun(self):
        # A launcher that uses LibTorch itself, and starts a trainer for each rank.
        done = self.record(PYTHON, "-m", "torch.distributed.run", "--nproc-per-node=2", self.script, STEPS,
                           options=["--follow-children"])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(re.findall("saetap: attached", done.stderr)), 2, done.stderr)
        self.assertTrue(self.store_path.exists(), done.stderr)  # merged
        store = Store(self.store_path)
        self.assertEqual(store.one("SELECT eligible FROM part WHERE part = 'open'"), 2 * (STEPS - 1) * ROWS)
        store.close()


if __name__ == "__main__":
    run_tests()
