"""The demo's TorchScript modules: the MiniLM encoder, two sparse autoencoders and a transcoder."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

HEADS = 12
LAYER_NORM_EPS = 1e-12


class EncoderLayer(nn.Module):
    """One BERT layer; also returns what enters and leaves its feed-forward block."""

    def __init__(self, width: int, mlp_width: int):
        super().__init__()
        self.heads = HEADS
        self.qkv = nn.Linear(width, 3 * width)  # BERT's three projections side by side: one product instead of three
        self.attention_out = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.mlp_up = nn.Linear(width, mlp_width)
        self.mlp_down = nn.Linear(mlp_width, width)
        self.output_norm = nn.LayerNorm(width, eps=LAYER_NORM_EPS)

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        batch, length, width = hidden.shape
        qkv = self.qkv(hidden).view(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(qkv[0], qkv[1], qkv[2])
        attended = attended.transpose(1, 2).reshape(batch, length, width)
        mlp_in = self.attention_norm(self.attention_out(attended) + hidden)
        mlp_out = self.mlp_down(F.gelu(self.mlp_up(mlp_in)))
        return self.output_norm(mlp_out + mlp_in), mlp_in, mlp_out


class MiniLM(nn.Module):
    """The first `layers` layers of all-MiniLM-L6-v2. Every row is full, so there is no attention mask."""

    def __init__(self, weights: dict[str, Tensor], layers: int):
        super().__init__()
        vocabulary, width = weights["embeddings.word_embeddings.weight"].shape
        positions = weights["embeddings.position_embeddings.weight"].shape[0]
        mlp_width = weights["encoder.layer.0.intermediate.dense.weight"].shape[0]
        self.words = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(positions, width)
        self.segments = nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.layers = nn.ModuleList(EncoderLayer(width, mlp_width) for _ in range(layers))
        self.load_state_dict(rename_weights(weights, layers))
        self.requires_grad_(False).eval()

    def forward(self, input_ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """input_ids [B, T] int64 -> the last layer's output, MLP input and MLP output, each [B, T, width]."""
        position = torch.arange(input_ids.size(1), device=input_ids.device)
        segment = torch.zeros_like(position)
        hidden = self.norm(self.words(input_ids) + self.segments(segment) + self.positions(position))
        mlp_in, mlp_out = hidden, hidden
        for layer in self.layers:
            hidden, mlp_in, mlp_out = layer(hidden)
        return hidden, mlp_in, mlp_out


def rename_weights(weights: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    """The checkpoint's BERT names to ours; layers above the last wanted one are left out."""
    renamed = {}

    def take(ours: str, theirs: str) -> None:
        for part in ("weight", "bias"):
            renamed[f"{ours}.{part}"] = weights[f"{theirs}.{part}"]

    for ours, theirs in (("words", "word"), ("positions", "position"), ("segments", "token_type")):
        renamed[f"{ours}.weight"] = weights[f"embeddings.{theirs}_embeddings.weight"]
    take("norm", "embeddings.LayerNorm")
    for i in range(layers):
        ours, theirs = f"layers.{i}", f"encoder.layer.{i}"
        for part in ("weight", "bias"):
            projections = [weights[f"{theirs}.attention.self.{name}.{part}"] for name in ("query", "key", "value")]
            renamed[f"{ours}.qkv.{part}"] = torch.cat(projections)
        take(f"{ours}.attention_out", f"{theirs}.attention.output.dense")
        take(f"{ours}.attention_norm", f"{theirs}.attention.output.LayerNorm")
        take(f"{ours}.mlp_up", f"{theirs}.intermediate.dense")
        take(f"{ours}.mlp_down", f"{theirs}.output.dense")
        take(f"{ours}.output_norm", f"{theirs}.output.LayerNorm")
    return renamed


def unit_rows(rows: int, width: int) -> Tensor:
    return F.normalize(torch.randn(rows, width), dim=1)


class TopKSAE(nn.Module):
    """TopK sparse autoencoder (Gao et al. 2024): per row only the k largest features are kept."""

    def __init__(self, mean: Tensor, features: int, k: int):
        super().__init__()
        directions = unit_rows(features, mean.numel())
        self.k = k
        self.W_enc = nn.Parameter(directions.t().clone())
        self.b_enc = nn.Parameter(torch.zeros(features))
        self.W_dec = nn.Parameter(directions)
        self.b_dec = nn.Parameter(mean.clone())

    def encode(self, x: Tensor) -> Tensor:
        pre_activations = torch.relu((x - self.b_dec) @ self.W_enc + self.b_enc)
        values, indices = pre_activations.topk(self.k, dim=-1, sorted=False)
        return torch.zeros_like(pre_activations).scatter(-1, indices, values)

    def decode(self, features: Tensor) -> Tensor:
        return features @ self.W_dec + self.b_dec

    def forward(self, x: Tensor) -> Tensor:
        """x [N, d] -> its reconstruction [N, d]."""
        return self.decode(self.encode(x))


class ReluSAE(nn.Module):
    """ReLU sparse autoencoder for an L1 penalty (Bricken et al. 2023)."""

    def __init__(self, mean: Tensor, features: int):
        super().__init__()
        directions = unit_rows(features, mean.numel())
        # Half of all features are active at first: at full length they would reconstruct several times the input.
        self.W_enc = nn.Parameter(0.1 * directions.t())
        self.b_enc = nn.Parameter(torch.zeros(features))
        self.W_dec = nn.Parameter(directions)
        self.b_dec = nn.Parameter(mean.clone())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x [N, d] -> reconstruction [N, d] and features [N, F]."""
        features = torch.relu((x - self.b_dec) @ self.W_enc + self.b_enc)
        return features @ self.W_dec + self.b_dec, features


class Transcoder(nn.Module):
    """TopK transcoder (Dunefsky et al. 2024): from what enters an MLP to what leaves it."""

    def __init__(self, input_mean: Tensor, output_mean: Tensor, features: int, k: int):
        super().__init__()
        width_in, width_out = input_mean.numel(), output_mean.numel()
        self.k = k
        self.encoder = nn.Linear(width_in, features)
        self.decoder = nn.Linear(features, width_out)
        with torch.no_grad():
            self.encoder.weight.copy_(unit_rows(features, width_in))
            self.encoder.bias.copy_(-self.encoder.weight @ input_mean)  # centres the input
            self.decoder.weight.copy_(unit_rows(features, width_out).t() / math.sqrt(k))
            self.decoder.bias.copy_(output_mean)

    def forward(self, mlp_in: Tensor) -> Tensor:
        """mlp_in [N, d_in] -> predicted mlp_out [N, d_out]."""
        pre_activations = torch.relu(self.encoder(mlp_in))
        values, indices = pre_activations.topk(self.k, dim=-1)
        features = torch.zeros_like(pre_activations).scatter(-1, indices, values)
        return self.decoder(features)
