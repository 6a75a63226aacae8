"""Makes the three libraries' module classes importable without their training and data tooling.

The top-level __init__ files of these packages import everything they ship: language models, dataset loaders, loggers,
Triton (about 500 MB of packages, none of which an SAE module uses). So each such __init__ is skipped: the package is
registered with its real path but nothing executed, and the submodules that hold the classes are imported as they are.
"""
import importlib
import importlib.machinery
import importlib.metadata
import importlib.util
import logging
import sys
import types


def register_without_init(package: str) -> types.ModuleType:
    """Puts `package` into sys.modules, submodules findable, its __init__ not run."""
    module = importlib.util.module_from_spec(importlib.util.find_spec(package))
    sys.modules[package] = module
    return module


def import_transformer_lens() -> None:
    """HookPoint and HookedRootModule, which every sae-lens module is built from, from their own files."""
    register_without_init("transformer_lens")
    register_without_init("transformer_lens.conversion_utils")
    register_without_init("transformer_lens.conversion_utils.conversion_steps")
    utilities = register_without_init("transformer_lens.utilities")
    for name, source in (("Slice", "slice"), ("SliceInput", "slice"), ("warn_if_mps", "devices")):
        setattr(utilities, name, getattr(importlib.import_module(f"transformer_lens.utilities.{source}"), name))
    # sae-lens asks transformer_lens.HookedTransformer for HookedRootModule; the real file also loads language models.
    alias = types.ModuleType("transformer_lens.HookedTransformer")
    alias.HookedRootModule = importlib.import_module("transformer_lens.HookedRootModule").HookedRootModule
    sys.modules[alias.__name__] = alias


def import_sae_lens() -> types.ModuleType:
    import_transformer_lens()
    package = register_without_init("sae_lens")
    package.__version__ = importlib.metadata.version("sae-lens")
    package.logger = logging.getLogger("sae_lens")
    saes = importlib.import_module("sae_lens.saes")
    register_architectures(saes)
    return saes


def import_sae_trainer() -> types.ModuleType:
    """sae-lens' own training loop. Its config imports a logger and a dataset loader, which nothing of it calls here."""
    if "sae_lens.saes" not in sys.modules:
        import_sae_lens()
    datasets = ("Dataset", "DatasetDict", "IterableDataset", "IterableDatasetDict", "load_dataset")
    for name, wanted in (("wandb", ()), ("datasets", datasets)):
        absent = importlib.util.module_from_spec(importlib.machinery.ModuleSpec(name, None))
        for attribute in wanted:
            setattr(absent, attribute, type(attribute, (), {}))
        sys.modules.setdefault(name, absent)
    return importlib.import_module("sae_lens.training.sae_trainer")


def register_architectures(saes: types.ModuleType) -> None:
    """What sae_lens/__init__ does at its end: training configs look up their inference class by name."""
    registry = importlib.import_module("sae_lens.registry")
    for name in saes.__all__:
        if name in ("SAE", "TrainingSAE") or f"{name}Config" not in saes.__all__:
            continue
        config = getattr(saes, f"{name}Config")
        register = registry.register_sae_training_class if "Training" in name else registry.register_sae_class
        register(config.architecture(), getattr(saes, name), config)


def import_dictionary_learning() -> tuple[types.ModuleType, types.ModuleType]:
    """The dictionaries, and the trainers, whose files hold further dictionaries and the losses."""
    register_without_init("dictionary_learning")
    dictionaries = importlib.import_module("dictionary_learning.dictionary")
    return dictionaries, importlib.import_module("dictionary_learning.trainers")


def import_sparsify() -> types.ModuleType:
    register_without_init("sparsify")
    return importlib.import_module("sparsify.sparse_coder")
