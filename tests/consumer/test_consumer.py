"""An installed saetap, moved, serves a project outside of this repository: by CMake, by pkg-config, and as a program.

Arguments: CMAKE BUILD_FOLDER SOURCE_FOLDER TORCH_ROOT, and unittest's own. What the examples print is held against the
numbers as Python computes them.
"""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

CMAKE = sys.argv[1]
BUILD, SOURCE, TORCH = (Path(path).resolve() for path in sys.argv[2:5])
FEATURES, LENGTH = 26, 64


def environment(**extra: str) -> dict[str, str]:
    ours = ("SAETAP", "LD_", "CMAKE_PREFIX_PATH", "PKG_CONFIG")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | extra


def activations(sequence: bytes) -> list[list[float]]:
    rows, before = [], [0.0] * FEATURES
    for byte in sequence:
        before = [value / 2 + (byte == ord("a") + letter) for letter, value in enumerate(before)]
        rows.append(before)
    return rows


class Consumer(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp(prefix="saetap-consumer-"))
        first = cls.folder / "first"
        cls.run_quietly([CMAKE, "--install", BUILD, "--prefix", first])
        # What was installed may be moved.
        cls.prefix = cls.folder / "moved"
        first.rename(cls.prefix)
        cls.library = cls.prefix / "lib/libsaetap.so"
        cls.built = cls.folder / "built"
        cls.run_quietly([CMAKE, "-S", SOURCE / "tests/consumer", "-B", cls.built, "-G", "Ninja",
                         "-DCMAKE_BUILD_TYPE=Release", f"-DCMAKE_PREFIX_PATH={cls.prefix};{TORCH}"])
        cls.run_quietly([CMAKE, "--build", cls.built])
        cls.text = (SOURCE / "LICENSE").read_bytes()

    @classmethod
    def tearDownClass(cls) -> None:
        shutil.rmtree(cls.folder)

    @staticmethod
    def run_quietly(command: list, **extra) -> str:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=environment(**extra),
                              check=False)
        if done.returncode != 0:
            raise AssertionError(f"{command}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def run_program(self, *words: object, status: int = 0) -> subprocess.CompletedProcess:
        """In a folder of its own, LibTorch where the dynamic loader finds it."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        done = subprocess.run([str(word) for word in words], cwd=folder, capture_output=True, text=True,
                              env=environment(LD_LIBRARY_PATH=str(TORCH / "lib")), check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        done.folder = folder
        return done

    def test_nothing_installed_names_where_it_was_built(self):
        installed = [path for path in self.prefix.rglob("*") if path.is_file()]
        linked = [path for path in installed if path.read_bytes()[:4] == b"\x7fELF"]
        self.assertGreaterEqual(len(linked), 5)
        for path in set(installed) - set(linked):
            for folder in (BUILD, SOURCE, TORCH, self.folder):
                self.assertNotIn(str(folder), path.read_text(encoding="utf-8"), path)
        for path in linked:
            for line in self.run_quietly(["readelf", "-d", path]).splitlines():
                if re.search(r"\((RPATH|RUNPATH|NEEDED)\)", line):
                    self.assertNotRegex(line, r"[\[:]/", path)

    def expected_lines(self) -> list[tuple[str, int, int, list[float]]]:
        """For each letter: at how many of how many bytes it is active, and the three strongest."""
        whole = len(self.text) // LENGTH
        rows = [row for i in range(whole) for row in activations(self.text[i * LENGTH:(i + 1) * LENGTH])]
        lines = []
        for letter in range(FEATURES):
            values = [row[letter] for row in rows if row[letter] != 0]
            strongest = sorted((value for value in values if value >= 0.1), reverse=True)[:3]
            lines.append((chr(ord("a") + letter), len(values), len(rows), strongest))
        return lines

    def check_example(self, program: Path):
        text = self.folder / "text"
        text.write_bytes(self.text)
        done = self.run_program(program, text, self.library)
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), FEATURES)
        for line, (letter, active, rows, strongest) in zip(lines, self.expected_lines()):
            self.assertTrue(line.startswith(f"{letter}  {active} of {rows}"), line)
            shown = re.findall(r'  (\d+\.\d{4}) "([^"]*)', line)
            self.assertEqual([value for value, _ in shown], [f"{value:.4f}" for value in strongest], line)
            for value, around in shown:
                # What is shown before the place, and what came before that, make the activation.
                ending = activations(around.encode())[-1][ord(letter) - ord("a")]
                self.assertAlmostEqual(float(value), ending, delta=2 ** -8)
        store = done.folder / "activation_samples/samples.saetap"
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
            self.assertEqual(connection.execute("SELECT name, features FROM site").fetchall(), [("letters", FEATURES)])
        shown = self.run_program(self.prefix / "bin/saetap", "show", store, ord("e") - ord("a")).stdout
        self.assertIn("«e»", shown)
        return lines

    def test_the_examples_in_c_and_cpp_record_what_they_computed(self):
        in_c = self.check_example(self.built / "observe_c")
        self.assertEqual(in_c, self.check_example(self.built / "observe_cpp"))
        for program in ("observe_c", "observe_cpp"):
            self.assertIn("usage", self.run_program(self.built / program, status=2).stderr)
            refused = self.run_program(self.built / program, self.folder / "text", "./nowhere.so", status=1)
            self.assertIn("nowhere.so", refused.stderr)

    def test_what_is_read_back_is_a_sort_of_everything(self):
        done = self.run_program(self.built / "check_numbers", self.library)
        # Text that threw, or was not known, is not there; the rest is whole, also what was longer than the room for it.
        store = done.folder / "activation_samples/samples.saetap"
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
            texts = dict(connection.execute("SELECT id, text FROM token"))
        self.assertTrue(texts)
        self.assertEqual(texts, {token: b"x" * (token % 300) for token in texts if token % 3 == 2})
        self.assertGreater(max(map(len, texts.values())), 256)

    def test_other_libraries_are_refused(self):
        self.run_program(self.built / "check_refusals", self.built / "libstand_in.so")

    def test_a_program_linked_with_the_plugin(self):
        self.assertIn("all as it should be", self.run_program(self.built / "hooked").stdout)

    def configure(self, *options: str) -> subprocess.CompletedProcess:
        command = [CMAKE, "-S", str(SOURCE / "tests/consumer"), "-B", tempfile.mkdtemp(dir=self.folder), "-G", "Ninja"]
        return subprocess.run([*command, *options], capture_output=True, text=True, env=environment(), check=False)

    def test_the_package_asks_for_no_libtorch_unless_the_plugin_is_wanted(self):
        done = self.configure("-DWITH_PLUGIN=OFF", f"-DCMAKE_PREFIX_PATH={self.prefix}")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_the_package_refuses_another_libtorch_with_both_versions(self):
        other = Path(tempfile.mkdtemp(dir=self.folder))
        (other / "TorchConfig.cmake").write_text("set(TORCH_FOUND TRUE)\n")
        (other / "TorchConfigVersion.cmake").write_text(
            'set(PACKAGE_VERSION "2.9.1")\nset(PACKAGE_VERSION_COMPATIBLE TRUE)\n')
        done = self.configure(f"-DCMAKE_PREFIX_PATH={self.prefix}", f"-DTorch_DIR={other}")
        self.assertNotEqual(done.returncode, 0)
        said = " ".join(done.stderr.split())
        self.assertRegex(said, r"saetap was built with LibTorch 2\.\d+, found is 2\.9\.1")

    def test_the_package_says_when_it_has_no_plugin(self):
        without = self.folder / "without"
        shutil.copytree(self.prefix / "lib/cmake", without / "lib/cmake")
        for targets in without.rglob("saetap_plugin_targets*"):
            targets.unlink()
        done = self.configure(f"-DCMAKE_PREFIX_PATH={without};{TORCH}")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("built without LibTorch: it has no component plugin", " ".join(done.stderr.split()))

    def test_the_installed_program_finds_its_parts(self):
        program = self.prefix / "bin/saetap"
        self.assertIn("true loaded no LibTorch", self.run_program(program, "record", "--", "true").stderr)
        # They come as far as reading what they are given, which is neither a module nor a tensor.
        text = self.folder / "no tensor"
        text.write_bytes(self.text)
        for command in (["inspect", text], ["index", "--activations", text, "--tokens", text, "-o", self.folder / "index"]):
            said = self.run_program(program, *command, status=2).stderr
            self.assertIn(str(text), said)
            self.assertEqual(said.count("\n"), 1, said)

    def test_pkg_config(self):
        search = {"PKG_CONFIG_PATH": str(self.prefix / "lib/pkgconfig")}
        version = self.run_quietly(["pkg-config", "--modversion", "saetap"], **search).strip()
        self.assertIn(version, self.run_program(self.prefix / "bin/saetap", "--version").stdout)
        flags = self.run_quietly(["pkg-config", "--cflags", "--libs", "saetap"], **search).strip()
        program = self.folder / "observe_by_pkg_config"
        compile_it = f'cc -std=c99 -Wall -Wextra -Wpedantic -Werror "$0" -o "$1" {flags}'
        self.run_quietly(["/bin/sh", "-c", compile_it, SOURCE / "examples/observe.c", program])
        self.check_example(program)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[5:]])
