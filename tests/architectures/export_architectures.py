"""Writes the zoo: TorchScript modules as people really write them, each with what its features are.

Usage: export_architectures.py --out DIR [--only NAME...] [--jobs N]

DIR/manifest.json lists the cases: a module file, a method, inputs, and the tensors that must be found entering the
decoder. They are computed by the eager Python modules, and held against what enters the products of each exported
module, before a case is written. `rounded_by_autocast` says that the features are wider than what the product consumes:
where TorchScript puts no cast of its own into the graph (einsum), a value read there equals them after rounding.
"""

import argparse
import concurrent.futures
import functools
import pathlib
import time
import warnings

import composed
import controls
import forwards
import sparse_autoencoders
import stacks
import topk_autoencoders
import torch
import transcoders
from exhibit import DTYPES, Exhibit
from specimen import Specimen
from zoo import Zoo

FAMILIES = (sparse_autoencoders, topk_autoencoders, forwards, transcoders, stacks, composed, controls)


def exported(specimen: Specimen, out: pathlib.Path) -> Zoo:
    torch.set_num_threads(1)  # one order of summation
    warnings.filterwarnings("ignore")  # the tracer's, and TorchScript's own deprecation
    zoo = Zoo(out)
    if specimen.not_autocast:
        zoo.leave_out(specimen, "all (autocast)", specimen.not_autocast)
    for dtype in DTYPES:
        if specimen.only_float32 and dtype != "float32":
            zoo.leave_out(specimen, f"all ({dtype})", specimen.only_float32)
        else:
            Exhibit(zoo, specimen, dtype).export()
    return zoo


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--only", nargs="*", default=[], help="names of specimens")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    started = time.monotonic()
    zoo = Zoo(options.out)
    specimens = [specimen for family in FAMILIES for specimen in family.SPECIMENS]
    chosen = [specimen for specimen in specimens if not options.only or specimen.name in options.only]
    with concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
        for of_one in pool.map(functools.partial(exported, out=options.out), chosen):
            zoo.take_over(of_one)
    zoo.write_manifest()
    print(f"{zoo.summary()}, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
