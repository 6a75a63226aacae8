"""Callbacks in libraries of their own: what they are told, and that one that fails costs nobody else anything."""

import csv
import json
import struct

from host_run import ACTIVE, LIBRARIES, PLUGIN, ROWS, HostTest, Store, run_tests

STEPS = 12
FEATURES = 2048  # so many that some are dead
DEAD_FEATURES, WITNESS = LIBRARIES / "libdead_features.so", LIBRARIES / "libwitness.so"
STATISTICS = {"name": "statistics"}  # nobody else wants candidates


def in_float32(line: dict) -> tuple:
    bits = struct.pack("f", line["activation"])
    return line["step"], line["feature"], line["sequence"], line["position"], bits


class CustomCallback(HostTest):
    def record(self, *callbacks: dict, **keys):
        return self.recorded({"callbacks": [*callbacks]} | keys, steps=STEPS)

    def witnessed(self, *others: dict, **options) -> list[dict]:
        told = self.folder / "told"
        done = self.record({"library": str(WITNESS), "options": {"path": str(told)} | options}, *others)
        self.assertEqual(done.status, 6, done.err)
        self.check_store(STEPS)
        return [json.loads(line) for line in told.read_text(encoding="utf-8").splitlines()]

    def test_the_example(self):
        path = self.folder / "dead.csv"
        alone = self.run_host(steps=STEPS, features=FEATURES)
        keys = {"callbacks": [{"library": str(DEAD_FEATURES), "options": {"path": str(path), "tokens": STEPS * ROWS}}]}
        done = self.recorded(keys, steps=STEPS, features=FEATURES)
        self.assertEqual((done.status, done.said("state")), (6, alone.said("state")), done.err)
        with path.open(encoding="utf-8") as file:
            last = [*csv.DictReader(file)][-1]
        store = Store(self.store_path)
        dead = store.one("SELECT features FROM site") - store.one("SELECT count(*) FROM feature WHERE active > 0")
        store.close()
        self.assertGreater(dead, 0)
        self.assertEqual(last, {"site": f"TinySae.forward.{FEATURES}", "step": str(STEPS - 1), "tokens": str(STEPS * ROWS),
                                "dead": str(dead)})

    def test_it_is_told_everything_in_order(self):
        lines = self.witnessed({"name": "jsonl", "options": {"samples": True}}, {"name": "top_samples"})
        events = [line["event"] for line in lines if line["event"] != "candidate"]
        self.assertEqual(events, ["attach", *["batch", "step"] * STEPS, "checkpoint", "finish", "close"])
        batches = [line for line in lines if line["event"] == "batch"]
        self.assertEqual([(b["step"], b["phase"], b["rows"], b["active"]) for b in batches],
                         [(step, 0, ROWS, ROWS * ACTIVE) for step in range(STEPS)])
        # The same candidates as another callback is told of, and their tokens as the store has them.
        written = (self.folder / "out" / "events.jsonl").read_text(encoding="utf-8").splitlines()
        others = [json.loads(line) for line in written]
        candidates = [line for line in lines if line["event"] == "candidate"]
        self.assertGreater(len(candidates), ROWS)
        samples = [line for line in others if line["event"] == "sample"]
        self.assertEqual(sorted(map(in_float32, candidates)), sorted(map(in_float32, samples)))
        self.assertTrue(all(line["length"] > line["position"] and line["token"] >= 0 for line in candidates))

    def test_it_reads_what_is_kept_and_cannot_stop_what_it_is_part_of(self):
        told = [line for line in self.witnessed({"name": "top_samples"}) if line["event"] == "checkpoint"][-1]
        store = Store(self.store_path)
        self.assertEqual(told["active"], store.one("SELECT active FROM feature WHERE feature = 3"))
        top = store.one("SELECT activation FROM sample WHERE feature = 3")
        store.close()
        self.assertEqual(struct.pack("f", told["top"]), struct.pack("f", max(memoryview(top).cast("f"))))
        self.assertEqual((told["last"], told["read"], told["sites"], told["counts"], told["stop"]), (1, 0, 1, 5, 5))

    def test_it_gets_no_more_than_it_wanted_at_first(self):
        candidates = [line for line in self.witnessed(STATISTICS) if line["event"] == "candidate"]
        self.assertGreater(len(candidates), 0)
        self.assertTrue(all(line["feature"] == 3 and line["activation"] >= 0.5 for line in candidates))
        self.assertGreater(len({line["step"] for line in candidates}), 1)

    def test_one_that_fails_is_switched_off_alone(self):
        told, path = self.folder / "told", self.folder / "dead.csv"
        alone = self.run_host(steps=STEPS)
        done = self.record({"library": str(WITNESS), "options": {"path": str(told), "fail_at": 2}},
                           {"library": str(DEAD_FEATURES), "options": {"path": str(path)}})
        self.assertEqual((done.status, done.said("state")), (6, alone.said("state")), done.err)
        off = [line for line in done.log if "switched off" in line]
        self.assertEqual(len(off), 1, done.err)
        self.assertIn("libwitness.so switched off, it failed in on_batch: as it was told", off[0])
        self.check_store(STEPS)
        self.assertIn(f"{STEPS - 1},{STEPS * ROWS}", path.read_text(encoding="utf-8"))
        lines = [json.loads(line)["event"] for line in told.read_text(encoding="utf-8").splitlines()]
        self.assertEqual(lines.count("batch"), 2)
        self.assertEqual(lines[-3:], ["checkpoint", "finish", "close"])  # what it kept may be saved

    def test_one_that_cannot_be_had_is_said(self):
        for callback, why in [({"library": "/nowhere/libmine.so"}, "cannot open shared object file"),
                              ({"library": str(PLUGIN)}, "it exports no saetap_callback_open"),
                              ({"library": str(WITNESS)}, "saetap_callback_open: no path"),
                              ({"library": str(DEAD_FEATURES), "options": {"tokens": "many"}}, "saetap_callback_open: ")]:
            with self.subTest(why):
                done = self.record(callback)
                said = [line for line in done.log if "no callback" in line]
                self.assertEqual((done.status, len(said)), (6, 1), done.err)
                self.assertIn(why, said[0])
                self.check_store(STEPS)
                self.store_path.unlink()

    def test_wrong_keys(self):
        for callback, why in [({"library": 3}, '"saetap.callbacks[0].library"'), ({"options": {}}, '"library"'),
                              ({"name": "jsonl", "library": "x"}, '"library"'),
                              ({"library": "x", "options": [1]}, "an object")]:
            with self.subTest(why):
                done = self.record(callback)
                self.assertEqual(done.status, 6)
                self.assertIn("not recording", done.err)
                self.assertIn(why, done.err)


if __name__ == "__main__":
    run_tests()
