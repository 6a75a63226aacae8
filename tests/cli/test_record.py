"""`saetap record` from outside: the program it starts is the program as it is, and nothing wrong starts one.

    python3 test_record.py SAETAP MAKE_STORE PRELOAD_LIBRARY
"""

import json
import shutil
import signal
import struct
import subprocess

from index_file import row_hash
from program_test import PRELOAD, SAETAP, StoreTest, clean_environment, run_tests, saetap


def empty_index(name: str, width: int) -> bytes:
    """What `saetap index` writes (docs/file_format.md), of no rows."""
    head_bytes = 64 + len(name) + 8
    head = struct.pack("<8sII4Q4I", b"saetapix", 1, head_bytes, 0, 0, 0, head_bytes, width, len(name), 0, 0)
    head += name.encode()
    return head + struct.pack("<Q", row_hash(head))


class Record(StoreTest):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        # No program here uses LibTorch, so the plugin is never loaded; it only has to be there.
        cls.libraries = cls.folder / "libraries"
        cls.libraries.mkdir()
        shutil.copy(PRELOAD, cls.libraries / "libsaetap_preload.so")
        (cls.libraries / "libsaetap.so").write_bytes(b"")

    def record(self, *arguments: object, **extra: str) -> subprocess.CompletedProcess:
        return saetap("record", *arguments, SAETAP_LIBRARY_DIR=str(self.libraries), **extra)

    def refuses(self, reason: str, *arguments: object, **extra: str) -> None:
        marker = self.folder / "started"
        extra = {"SAETAP_LIBRARY_DIR": str(self.libraries)} | extra
        self.fails(2, reason, "record", *arguments, "--", "touch", marker, **extra)
        self.assertFalse(marker.exists())

    def test_the_program_is_run_as_it_is(self) -> None:
        listing = self.record("--", "ls", "-a", "--", str(self.usual))
        self.assertEqual((listing.returncode, listing.stderr), (0, ""))
        self.assertIn("samples.saetap\n", listing.stdout)
        self.assertEqual(self.record("--", "python3", "-c", "").returncode, 0)
        self.assertEqual(self.record("--", "python3", "-c", "raise SystemExit(7)").returncode, 7)

    def test_streams_pid_and_signals_are_the_programs(self) -> None:
        source = "import os; print(os.getpid(), input(), flush=True); input()"
        command = [SAETAP, "record", "--", "python3", "-c", source]
        environment = clean_environment(SAETAP_LIBRARY_DIR=str(self.libraries))
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as program:
            program.stdin.write("hello\n")
            program.stdin.flush()
            self.assertEqual(program.stdout.readline(), f"{program.pid} hello\n")
            program.send_signal(signal.SIGTERM)
            self.assertEqual(program.wait(), -signal.SIGTERM)

    def test_the_environment_tells_the_preloaded_library_all(self) -> None:
        # A preload library that does nothing, so that the variables are still there to be seen.
        bare = self.folder / "bare"
        bare.mkdir()
        preload = str(bare / "libsaetap_preload.so")
        subprocess.run(["c++", "-shared", "-x", "c++", "-", "-o", preload], input=b"", check=True)
        (bare / "libsaetap.so").write_bytes(b"")
        config = self.folder / "config.json"
        config.write_text("{}", encoding="utf-8")
        arguments = ["record", "--config", "config.json", "--output", "out", "--", "env", "A=it's"]
        # A sanitizer's runtime would want to come before what is preloaded.
        done = saetap(*arguments, cwd=str(self.folder), SAETAP_LIBRARY_DIR="bare", LD_PRELOAD=preload,
                      ASAN_OPTIONS="verify_asan_link_order=0")
        self.assertEqual(done.returncode, 0, done.stderr)
        told = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
        self.assertEqual(told["LD_PRELOAD"], f"{preload}:{preload}")
        self.assertEqual(told["SAETAP_PLUGIN"], str(bare / "libsaetap.so"))
        self.assertEqual(told["SAETAP_CONFIG"], str(config))
        self.assertEqual(told["SAETAP_OUTPUT_DIR"], str(self.folder / "out"))
        self.assertEqual(told["SAETAP_RECORD"], "1")
        self.assertEqual(told["SAETAP_PROGRAM"], "env 'A=it'\\''s'")

    def test_a_program_that_cannot_be_started(self) -> None:
        done = self.record("--", "no-such-program-here")
        self.assertEqual(done.returncode, 127)
        self.assertEqual(done.stderr, "saetap: no-such-program-here cannot be started: No such file or directory\n")
        self.assertEqual(self.record("--", str(self.usual / "tokenizer.json")).returncode, 126)
        self.assertEqual(self.record("--", str(self.usual)).returncode, 126)

    def test_a_command_has_to_be_there(self) -> None:
        self.fails(2, "record needs a command behind --", "record")
        self.fails(2, "record needs a command behind --", "record", "--")
        self.fails(2, "record needs a command behind --", "record", "ls", "-l")
        self.refuses("--confg", "--confg", "x.json")

    def test_bad_configs_start_nothing(self) -> None:
        config = self.folder / "bad.json"
        self.refuses("missing.json", "--config", self.folder / "missing.json")
        for text, reason in (
            ("{", "bad.json"),
            ('{"saetap": {"max_samples_per_featur": 5}}', "max_samples_per_feature"),
            ('{"sample_collection_freq": 0}', "sample_collection_freq"),
            ('{"saetap": {"tokenizer": "/no/such/tokenizer.json"}}', "/no/such/tokenizer.json"),
        ):
            config.write_text(text, encoding="utf-8")
            self.refuses(reason, "--config", config)
            self.refuses(reason, SAETAP_CONFIG=str(config))

    def test_index_files_that_cannot_serve_start_nothing(self) -> None:
        good, same, wider = (self.folder / name for name in ("good.index", "same.index", "wider.index"))
        good.write_bytes(empty_index("layer 3", 64))
        same.write_bytes(empty_index("layer 3", 64))
        wider.write_bytes(empty_index("layer 3", 65))
        damaged = self.folder / "damaged.index"
        damaged.write_bytes(good.read_bytes()[:-1])
        config = self.folder / "index.json"

        def write(*paths: object) -> None:
            config.write_text(json.dumps({"saetap": {"tokens": {"index": [*map(str, paths)]}}}), encoding="utf-8")

        write(good, wider)
        self.assertEqual(self.record("--config", config, "--", "true").returncode, 0)
        for paths, reason in (
            ((self.folder / "missing.index",), f"{self.folder}/missing.index (tokens.index): No such file"),
            ((good, damaged), f"{damaged} (tokens.index): it is cut short"),
            ((config,), f"{config} (tokens.index): it is no file of saetap index"),
            ((good, same), f'{same} (tokens.index): its rows are named "layer 3" as those of {good} are'),
            ((good, good), "index all shards of one stream in one file"),
        ):
            write(*paths)
            self.refuses(reason, "--config", config)

    def test_what_is_odd_but_not_wrong_is_said(self) -> None:
        config = self.folder / "odd.json"
        tokenizer = self.folder / "odd_tokenizer.json"
        tokenizer.write_text('{"decoder": {"type": "Phonetic"}}', encoding="utf-8")
        keys = {"save_activation_samples": False, "saetap": {"tokenizer": str(tokenizer)}}
        config.write_text(json.dumps(keys), encoding="utf-8")
        done = self.record("--config", config, "--", "true")
        self.assertEqual(done.returncode, 0)
        self.assertIn("nothing will be collected", done.stderr)
        self.assertIn('"Phonetic" is not supported', done.stderr)

    def test_the_libraries_have_to_be_there(self) -> None:
        empty = self.folder / "empty"
        empty.mkdir(exist_ok=True)
        self.refuses("libsaetap.so and libsaetap_preload.so are not in", SAETAP_LIBRARY_DIR=str(empty))

    def test_a_path_that_ld_preload_cannot_carry_is_said(self) -> None:
        for name in ("with space", "with:colon"):
            folder = self.folder / name
            shutil.copytree(self.libraries, folder)
            self.refuses("LD_PRELOAD cannot carry", SAETAP_LIBRARY_DIR=str(folder))


if __name__ == "__main__":
    run_tests()
