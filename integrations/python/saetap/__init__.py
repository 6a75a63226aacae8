"""saetap: what each feature of a sparse autoencoder stands for, by its strongest real examples, kept while it is trained.

    import saetap

    with saetap.start(output_dir="activation_samples"):
        saetap.attach(sae, lm=model, at="transformer.h.5")
        ...                                       # training, as it is

    store = saetap.open("activation_samples")
    store.features()[17]["density"], store.samples(17)[0].tokens

docs/python.md says the rest. Reading a store needs NumPy alone; PyTorch and libsaetap.so are loaded by `start`."""
from __future__ import annotations

import os

from saetap.arrays import Table
from saetap.attaching import Attached, attach, observe
from saetap.library import SaetapError
from saetap.live import sample_tokens, sites, statistics, top_samples
from saetap.recording import Recording, checkpoint, set_tokens, start, step, stop
from saetap.store import Sample, Scope, Site, Store
from saetap.store_file import StoreError

__version__ = "0.1.0"


def open(path: str | os.PathLike[str]) -> Store:
    """Opens what a run saved, also while it goes on: a .saetap file, or the folder that holds samples.saetap.

    Raises StoreError if it is not there, of another format, or damaged."""
    return Store(path)


__all__ = ["Attached", "Recording", "Sample", "SaetapError", "Scope", "Site", "Store", "StoreError", "Table", "attach",
           "checkpoint", "observe", "open", "sample_tokens", "set_tokens", "sites", "start", "statistics", "step", "stop",
           "top_samples"]
