"""`saetap similar`, `cluster` and `map` on small stores that are known in every figure (make_store.cpp)."""

import json

from program_test import StoreTest, run_tests, saetap


class Similar(StoreTest):
    def test_features_of_one_direction(self) -> None:
        shown = self.ok_json("similar", self.usual, 0)
        self.assertEqual([one["feature"] for one in shown["nearest"]["decoder"]], [1])
        one = shown["nearest"]["decoder"][0]
        self.assertEqual((one["decoder_cosine"], one["place_overlap"], one["shared_places"]), (1.0, 0.0, 0))
        self.assertEqual((shown["nearest"]["places"], shown["nearest"]["tokens"]), ([], []))
        self.assertEqual((shown["samples"], shown["samples_with_token"]), (3, 3))

    def test_all_pairs(self) -> None:
        pairs = [{"first": 0, "second": 1, "similarity": 1.0}]
        self.assertEqual(self.ok_json("similar", self.usual, "--all")["pairs"], pairs)
        self.assertEqual(self.ok_json("similar", self.usual, "--all", "--by", "places")["pairs"], [])
        self.assertIn("0 pairs of at least 0.500", self.ok("similar", self.usual, "--all", "--by", "places"))
        self.assertIn("\n1 pair of at least 0.800, most similar first\n", self.ok("similar", self.usual, "--all"))

    def test_what_went_to_a_file_is_said_as_asked(self) -> None:
        file = self.folder / "written.json"
        for what, number, *words in (("pairs", 1, "similar", self.usual, "--all"),
                                     ("pairs", 3, "similar", self.usual, "--all", "--top", 1),
                                     ("points", 3, "map", self.usual)):
            shown = self.ok_json(*words)
            said = self.ok_json(*words, "-o", file)
            self.assertEqual(json.loads(file.read_text()), shown)
            self.assertEqual(said, {"store": shown["store"], "output": str(file), what: number})
            self.assertIn(f"written to {file}", self.ok(*words, "-o", file))

    def test_a_dash_is_stdout(self) -> None:
        self.assertEqual(self.ok("similar", self.usual, "--all", "-o", "-"), "first,second,similarity\n0,1,1\n")

    def test_without_directions_or_tokens(self) -> None:
        store = self.folder / "no_tokens"
        for command in (("similar", "--all"), ("cluster",), ("map",)):
            done = saetap(command[0], store, *command[1:])
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn("no decoder directions were saved", done.stderr)
        done = saetap("similar", store, 0)
        self.assertEqual(done.returncode, 0)
        self.assertIn("0 with a known token", done.stdout)
        self.assertIn("no decoder directions were saved", done.stdout)

    def test_too_few_for_clusters_and_a_map(self) -> None:
        self.assertEqual(self.ok_json("cluster", self.usual, "-k", 2)["features"], 3)
        self.fails(2, "-k: 4 is not from 2 to 3: 3 features can be grouped", "cluster", self.usual, "-k", 4)
        self.fails(2, "-k: 1 is not from 2 to 3", "cluster", self.usual, "-k", 1)
        self.assertEqual([one["feature"] for one in self.ok_json("map", self.usual)["points"]], [0, 1, 2])
        self.fails(2, "--seed", "cluster", self.usual, "--seed", "-1")


run_tests()
