"""`saetap plot`: which files it writes, in which formats, and what it refuses.

    python test_plot_files.py SAETAP MAKE_STORE PRELOAD_LIBRARY
"""

import re
import stat
import struct
import subprocess
from pathlib import Path

import numpy as np

from plot_test import PlotTest, Svg
from program_test import SAETAP, clean_environment, run_tests, saetap


class Files(PlotTest):
    def test_formats(self) -> None:
        root = self.plot(self.usual, "density")[0].root
        width, height = (float(root.get(name).removesuffix("mm")) for name in ("width", "height"))
        self.assertEqual(root.get("viewBox"), f"0 0 {width:g} {height:g}")
        self.plot_file("density", "picture.png")
        png = (self.folder / "picture.png").read_bytes()
        self.assertEqual(png[:8], b"\x89PNG\r\n\x1a\n")
        pixels = struct.unpack(">2I", png[16:24])
        np.testing.assert_allclose(pixels, (width / 25.4 * 300, height / 25.4 * 300), atol=1.5)
        self.plot_file("density", "picture.pdf")
        pdf = (self.folder / "picture.pdf").read_bytes()
        self.assertTrue(pdf.startswith(b"%PDF-"))
        box = re.search(rb"/MediaBox \[ *0 0 ([\d.]+) ([\d.]+) *\]", pdf)
        np.testing.assert_allclose([float(one) for one in box.groups()], (width / 25.4 * 72, height / 25.4 * 72), atol=1)

    def plot_file(self, *arguments: object) -> None:
        *rest, name = arguments
        done = saetap("plot", self.usual, *rest, "-o", self.folder / name)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_names(self) -> None:
        folder = self.folder / "names"
        folder.mkdir()
        for arguments, names in (
            (("density",), {"density.svg", "density.points.csv"}),
            (("samples", 2, "--format", "png"), {"samples-2.png", "samples-2.points.csv"}),
            (("distribution", 0, 3), {"distribution-0-3.svg", "distribution-0-3.points.csv"}),
            (("density", "-o", "v1.5", "--format", "svg"), {"v1.5", "v1.5.points.csv"}),
        ):
            done = saetap("plot", self.usual, *arguments, cwd=str(folder))
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual({path.name for path in folder.iterdir()}, names)
            for path in folder.iterdir():
                self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
                path.unlink()
        self.fails(2, "ends in .svg, .png or .pdf", "plot", self.usual, "density", "-o", folder / "density.jpg")
        self.fails(2, "is not --format pdf", "plot", self.usual, "density", "-o", folder / "a.svg", "--format", "pdf")
        self.assertEqual(list(folder.iterdir()), [])

    def test_stdout(self) -> None:
        Svg(self.ok("plot", self.usual, "density", "-o", "-").encode())
        command = [SAETAP, "plot", str(self.usual), "density", "-o", "-", "--format", "pdf"]
        done = subprocess.run(command, capture_output=True, check=True, env=clean_environment())
        self.assertTrue(done.stdout.startswith(b"%PDF-"))

    def test_a_converter_that_fails_is_said(self) -> None:
        tools = self.folder / "tools"
        tools.mkdir()
        picture = self.folder / "kept.png"
        picture.write_bytes(b"old")
        arguments = ("plot", self.usual, "density", "-o", picture)
        self.fails(2, "librsvg2-bin", *arguments, PATH=str(tools))
        fake = tools / "rsvg-convert"
        for script, reason in (
            ("exit 3", "it ended with status 3"),
            ("echo no font >&2; echo more >&2; exit 1", "cannot make the picture: no font"),
            ("exit 0", "it ended with status 0"),
            ("kill -9 $$", "it ended with status 137"),
        ):
            fake.write_text(f"#!/bin/sh\n{script}\n")
            fake.chmod(0o755)
            self.fails(2, reason, *arguments, PATH=str(tools))
        self.assertEqual(picture.read_bytes(), b"old")
        self.assertFalse((self.folder / "kept.points.csv").exists())

    def test_json_is_the_table(self) -> None:
        path = self.random_store("json.saetap", 60)
        for arguments in (("density",), ("max-density",), ("distribution",), ("map",), ("windows", 1, 2), ("samples", 0)):
            store = self.usual if arguments[0] in ("windows", "samples") else path
            _, _, rows = self.plot(store, *arguments)
            printed = self.ok_json("plot", store, *arguments)
            self.assertEqual(printed["kind"], arguments[0])
            self.assertEqual(printed["scope"]["kind"], "all_time" if arguments[0] == "windows" else "recent")
            self.assertEqual(len(printed["points"]), len(rows))
            for point, row in zip(printed["points"], rows, strict=True):
                self.assertEqual(list(point), list(row))
                for name, value in point.items():
                    if value is None or isinstance(value, str):
                        self.assertEqual(value or "", row[name])
                    else:
                        self.assertEqual(value, float(row[name]))

    def test_wrong_usage(self) -> None:
        self.fails(2, "KIND", "plot", self.usual, "pie")
        self.fails(2, "KIND is required (saetap plot --help)", "plot", self.usual)
        self.fails(2, "plot density takes no feature", "plot", self.usual, "density", 1)
        self.fails(2, "plot samples takes one feature", "plot", self.usual, "samples")
        self.fails(2, "plot samples takes one feature", "plot", self.usual, "samples", 1, 2)
        self.fails(2, "plot distribution takes up to 8 features", "plot", self.usual, "distribution", *range(8), 1)
        self.fails(2, "plot windows takes one to 8 features", "plot", self.usual, "windows")
        self.fails(2, "--samples and --context are for the kind samples", "plot", self.usual, "density", "--samples", 3)
        self.fails(2, "--method and --seed are for the kind map", "plot", self.usual, "density", "--method", "pca")
        self.fails(2, "--output excludes --json", "plot", self.usual, "density", "--json", "-o", "x.svg")
        self.fails(1, "there is no feature 8", "plot", self.usual, "samples", 8)
        self.fails(2, "it is a folder", "plot", self.usual, "density", "-o", self.svg_folder())

    def svg_folder(self) -> Path:
        folder = self.folder / "folder.svg"
        folder.mkdir()
        return folder


if __name__ == "__main__":
    run_tests()
