"""`saetap map`: principal components against NumPy's singular values, t-SNE by the Python that runs this."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
from planted import CLUSTERS, SAETAP, PlantedStore, PlantedTest, planted_store, run_tests, saetap
from sklearn.metrics import silhouette_score


class Map(PlantedTest):
    def directions(self) -> tuple[np.ndarray, np.ndarray]:
        has, units = self.planted.units()
        active = self.planted.active[has]
        return has[active], units[active]

    def test_principal_components(self) -> None:
        features, units = self.directions()
        shown = self.ok_json("map")
        self.assertEqual([one["feature"] for one in shown["points"]], features.tolist())
        centred = units - units.mean(axis=0)
        _, values, axes = np.linalg.svd(centred, full_matrices=False)
        shares = values**2 / np.sum(values**2)
        self.assertAlmostEqual(shown["x_share_of_variance"], shares[0], places=6)
        self.assertAlmostEqual(shown["y_share_of_variance"], shares[1], places=6)
        points = np.array([[one["x"], one["y"]] for one in shown["points"]])
        for i in range(2):
            axis = axes[i] * np.sign(axes[i][np.argmax(np.abs(axes[i]))])
            np.testing.assert_allclose(points[:, i], centred @ axis, atol=1e-4)

    def test_components_are_put_together_from_strips(self) -> None:
        with planted_store(40, 1500, 3, 5) as folder:
            planted = PlantedStore(folder, 40, 1500)
            has, units = planted.units()
            units = units[planted.active[has]]
            planted.store.close()
            shown = json.loads(saetap("map", folder, "--json").stdout)
        centred = units - units.mean(axis=0)
        values = np.linalg.svd(centred, compute_uv=False)
        self.assertAlmostEqual(shown["x_share_of_variance"], values[0]**2 / np.sum(values**2), places=6)
        self.assertAlmostEqual(shown["y_share_of_variance"], values[1]**2 / np.sum(values**2), places=6)

    def test_directions_that_are_too_wide_are_refused(self) -> None:
        with planted_store(8, 8193, 2, 2) as folder:
            for command in (("map",), ("plot", "map", "-o", "-")):
                done = saetap(command[0], folder, *command[1:])
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertIn("directions of 8,193 numbers; principal components are found of 8,192 at most", done.stderr)

    def test_csv(self) -> None:
        features, _ = self.directions()
        file = self.folder / "map.csv"
        said = self.ok("map", "-o", file)
        self.assertIn(f"{len(features)} features written to {file}; of the variance", said)
        rows = list(csv.DictReader(io.StringIO(file.read_text())))
        self.assertEqual(list(rows[0]), ["feature", "x", "y", "density", "max"])
        self.assertEqual([int(row["feature"]) for row in rows], features.tolist())
        self.assertEqual(file.read_text(), self.ok("map"))

    def test_tsne_keeps_planted_clusters_together(self) -> None:
        features, _ = self.directions()
        temporary = self.folder / "tmp"
        temporary.mkdir()
        # One thread: beside other tests several would wait for each other.
        python = {"SAETAP_PYTHON": sys.executable, "TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"}
        shown = json.loads(self.ok("map", "--method", "tsne", "--json", **python))
        points = np.array([[one["x"], one["y"]] for one in shown["points"]])
        self.assertEqual([one["feature"] for one in shown["points"]], features.tolist())
        self.assertGreater(silhouette_score(points, features % CLUSTERS), 0.5)
        self.assertEqual([one for one in temporary.iterdir() if one.name.startswith("saetap-map")], [])

    def test_python_that_is_not_there(self) -> None:
        nowhere = {"SAETAP_PYTHON": "/nowhere/python", "TMPDIR": str(self.folder)}
        self.fails(2, "/nowhere/python cannot be started", "map", "--method", "tsne", **nowhere)
        self.assertEqual(list(self.folder.glob("saetap-map*")), [])

    def test_a_failure_is_seen_where_ended_children_are_ignored(self) -> None:
        python = self.folder / "failing_python"
        python.write_text("#!/bin/sh\necho it went wrong >&2\nexit 3\n")
        python.chmod(0o755)
        done = subprocess.run([SAETAP, "map", str(self.folder), "--method", "tsne"], capture_output=True, text=True, check=False,
                              env=os.environ | {"SAETAP_PYTHON": str(python), "TMPDIR": str(self.folder)}, timeout=60,
                              preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("it went wrong", done.stderr)

    def test_what_is_told_to_end_leaves_no_folder(self) -> None:
        temporary = self.folder / "ended"
        temporary.mkdir()
        python = self.folder / "slow_python"
        python.write_text("#!/bin/sh\nexec sleep 60\n")
        python.chmod(0o755)
        for number in (signal.SIGINT, signal.SIGTERM):
            environment = os.environ | {"SAETAP_PYTHON": str(python), "TMPDIR": str(temporary)}
            with subprocess.Popen([SAETAP, "map", str(self.folder), "--method", "tsne"], env=environment) as running:
                while not any(temporary.glob("saetap-map*/errors")):  # what it started writes there
                    self.assertIsNone(running.poll())
                    time.sleep(0.01)
                running.send_signal(number)
                self.assertEqual(running.wait(), -number)
            self.assertEqual(list(temporary.iterdir()), [])

    def test_a_package_that_is_not_there(self) -> None:
        """A package of the name that cannot be imported stands before any other."""
        for method, package, wanted in (("umap", "umap", "umap-learn"), ("tsne", "sklearn", "scikit-learn")):
            os.makedirs(self.folder / method / package, exist_ok=True)
            (self.folder / method / package / "__init__.py").write_text(f"raise ImportError(name='{package}')\n")
            self.fails(2, f"has no {wanted}: pip install {wanted}", "map", "--method", method,
                       SAETAP_PYTHON=sys.executable, PYTHONPATH=str(self.folder / method))


run_tests()
