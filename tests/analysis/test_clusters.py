"""`saetap cluster` against scikit-learn: its silhouettes, and what its k-means reaches on the same directions."""

import numpy as np
from planted import CLUSTERS, FEATURES, PlantedTest, planted_store, run_tests, saetap
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_samples


def labels_of(shown: dict) -> dict[int, int]:
    return {feature: i for i, cluster in enumerate(shown["clusters"]) for feature in cluster["features"]}


class Clusters(PlantedTest):
    def directions(self) -> tuple[np.ndarray, np.ndarray]:
        has, units = self.planted.units()
        active = self.planted.active[has]
        return has[active], units[active]

    def check_figures(self, shown: dict, features: np.ndarray, distances: np.ndarray, labels: np.ndarray) -> None:
        """`labels`: of `features`, those alone included."""
        distances = np.maximum(distances, 0)
        np.fill_diagonal(distances, 0)
        expected = dict(zip(features.tolist(), silhouette_samples(distances, labels, metric="precomputed")))
        index = {feature: i for i, feature in enumerate(features.tolist())}
        members = [feature for cluster in shown["clusters"] for feature in cluster["features"]]
        self.assertEqual(shown["quality"]["features"], len(members))
        self.assertAlmostEqual(shown["quality"]["silhouette"], np.mean([expected[one] for one in members]), places=4)
        for cluster in shown["clusters"]:
            own = [index[feature] for feature in cluster["features"]]
            self.assertAlmostEqual(
                cluster["silhouette"], np.mean([expected[one] for one in cluster["features"]]), places=4
            )
            inside = 1 - distances[np.ix_(own, own)]
            likeness = (inside.sum(axis=1) - 1) / (len(own) - 1)
            self.assertAlmostEqual(cluster["tightness"], likeness.mean(), places=4)
            self.assertTrue(np.all(np.diff(likeness) <= 1e-5), "the most central features come first")
        silhouettes = [cluster["silhouette"] for cluster in shown["clusters"]]
        self.assertEqual(silhouettes, sorted(silhouettes, reverse=True))

    def test_planted_clusters_are_found(self) -> None:
        features, units = self.directions()
        shown = self.ok_json("cluster", "-k", CLUSTERS)
        self.assertEqual((shown["k"], shown["features"], shown["left_out"]), (CLUSTERS, len(features), 14))
        labels = labels_of(shown)
        self.assertEqual(sorted(labels), features.tolist())
        own = np.array([labels[feature] for feature in features])
        planted = np.where(features == 1, 0, features % CLUSTERS)  # a copy of feature 0
        self.assertEqual(adjusted_rand_score(planted, own), 1.0)
        self.check_figures(shown, features, 1 - units @ units.T, own)
        self.assertGreater(shown["quality"]["silhouette"], shown["by_chance"]["silhouette"] + 0.3)
        # The tokens of a cluster are told apart by their remainder.
        for cluster in shown["clusters"]:
            planted = cluster["features"][0] % CLUSTERS
            self.assertEqual({one["id"] % CLUSTERS for one in cluster["tokens"]}, {planted})
            self.assertTrue(all(one["share"] > one["share_elsewhere"] for one in cluster["tokens"]))

    def test_not_worse_than_scikit_learn(self) -> None:
        """With more clusters than were planted nothing is sure, and what counts is how near the centres are."""
        features, units = self.directions()
        shown = self.ok_json("cluster", "-k", 40, "--seed", 7)
        labels = labels_of(shown)
        groups = [units[[i for i, f in enumerate(features) if labels.get(f) == g]] for g in range(len(shown["clusters"]))]
        alone = len(features) - len(labels)
        ours = (sum(np.linalg.norm(group.sum(axis=0)) for group in groups) + alone) / len(features)
        theirs = KMeans(40, n_init=3, random_state=1).fit(units).labels_
        best = sum(np.linalg.norm(units[theirs == g].sum(axis=0)) for g in range(40)) / len(features)
        self.assertGreater(ours, 0.99 * best)

    def test_a_seed_gives_the_same_again(self) -> None:
        once = self.ok_json("cluster", "-k", 30, "--seed", 5)
        self.assertEqual(once, self.ok_json("cluster", "-k", 30, "--seed", 5))
        self.assertNotEqual(once["clusters"], self.ok_json("cluster", "-k", 30, "--seed", 6)["clusters"])

    def test_by_places(self) -> None:
        shown = self.ok_json("cluster", "--by", "places", "--least", "0.2")
        labels = labels_of(shown)
        self.assertGreater(len(labels), FEATURES // 2)
        # Only features of one planted cluster share a place.
        for cluster in shown["clusters"]:
            self.assertEqual(len({feature % CLUSTERS for feature in cluster["features"]}), 1)
        places = [set(one) for one in self.planted.places]
        active = np.flatnonzero(self.planted.active)
        overlap = np.array([[len(places[a] & places[b]) / len(places[a] | places[b]) for b in active] for a in active])
        alone = iter(range(len(shown["clusters"]), FEATURES * 2))
        all_labels = np.array([labels.get(feature, -1) for feature in active.tolist()])
        all_labels = np.array([label if label >= 0 else next(alone) for label in all_labels])
        self.check_figures(shown, active, 1 - overlap, all_labels)
        # No two clusters are left that are more alike than asked, and each is as much.
        sums = np.array([[overlap[np.ix_(all_labels == a, all_labels == b)].mean() for b in set(all_labels)] for a in set(all_labels)])
        np.fill_diagonal(sums, 0)
        self.assertLess(sums.max(), 0.25)  # links beyond a feature's 32 nearest are not seen
        self.assertGreater(shown["quality"]["silhouette"], 0.1)
        self.assertLess(shown["by_chance"]["features"], len(labels) // 4)

    def test_text(self) -> None:
        text = self.ok("cluster", "--top", 5)
        features, _ = self.directions()
        self.assertIn(f"{len(features)} features by decoder direction: spherical k-means, k = 17", text)  # √(586 / 2)
        self.assertIn("14 left out", text)
        self.assertIn("by chance", text)
        self.assertIn("listed: the 5 clusters of highest silhouette", text)

    def test_more_clusters_than_can_be_found_are_refused(self) -> None:
        with planted_store(5000, 2, 4, 1) as folder:
            done = saetap("cluster", folder, "-k", 4097)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn("-k: 4,097 is not from 2 to 4,096: 4,898 features can be grouped",
                          done.stderr)

    def test_what_cannot_be_asked(self) -> None:
        self.fails(2, "-k: 1 is not from 2 to 586", "cluster", "-k", 1)
        self.fails(2, "-k: 587", "cluster", "-k", 587)
        self.fails(2, "--by decoder", "cluster", "--by", "places", "-k", 4)
        self.fails(2, "--by places", "cluster", "--least", "0.5")
        self.fails(2, "--least", "cluster", "--by", "places", "--least", "0")


run_tests()
