"""Every module that eai-sparsify's one class, SparseCoder, can be."""
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from library_imports import import_sparsify
from library_module import D_IN, INLINED_NOTE, ROWS, LibraryModule, fill_with_random_values, inlined, rows, seeded

sparse_coder = import_sparsify()
from sparsify.fused_encoder import FusedEncoder  # noqa: E402  (after the package is registered)

LIBRARY = "eai-sparsify 1.3.3"
LATENTS = 40
MULTI_TOPK_NOTE = "forward returns the 4k latents of its second decode as latent_acts, not those of the reconstruction it returns"

# variant, config
CONFIGS = [
    ("topk", {}),
    ("groupmax", {"activation": "groupmax"}),
    ("topk, multi_topk", {"multi_topk": True}),
    ("topk, skip_connection", {"skip_connection": True}),
    ("topk, transcode", {"transcode": True}),
    ("topk, transcode, skip_connection", {"transcode": True, "skip_connection": True}),
    ("groupmax, transcode, skip_connection", {"activation": "groupmax", "transcode": True, "skip_connection": True}),
]


class WithDeadMask(nn.Module):
    """dead_mask is a keyword-only argument, which a traced module cannot take."""

    def __init__(self, coder: nn.Module):
        super().__init__()
        self.coder = coder

    def forward(self, x: Tensor, dead_mask: Tensor):
        return tuple(self.coder(x, dead_mask=dead_mask))


def build(variant: str, config: dict, dtype: torch.dtype) -> nn.Module:
    coder = sparse_coder.SparseCoder(D_IN, sparse_coder.SparseCoderConfig(num_latents=LATENTS, k=5, **config), dtype=dtype)
    fill_with_random_values(coder, seeded(variant))
    return coder


def features_of(coder: nn.Module, x: Tensor) -> Tensor:
    """encode's (values, indices) as rows."""
    encoded = coder.encode(x)
    empty = torch.zeros_like(encoded.pre_acts)
    return empty.scatter(-1, encoded.top_indices, encoded.top_acts).detach()


def describe(variant: str, coder: nn.Module, inputs: list[Tensor], **more) -> LibraryModule:
    note = MULTI_TOPK_NOTE if coder.cfg.multi_topk else ""
    return LibraryModule(LIBRARY, "SparseCoder", variant, more.pop("module", coder), inputs, features_of(coder, inputs[0]),
                         coder.W_dec.detach(), note=note, workaround=lambda: inlined(FusedEncoder), workaround_note=INLINED_NOTE, **more)


def modules() -> Iterator[LibraryModule]:
    for variant, config in CONFIGS:
        x, y = (rows(seeded(variant, name), ROWS, D_IN) for name in "xy")
        coder = build(variant, config, torch.float32)
        yield describe(variant, coder, [x, y] if coder.cfg.transcode else [x])
    for variant in ("topk", "topk, multi_topk"):
        coder, x = build(variant, dict(CONFIGS)[variant], torch.float32), rows(seeded(variant, "dead"), ROWS, D_IN)
        yield describe(f"{variant}, dead_mask", coder, [x, torch.arange(LATENTS) % 3 == 0], module=WithDeadMask(coder), wrapped=True)
    for variant in ("topk", "topk, skip_connection"):
        coder = build(variant, dict(CONFIGS)[variant], torch.bfloat16)
        yield describe(f"{variant}, bfloat16", coder, [rows(seeded(variant, "bf16"), ROWS, D_IN, dtype=torch.bfloat16)])
