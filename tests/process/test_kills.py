"""A recorded training that is killed at a random moment: the store opens and has everything up to the last checkpoint."""

import concurrent.futures
import os
import random
import struct
import subprocess
import time

from host_run import LONG_FORM, PLUGIN, HostTest, Store, record_fault, run_tests

KILLS = 200 if LONG_FORM else 10


class Kills(HostTest):
    def number_in(self, path) -> int:
        return struct.unpack("<q", path.read_bytes())[0] if path.exists() else 0

    def kill_one(self, attempt: int) -> tuple[int, int]:
        """The steps that were done when it was killed, and those of the last checkpoint."""
        folder = self.folder / str(attempt)
        folder.mkdir()
        config = folder / "config.json"
        config.write_text(self.config_text(output_dir=str(folder / "out"), checkpoint_seconds=1000), encoding="utf-8")
        # Saving takes most of its time, and so most kills find it saving.
        command = self.command(load=PLUGIN, steps=1_000_000, features=1024, checkpoint=3, done=folder / "done",
                               saved=folder / "saved")
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=folder,
                              env=self.environment(SAETAP_CONFIG=config)) as program:
            self.wait_for(folder / "saved", program)
            time.sleep(random.Random(attempt).uniform(0, 1))
            program.kill()
            program.wait()
        # What a kill leaves half written (a journal, a JSON file) holds text, too.
        modes = {path.name: path.stat().st_mode & 0o777 for path in (folder / "out").iterdir()}
        self.assertEqual(set(modes.values()), {0o600}, modes)
        self.assertLessEqual({"samples.saetap", "samples.json"}, modes.keys())
        done, saved = self.number_in(folder / "done"), self.number_in(folder / "saved")
        self.check_store(saved, folder / "out" / "samples.saetap", at_least=True)
        store = Store(folder / "out" / "samples.saetap")
        self.assertLessEqual(store.steps, done + 1)
        self.assertEqual(store.meta["finished"], "0")
        store.close()
        return done, saved

    def test_a_kill_at_any_moment(self):
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            moments = list(pool.map(self.kill_one, range(KILLS)))
        self.assertGreater(max(done for done, _ in moments), 3)
        record_fault("resume", "a real training is killed (SIGKILL) at a random moment, most often while it saves", KILLS,
                     "what came after the last checkpoint")


if __name__ == "__main__":
    run_tests()
