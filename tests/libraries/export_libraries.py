#!/usr/bin/env python3
"""Exports every module of three SAE libraries to TorchScript, as their users would, with the libraries' own features.

    export_libraries.py --out DIR

DIR/manifest.json lists the cases and what could not be exported. Each exported file is loaded again and run: its outputs
must be the eager module's, and what enters its decoder product must be what enters the eager module's.
"""
import argparse
import itertools
import json
import os
import sys
import warnings
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # no library may ask a server anything
os.environ["SPARSIFY_DISABLE_TRITON"] = "1"  # a Triton kernel, where Triton is installed, can be neither traced nor run on a CPU
sys.dont_write_bytecode = True  # nothing is written but below --out
import torch  # noqa: E402

import dictionary_learning_modules  # noqa: E402
import sae_lens_modules  # noqa: E402
import sparsify_modules  # noqa: E402
from export_checks import Measured, NotTheSame, Reference, measure, reference_of, trains  # noqa: E402
from export_forms import Export, Exporter, without_graph_dump  # noqa: E402
from library_module import D_IN, LibraryModule  # noqa: E402

# Measured differences are multiplied by this, for kernels that differ from one CPU to the next.
MARGIN = 4.0
# library, class, variant, reason
NOT_IN_THE_LIBRARY = [
    (dictionary_learning_modules.LIBRARY, "CrossCoder", "", "not in this version of the package"),
    (dictionary_learning_modules.LIBRARY, "BatchTopKCrossCoder", "", "not in this version of the package"),
    (sparsify_modules.LIBRARY, "SparseCoder", "3-D input", "the library's own decode takes 2-D input only (embedding_bag)"),
]


class Library:
    """The folder of exported cases."""

    def __init__(self, out: Path):
        self.out = out
        self.manifest = {"cases": [], "not_exported": []}
        out.mkdir(parents=True, exist_ok=True)

    def save(self, name: str, value) -> str:
        torch.save(value, self.out / name)
        return name

    def add(self, source: LibraryModule) -> None:
        reference = reference_of(source)
        files = self.write_tensors(source, reference)
        exporter = Exporter(source)
        for export in exporter.exports():
            try:
                measured = measure(export.data, source, reference)
            except (NotTheSame, RuntimeError) as error:
                exporter.fail(export.form, without_graph_dump(error))
                continue
            self.write_case(source, reference, export, measured, files)
        self.manifest["not_exported"] += exporter.failures
        for failure in exporter.failures:
            print(f"{source.name:<90} {failure['form']:<10} not exported: {failure['reason']}")

    def write_tensors(self, source: LibraryModule, reference: Reference) -> dict:
        files = {"inputs": self.save(f"{source.name}.inputs.pt", source.inputs), "features": None, "decoder_input": None}
        if source.features is not None:
            files["features"] = self.save(f"{source.name}.features.pt", source.features)
        if source.meaning == "decoder_input":
            files["decoder_input"] = files["features"]
        elif reference.decoder_input is not None:
            entering = reference.decoder_input.reshape(source.features.shape)
            files["decoder_input"] = self.save(f"{source.name}.decoder_input.pt", entering)
        return files

    def write_case(self, source: LibraryModule, reference: Reference, export: Export, measured: Measured, files: dict) -> None:
        name = ".".join(part for part in (source.name, export.base, export.form) if part)
        (self.out / f"{name}.pt").write_bytes(export.data)
        tolerance = MARGIN * measured.decoder_input
        if source.meaning == "decoder_norm":
            scaling = reference.features_distance(source, reference.decoder_input)
            tolerance = MARGIN * (scaling + measured.decoder_input * source.decoder.norm(dim=-1).max().item())
        self.manifest["cases"].append({
            "name": name, "library": source.library, "class": source.class_name, "variant": source.variant, "form": export.form,
            "base": export.base, "wrapped": source.wrapped, "file": f"{name}.pt", "method": "forward", **files,
            "meaning": source.meaning, "tolerance": tolerance, "decoder_input_tolerance": MARGIN * measured.decoder_input,
            "F": source.decoder.shape[0] if source.decoder is not None else 0, "d_in": D_IN,
            "d_out": source.decoder.shape[1] if source.decoder is not None else D_IN,
            "dtype": str(source.dtype).removeprefix("torch."), "trains": not export.base and trains(export.data, source),
            "expect": "none" if reference.decoder_input is None else "hooked",
            "note": "; ".join(note for note in (source.note, export.note, tolerance_note(source, measured)) if note)})
        print(f"{name:<110} outputs {measured.outputs:<8.2g} decoder input {measured.decoder_input:<8.2g}")

    def finish(self) -> None:
        for library, class_name, variant, reason in NOT_IN_THE_LIBRARY:
            self.manifest["not_exported"].append({"library": library, "class": class_name, "variant": variant, "form": "any",
                                                  "reason": reason})
        (self.out / "manifest.json").write_text(json.dumps(self.manifest, indent=1) + "\n")


def tolerance_note(source: LibraryModule, measured: Measured) -> str:
    notes = []
    if source.meaning == "decoder_norm":
        notes.append("tolerance: features / norm * norm is rounded")
    if measured.decoder_input:
        notes.append("tolerance: this form runs other kernels than the eager module")
    return "; ".join(notes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    library = Library(parser.parse_args().out)
    torch.set_num_threads(1)  # matrices this small are no faster on more
    warnings.simplefilter("ignore")  # the tracer's, about branches and constants: each export is compared with its module
    for source in itertools.chain(sae_lens_modules.modules(), dictionary_learning_modules.modules(), sparsify_modules.modules()):
        library.add(source)
    library.finish()
    print(f"{len(library.manifest['cases'])} cases, {len(library.manifest['not_exported'])} forms not exported")


if __name__ == "__main__":
    main()
