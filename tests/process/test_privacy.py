"""What a store holds is its owner's alone, no more than the config allows, and goes nowhere; and nothing is loaded that
the program's owner did not name."""

import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import tempfile

from host_run import BIN, LIBRARIES, PLUGIN, UNBOUNDED, HostTest, Store, record_fault, run_tests

STEPS = 8
PRELOAD = LIBRARIES / "libsaetap_preload.so"
NETWORK = {"socket", "connect", "bind", "listen", "accept", "accept4", "getaddrinfo", "gethostbyname", "send", "sendto",
           "sendmsg", "sendmmsg", "recv", "recvfrom", "recvmsg", "socketpair", "res_query", "__res_query"}
# dlopen loads the callbacks' libraries that the config names, and nothing else.
LOADERS = {"dlmopen", "sqlite3_load_extension", "sqlite3_enable_load_extension"}


def imported(library: pathlib.Path) -> set[str]:
    listed = subprocess.run(["nm", "-D", "--undefined-only", library], capture_output=True, text=True, check=True)
    return {line.split()[-1].split("@")[0] for line in listed.stdout.splitlines()}


def user_nobody() -> dict[str, object]:
    return {"user": 65534, "group": 65534, "extra_groups": []}


class Files(HostTest):
    def test_only_their_owner_can_read_them_whatever_the_umask(self):
        for umask in ("000", "077", "777"):
            shutil.rmtree(self.folder / "made", ignore_errors=True)
            for _ in range(2):  # the second run moves the first one's store aside
                variables = {"SAETAP_CONFIG": self.config(output_dir=str(self.folder / "made" / "for" / "it"))}
                done = self.run_host(prefix=["sh", "-c", f'umask {umask}; exec "$@"', "sh"], variables=variables,
                                     load=PLUGIN, steps=STEPS)
                self.assertEqual(done.status, 6, done.err)
            found = {path.relative_to(self.folder): stat.S_IMODE(path.stat().st_mode)
                     for path in [self.folder / "made", *(self.folder / "made").rglob("*")]}
            self.assertEqual(sorted(found.values()), [0o600] * 4 + [0o700] * 3, (umask, found))
        record_fault("privacy", "the program's umask would let others read (or nobody): files are 0600, folders 0700", 3,
                     "nothing")


