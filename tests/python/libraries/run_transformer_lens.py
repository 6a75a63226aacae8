"""A HookedTransformer with an SAE at a hook point, as its users run it, recorded by the plugin: every row finds its token."""
import importlib.machinery
import importlib.util
import pathlib
import sys
import tempfile
import types

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "integrations" / "python"), str(ROOT / ".venv" / "libraries")]


class Absent(types.ModuleType):
    """A package of which it imports names for other ends than running a model."""

    __path__: list[str] = []

    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_, **__: None


for name in ("better_abc", "rich", "datasets", "datasets.arrow_dataset", "datasets.iterable_dataset", "datasets.load"):
    absent = Absent(name)
    absent.__spec__ = importlib.machinery.ModuleSpec(name, None)
    sys.modules[name] = absent

import torch  # noqa: E402
from transformer_lens import HookedTransformer, HookedTransformerConfig  # noqa: E402

import saetap  # noqa: E402

D, F, HEADS = 24, 96, 4


class Sae(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = torch.nn.Linear(D, F), torch.nn.Linear(F, D)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return self.encoder(x).relu()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decoder(self.encode(x))


torch.manual_seed(0)
model = HookedTransformer(HookedTransformerConfig(n_layers=3, d_model=D, n_ctx=64, d_head=D // HEADS, n_heads=HEADS, d_vocab=300,
                                                  act_fn="gelu", d_mlp=48, normalization_type="LN"))
for place in ("blocks.1.hook_resid_post", "blocks.1.attn.hook_z"):
    with tempfile.TemporaryDirectory() as folder, saetap.start(output_dir=folder, tokens={"ignore_token_ids": []}):
        sae = Sae()
        attached = saetap.attach(sae, lm=model, at=place)
        for _ in range(3):
            tokens = torch.randint(0, 300, (4, 16))
            with torch.no_grad():
                _, cache = model.run_with_cache(tokens, names_filter=[place], stop_at_layer=2)
            rows = cache[place].reshape(-1, D)
            sae(rows[torch.randperm(len(rows))])
        (site,) = saetap.sites()
        assert site["rows_seen"] == 3 * 64 == site["rows_resolved"], site
        attached.remove()
