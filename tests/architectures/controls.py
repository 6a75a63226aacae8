"""Negative controls: modules with two products and something between them that are no SAEs."""

import torch
import torch.nn.functional as F
from language_models import DecoderModel, EncoderModel, FeedForward, HeadlessDecoderModel
from specimen import SparseCoder, Specimen
from torch import Tensor, nn


class ResidualFeedForward(nn.Module):
    """One feed-forward block of a language model with the residual stream."""

    def __init__(self, d_in: int, width: int, activation: str):
        super().__init__()
        self.norm = nn.LayerNorm(d_in)
        self.feed_forward = FeedForward(d_in, activation)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.feed_forward(self.norm(x))


class BareFeedForward(nn.Module):
    """The block alone: nothing in it tells it from a ReLU transcoder."""

    def __init__(self, d_in: int, width: int):
        super().__init__()
        self.up = nn.Linear(d_in, width)
        self.down = nn.Linear(width, d_in)

    def features(self, x: Tensor) -> Tensor:
        return F.relu(self.up(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.relu(self.up(x)))


class GatedFeedForward(nn.Module):
    """SwiGLU: two products make the code, and their product is decoded."""

    def __init__(self, d_in: int, width: int):
        super().__init__()
        self.gate = nn.Linear(d_in, width, bias=False)
        self.up = nn.Linear(d_in, width, bias=False)
        self.down = nn.Linear(width, d_in, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(F.silu(self.gate(x)) * self.up(x))


class NarrowAutoencoder(nn.Module):
    def __init__(self, d_in: int, width: int):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(d_in, d_in // 2), nn.ReLU())
        self.decoder = nn.Linear(d_in // 2, d_in)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))


class LinearAutoencoder(SparseCoder):
    """Wide, but nothing makes its code sparse."""

    def features(self, x: Tensor) -> Tensor:
        return (x - self.b_dec) @ self.W_enc + self.b_enc

    def forward(self, x: Tensor) -> Tensor:
        return self.decode((x - self.b_dec) @ self.W_enc + self.b_enc)


class TanhAutoencoder(SparseCoder):
    """Wide and bounded, and never 0."""

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(torch.tanh(x @ self.W_enc + self.b_enc))


class Classifier(nn.Module):
    def __init__(self, d_in: int, width: int):
        super().__init__()
        self.hidden = nn.Linear(d_in, width)
        self.classes = nn.Linear(width, 4)

    def forward(self, x: Tensor) -> Tensor:
        return F.log_softmax(self.classes(F.relu(self.hidden(x))), dim=-1)


class DeepPerceptron(nn.Module):
    def __init__(self, d_in: int, width: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(d_in, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, d_in)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Nothing(nn.Module):
    def __init__(self, d_in: int, width: int):
        super().__init__()
        self.identity = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.identity(x)


class Convolutions(nn.Module):
    def __init__(self, d_in: int, width: int):
        super().__init__()
        self.first = nn.Conv1d(d_in, width, 3, padding=1)
        self.second = nn.Conv1d(width, d_in, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(F.relu(self.first(x)))


class VariationalAutoencoder(nn.Module):
    """The noise comes in from outside, so that every form computes the same."""

    def __init__(self, d_in: int, width: int):
        super().__init__()
        self.encoder = nn.Linear(d_in, width)
        self.mean = nn.Linear(width, 4)
        self.log_variance = nn.Linear(width, 4)
        self.decoder = nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, d_in))

    def forward(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden = F.relu(self.encoder(x))
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        latent = mean + torch.exp(0.5 * log_variance) * noise
        return self.decoder(latent), mean, log_variance


class TopKRouter(nn.Module):
    """Mixture of experts: topk over experts, whose outputs are mixed."""

    def __init__(self, d_in: int, width: int, experts: int = 6):
        super().__init__()
        self.router = nn.Linear(d_in, experts, bias=False)
        self.experts = nn.ModuleList([FeedForward(d_in, "relu") for _ in range(experts)])

    def forward(self, x: Tensor) -> Tensor:
        scores = torch.softmax(self.router(x), dim=-1)
        gates, chosen = scores.topk(2, dim=-1)
        weights = torch.zeros_like(scores).scatter(-1, chosen, gates)
        mixed = torch.zeros_like(x)
        for index, expert in enumerate(self.experts):
            mixed = mixed + weights[..., index : index + 1] * expert(x)
        return mixed


class StackedExperts(nn.Module):
    """The experts' weights in one tensor: a batched product of three dimensions."""

    def __init__(self, d_in: int, width: int, experts: int = 4):
        super().__init__()
        self.router = nn.Linear(d_in, experts, bias=False)
        self.up = nn.Parameter(torch.randn(experts, d_in, width) / d_in**0.5)
        self.down = nn.Parameter(torch.randn(experts, width, d_in) / width**0.5)

    def forward(self, x: Tensor) -> Tensor:
        scores = torch.softmax(self.router(x), dim=-1)
        gates, chosen = scores.topk(2, dim=-1)
        weights = torch.zeros_like(scores).scatter(-1, chosen, gates)
        hidden = torch.relu(torch.einsum("nd,edf->enf", x, self.up))
        return torch.einsum("enf,efd,ne->nd", hidden, self.down, weights)


class SparseAttention(nn.Module):
    """Each position attends to its four strongest alone: topk and a product, but with no weight."""

    def __init__(self, d_in: int, width: int):
        super().__init__()
        self.qkv = nn.Linear(d_in, 3 * d_in)
        self.out = nn.Linear(d_in, d_in)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        scores = q @ k.transpose(-2, -1)
        least = scores.topk(4, dim=-1)[0][..., -1:]
        weights = torch.softmax(scores.masked_fill(scores < least, float("-inf")), dim=-1)
        return self.out(weights @ v)


class LowRankAdapter(nn.Module):
    """LoRA: down, up, scaled, added to a frozen layer."""

    def __init__(self, d_in: int, width: int):
        super().__init__()
        self.base = nn.Linear(d_in, width)
        self.base.weight.requires_grad_(False)
        self.A = nn.Parameter(torch.randn(4, d_in) / 4)
        self.B = nn.Parameter(torch.randn(width, 4) / 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + F.linear(F.linear(x, self.A), self.B) * 0.5


def control(module: type, d_in: int, width: int = 0, variant: str = "", expect: str = "none", **more) -> Specimen:
    return Specimen(module, d_in, width, decoder=(), variant=variant, expect=expect, **more)


TOKENS = {"shapes": {"tokens": ((2, 9),)}, "vocabulary": 40}

SPECIMENS = [
    control(EncoderModel, 12, 48, "gelu", **TOKENS),
    control(EncoderModel, 12, 48, "relu", arguments={"activation": "relu"}, **TOKENS),
    control(DecoderModel, 12, 48, "relu", **TOKENS),
    control(DecoderModel, 12, 48, "gelu", arguments={"activation": "gelu"}, **TOKENS),
    control(HeadlessDecoderModel, 12, 48, "relu", **TOKENS),
    control(ResidualFeedForward, 16, 64, "relu", arguments={"activation": "relu"}),
    control(ResidualFeedForward, 16, 64, "gelu", arguments={"activation": "gelu"}),
    Specimen(BareFeedForward, 16, 64, "ReLU", "down.weight", expect="uncertain",
             note="a feed-forward block alone, or a ReLU transcoder: the graph does not say"),
    control(GatedFeedForward, 12, 48),
    control(NarrowAutoencoder, 16),
    Specimen(LinearAutoencoder, 12, 60, expect="uncertain", note="wide, and nothing makes the code sparse"),
    control(TanhAutoencoder, 12, 60, expect="none"),
    control(Classifier, 16, 64),
    control(DeepPerceptron, 12, 48),
    control(Nothing, 12),
    control(Convolutions, 12, 48, shapes={"sequences": ((3, 12, 7),)}),
    control(VariationalAutoencoder, 16, 48, shapes={"rows": ((18, 16), (18, 4))}),
    control(TopKRouter, 12),
    control(StackedExperts, 12, 48, shapes={"rows": ((18, 12),)}),
    control(SparseAttention, 12, shapes={"sequences": ((3, 9, 12),)}),
    control(LowRankAdapter, 12, 48),
]  # fmt: skip
