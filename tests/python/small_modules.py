"""SAEs and language models as people write them, small."""
import torch
from torch import nn

D, F = 24, 96


class NamedSae(nn.Module):
    """encode and decode, parameters of their own."""

    def __init__(self, d: int = D, features: int = F) -> None:
        super().__init__()
        self.W_enc = nn.Parameter(torch.randn(d, features) / d**0.5)
        self.b_enc = nn.Parameter(torch.zeros(features) - 0.3)
        self.W_dec = nn.Parameter(torch.randn(features, d) / d**0.5)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return (x @ self.W_enc + self.b_enc).relu()

    def decode(self, f: torch.Tensor) -> torch.Tensor:
        return f @ self.W_dec

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decode(self.encode(x))


class TopKSae(nn.Module):
    """Values and indices of the k largest, as sparsify has them."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(D, F)
        self.W_dec = nn.Parameter(torch.randn(F, D) / D**0.5)

    def encode(self, x: torch.Tensor) -> tuple:
        pre = self.encoder(x).relu()
        values, indices = pre.topk(5, dim=-1, sorted=False)
        return values, indices, pre

    def decode(self, values: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
        return nn.functional.embedding_bag(indices, self.W_dec, per_sample_weights=values, mode="sum")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values, indices, pre = self.encode(x)
        dead = torch.zeros_like(pre).topk(9, dim=-1)
        return self.decode(values, indices) + 0 * self.decode(dead.values, dead.indices)


class ScatteredSae(nn.Module):
    """One that TorchScript compiles, and whose features are surely some."""

    def __init__(self) -> None:
        super().__init__()
        self.W_enc = nn.Parameter(torch.randn(D, F) / D**0.5)
        self.W_dec = nn.Parameter(torch.randn(F, D) / D**0.5)
        self.b_dec = nn.Parameter(torch.zeros(D))

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        pre = (x - self.b_dec) @ self.W_enc
        values, indices = pre.topk(5, dim=-1)
        return torch.zeros_like(pre).scatter(-1, indices, values.relu())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.encode(x) @ self.W_dec + self.b_dec


class ScriptedModel(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.mix = nn.Embedding(300, D), nn.Linear(D, D)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.mix(self.embed(ids).cumsum(1)).tanh()


class InlineSae(nn.Module):
    """Everything in forward; a second decode for a loss."""

    def __init__(self) -> None:
        super().__init__()
        self.W_E = nn.Parameter(torch.randn(D, F) / D**0.5)
        self.W_D = nn.Parameter(torch.randn(F, D) / D**0.5)
        self.bias = nn.Parameter(torch.zeros(D))

    def code(self, x: torch.Tensor) -> torch.Tensor:
        return ((x - self.bias) @ self.W_E).relu()

    def forward(self, x: torch.Tensor) -> tuple:
        acts = self.code(x)
        return ((acts @ self.W_D + self.bias - x) ** 2).mean(), (2 * acts) @ self.W_D


class LinearSae(nn.Module):
    """Two nn.Linear whose names say nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Sequential(nn.Linear(D, F), nn.ReLU())
        self.down = nn.Linear(F, D)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(self.up(x))


class TiedSae(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(D, F)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.encoder(x).relu() @ self.encoder.weight


class Block(nn.Module):
    def __init__(self, d: int) -> None:
        super().__init__()
        self.mix = nn.Linear(d, d)

    def forward(self, x: torch.Tensor) -> tuple:
        return (x + self.mix(x.cumsum(1) / (1 + torch.arange(x.shape[1]))[:, None]).tanh(),)


class LanguageModel(nn.Module):
    """Blocks that return tuples; logits, or with output_hidden_states what every block gave."""

    def __init__(self, words: int = 300, d: int = D) -> None:
        super().__init__()
        self.embed = nn.Embedding(words, d)
        self.blocks = nn.ModuleList(Block(d) for _ in range(3))
        self.head = nn.Linear(d, words)

    def forward(self, input_ids: torch.Tensor, attention_mask=None, output_hidden_states: bool = False) -> dict:
        x = self.embed(input_ids)
        hidden = [x]
        for block in self.blocks:
            x = block(x)[0]
            hidden.append(x)
        return {"logits": self.head(x), **({"hidden_states": tuple(hidden)} if output_hidden_states else {})}


def rows(count: int = 30) -> torch.Tensor:
    return torch.randn(count, D)


def code_of(sae: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """The features by other means than the package's."""
    with torch.no_grad():
        if isinstance(sae, NamedSae):
            return (x @ sae.W_enc + sae.b_enc).relu()
        if isinstance(sae, TopKSae):
            pre = (x @ sae.encoder.weight.T + sae.encoder.bias).relu()
            top = pre.topk(5, dim=-1)
            return torch.zeros_like(pre).scatter(-1, top.indices, top.values)
        if isinstance(sae, InlineSae):
            return sae.code(x)
        if isinstance(sae, LinearSae):
            return sae.up(x)
        return sae.encoder(x).relu()
