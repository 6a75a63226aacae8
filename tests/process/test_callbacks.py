"""The config key `callbacks` in a real training: what is said, written and kept, also when it is resumed."""

import json

from host_run import ACTIVE, ROWS, HostTest, Store, run_tests

STEPS = 8


class Callbacks(HostTest):
    def sizes(self) -> tuple[int, int, int]:
        """Steps; strongest and random samples that are kept."""
        store = Store(self.store_path)
        try:
            counted = "SELECT coalesce(sum(length(activation)), 0) / 4 FROM "
            return store.steps, store.one(counted + "sample"), store.one(counted + "random_sample")
        finally:
            store.close()

    def test_events_and_progress(self):
        alone = self.run_host(steps=STEPS, pause=200)
        events = self.folder / "events.jsonl"
        callbacks = [{"name": "jsonl", "options": {"path": str(events)}},
                     {"name": "progress", "options": {"seconds": 1}}]
        done = self.recorded({"callbacks": callbacks}, steps=STEPS, pause=200)
        self.assertEqual((done.status, done.said("state")), (6, alone.said("state")), done.err)
        lines = [json.loads(line) for line in events.read_text(encoding="utf-8").splitlines()]
        batches = [line for line in lines if line["event"] == "batch"]
        self.assertEqual([line["step"] for line in batches], [*range(STEPS)])
        self.assertTrue(all((line["rows"], line["active"]) == (ROWS, ROWS * ACTIVE) for line in batches))
        self.assertEqual(lines[0]["event"], "attach")
        self.assertEqual(lines[-1]["event"], "finish")
        self.assertIn("progress  TinySae.forward.64: step ", done.err)
        self.assertEqual(events.stat().st_mode & 0o777, 0o600)
        _, strongest, random = self.sizes()
        self.assertGreater(strongest, 0)
        self.assertGreater(random, 0)

    def test_what_is_kept_is_chosen(self):
        only = {"callbacks": [{"name": "statistics"}], "tokens": {"source": "none"}}
        done = self.recorded(only, steps=STEPS)
        self.assertEqual(done.status, 6, done.err)
        self.assertEqual(self.sizes(), (STEPS, 0, 0))
        self.check_store(STEPS)
        # A store goes on with what it was begun with.
        more = self.recorded({"resume": True, "tokens": {"source": "none"}}, steps=STEPS)
        self.assertIn("max_samples_per_feature stays 0", more.err)
        self.assertEqual(self.sizes(), (2 * STEPS, 0, 0))

    def test_a_resumed_run_that_keeps_less_throws_nothing_away(self):
        tokens = {"tokens": {"source": "none"}}
        self.recorded(tokens, steps=STEPS)
        before = self.sizes()
        done = self.recorded({"resume": True, "callbacks": [{"name": "statistics"}]} | tokens, steps=STEPS)
        self.assertEqual(done.status, 6, done.err)
        self.assertIn("max_samples_per_feature stays 5: what was kept stays", done.err)
        after = self.sizes()
        self.assertEqual(after[0], 2 * STEPS)
        self.assertGreaterEqual(after[1:], before[1:])


if __name__ == "__main__":
    run_tests()