class Redaction(HostTest):
    def setUp(self):
        super().setUp()
        self.vocabulary = self.folder / "vocab.txt"
        self.vocabulary.write_text("[UNK]\n" + "".join(f"secret{i}\n" for i in range(199)), encoding="utf-8")

    def bytes_of_all(self) -> bytes:
        return b"".join(path.read_bytes() for path in sorted((self.folder / "out").iterdir()))

    def record(self, redact: str) -> tuple[bytes, list, list, dict]:
        """All bytes of what was written, where the samples are, the texts, and meta."""
        shutil.rmtree(self.folder / "out", ignore_errors=True)
        tokens = {"ignore_token_ids": []}
        done = self.recorded({"redact": redact, "tokenizer": str(self.vocabulary), "tokens": tokens}, steps=STEPS)
        self.assertEqual(done.status, 6, done.err)
        self.check_store(STEPS)
        store = Store(self.store_path)
        places = store.connection.execute("SELECT feature, sequence, position FROM sample ORDER BY 1").fetchall()
        texts = store.connection.execute("SELECT tokens FROM sequence").fetchall()
        meta = store.meta
        store.close()
        self.assertEqual(meta["redact"], redact)
        return self.bytes_of_all(), places, [tokens for (tokens,) in texts], meta

    def samples(self) -> list[dict]:
        sites = json.loads((self.folder / "out" / "samples.json").read_text(encoding="utf-8"))["sites"]
        return [sample for feature in sites[0]["top_features"] for sample in feature["samples"]]

    def said(self, *arguments: str) -> str:
        done = subprocess.run([BIN / "saetap", *arguments], capture_output=True, text=True, timeout=UNBOUNDED, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout + done.stderr

    def test_what_is_left_out_is_in_no_file(self):
        written, places, texts, meta = self.record("none")
        self.assertTrue(b"secret" in written)
        self.assertEqual(meta["tokenizer"], str(self.vocabulary))
        self.assertTrue(all(written.count(tokens) > 0 for tokens in texts))
        self.assertNotIn("redacted", self.said("show", str(self.store_path), "0"))

        written, same_places, same_texts, meta = self.record("text")
        self.assertFalse(b"secret" in written)
        self.assertFalse(b"vocab.txt" in written)
        self.assertEqual((same_places, sorted(same_texts)), (places, sorted(texts)))
        self.assertEqual({(s["text"], s["context_text"]) for s in self.samples()}, {(None, None)})
        self.assertTrue(all(s["context_token_ids"] for s in self.samples()))
        for command in ("show", "report"):
            arguments = ["0"] if command == "show" else ["-o", "-"]
            shown = self.said(command, str(self.store_path), *arguments)
            self.assertIn("the store was redacted: token ids without their text", shown)
            self.assertNotIn("secret", shown)
            self.assertIn("secret", self.said(command, str(self.store_path), *arguments, "--tokenizer",
                                              str(self.vocabulary)))

        written, same_places, no_texts, meta = self.record("tokens")
        self.assertFalse(b"secret" in written)
        self.assertEqual((same_places, no_texts), (places, []))
        self.assertTrue(all(tokens not in written for tokens in texts))
        for field in ("token_id", "text", "context_token_ids", "context_text", "activating_index"):
            self.assertEqual({sample[field] for sample in self.samples()}, {None}, field)
        for command in ("show", "report"):
            shown = self.said(command, str(self.store_path), *(["0"] if command == "show" else ["-o", "-"]))
            self.assertIn("the store was redacted: where each sample was, without its tokens", shown)
        record_fault("privacy", "redact: \"text\" and \"tokens\": what is left out is searched for in every byte written",
                     2, "what the config leaves out")


class Network(HostTest):
    def test_nothing_of_ours_can_reach_a_network_or_load_code(self):
        self.assertEqual(imported(PLUGIN) & (NETWORK | LOADERS), set())
        self.assertEqual(imported(PRELOAD) & NETWORK, set())
        record_fault("privacy", "functions for networks among those that the libraries import", 2, "none is there")

    def test_a_recorded_training_makes_no_network_call_of_its_own(self):
        if shutil.which("strace") is None:
            self.skipTest("needs strace")
        counts = []
        for variables in ({}, {"load": PLUGIN}):
            trace = self.folder / "trace"
            done = self.run_host(prefix=["strace", "-f", "-qq", "-e", "trace=%network", "-o", trace],
                                 variables={"SAETAP_CONFIG": self.config()}, steps=STEPS, checkpoint=4 if variables else 0,
                                 **variables)
            if "ptrace" in done.err and done.status != 6:
                self.skipTest("strace is not allowed here")
            self.assertEqual(done.status, 6, done.err)
            counts.append(sorted(re.findall(r"^\d+ +(\w+)\(", trace.read_text(encoding="utf-8"), re.MULTILINE)))
        self.check_store(STEPS)
        self.assertEqual(counts[1], counts[0])
        record_fault("privacy", "system calls for networks in a recorded training that the same one alone has not", 1,
                     "none is there")


class Privileged(HostTest):
    """A program that is set-uid, linked with all of ours, and started by somebody else with a wish for the plugin."""

    def setUp(self):
        super().setUp()
        if os.getuid() != 0:
            self.skipTest("needs root, to make a program set-uid")
        self.folder.chmod(0o755)
        self.open = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        self.open.chmod(0o777)
        self.program = self.folder / "privileged"
        shutil.copy(BIN / "privileged", self.program)
        # What the environment would have loaded: it leaves a sign.
        source = ("#include <fcntl.h>\n#include <stdlib.h>\n"
                  '[[gnu::constructor]] static void run() { open(getenv("SIGN"), O_CREAT | O_WRONLY, 0644); }\n')
        self.planted = self.folder / "planted.so"
        subprocess.run(["c++", "-shared", "-fPIC", "-x", "c++", "-", "-o", self.planted], input=source.encode(), check=True)
        self.planted.chmod(0o755)
        self.config_path = self.config(output_dir=str(self.open / "out"))
        self.config_path.chmod(0o644)

    def start(self, mode: int) -> tuple[str, bool]:
        self.program.chmod(mode)
        sign = self.open / "sign"
        sign.unlink(missing_ok=True)
        done = subprocess.run([self.program], capture_output=True, text=True, timeout=UNBOUNDED, check=False,
                              cwd=self.open, env=self.environment(SAETAP_PLUGIN=self.planted, SAETAP_CONFIG=self.config_path,
                                                             SAETAP_RECORD=1, SIGN=sign), **user_nobody())
        if done.returncode != 0 and "shared libraries" in done.stderr:
            self.skipTest("the libraries are where others may not read")
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout + done.stderr, sign.exists()

    def test_it_takes_nothing_from_the_environment(self):
        said, planted = self.start(0o755)
        self.assertIn("stop 0", said)  # as itself: it was recording
        self.assertIn("SAETAP_RECORD gone", said)
        said, planted_as_root = self.start(0o4755)
        self.assertEqual(said, "stop 4\nSAETAP_PLUGIN there\nSAETAP_CONFIG there\nSAETAP_RECORD there\n")
        self.assertFalse(planted_as_root)
        record_fault("privacy", "a set-uid program is linked with the libraries and started with their variables", 1,
                     "nothing is started, loaded or read")


if __name__ == "__main__":
    run_tests()
