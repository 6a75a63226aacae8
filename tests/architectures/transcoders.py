"""Transcoders: what leaves the decoder is not what entered the encoder."""

import math
from typing import List  # noqa: UP035

import torch
import torch.nn.functional as F
from specimen import SparseCoder, Specimen, random_decoder, random_parameter
from torch import Tensor, nn


class Transcoder(SparseCoder):
    """Reads the input of a feed-forward block and predicts its output."""

    def encode(self, x: Tensor) -> Tensor:
        return torch.relu(x @ self.W_enc + self.b_enc)

    def features(self, x: Tensor) -> Tensor:
        return self.encode(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


class TranscoderWithTarget(Transcoder):
    """The loss against the block's true output is part of forward."""

    def features(self, x: Tensor, target: Tensor) -> Tensor:
        return self.encode(x)

    def forward(self, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        f = self.encode(x)
        recon = self.decode(f)
        loss = F.mse_loss(recon, target) + 0.01 * f.abs().sum(-1).mean()
        return loss, recon


class SkipTranscoder(Transcoder):
    """A linear path beside the features."""

    def __init__(self, d_in: int, width: int, d_out: int = 0):
        super().__init__(d_in, width, d_out)
        self.W_skip = random_parameter(d_in, d_out or d_in, scale=1 / math.sqrt(d_in))

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x)) + x @ self.W_skip


class LinearSkipTranscoder(nn.Module):
    """The skip path is computed first and is an nn.Linear, whose weight lies [d_out, d_in]."""

    def __init__(self, d_in: int, width: int, d_out: int, k: int = 8):
        super().__init__()
        self.k = k
        self.skip = nn.Linear(d_in, d_out, bias=False)
        self.encoder = nn.Linear(d_in, width)
        self.decoder = nn.Linear(width, d_out)

    def features(self, x: Tensor) -> Tensor:
        values, indices = F.relu(self.encoder(x)).topk(self.k, dim=-1)
        return values.new_zeros(x.shape[:-1] + self.encoder.bias.shape).scatter(-1, indices, values)

    def forward(self, x: Tensor) -> Tensor:
        recon = self.skip(x)
        pre = F.relu(self.encoder(x))
        values, indices = pre.topk(self.k, dim=-1)
        return recon + self.decoder(torch.zeros_like(pre).scatter(-1, indices, values))


class SkipTranscoderPair(SkipTranscoder):
    """TopK pair, embedding_bag decoder and skip path, as in sparse libraries."""

    def features(self, x: Tensor) -> Tensor:
        values, indices = self.encode(x).topk(5, dim=-1)
        return values.new_zeros(x.shape[0], self.W_dec.shape[0]).scatter(-1, indices, values)

    def forward(self, x: Tensor) -> Tensor:
        values, indices = self.encode(x).topk(5, dim=-1)
        recon = F.embedding_bag(indices, self.W_dec, per_sample_weights=values, mode="sum") + self.b_dec
        return recon + x @ self.W_skip


class NarrowingTranscoder(Transcoder):
    """The output is less than half as wide as the input."""


class CrossLayerTranscoder(nn.Module):
    """Features of layer l are decoded into every layer from l on: one encoder and one W_dec [F, L - l, d] per layer."""

    def __init__(self, d_in: int, width: int, layers: int = 3):
        super().__init__()
        self.layers = layers
        self.W_enc = random_parameter(layers, d_in, width, scale=1 / math.sqrt(d_in))
        self.b_enc = random_parameter(layers, width, scale=0.2)
        self.W_dec = nn.ParameterList([random_decoder(width, layers - layer, d_in) for layer in range(layers)])
        self.b_dec = random_parameter(layers, d_in, scale=0.3)

    def encode(self, x: Tensor) -> Tensor:
        """[N, L, d] to [L, N, F]."""
        return torch.relu(torch.einsum("nld,ldf->lnf", x, self.W_enc) + self.b_enc[:, None])

    def features(self, x: Tensor) -> List[Tensor]:
        return list(self.encode(x))

    def forward(self, x: Tensor) -> Tensor:
        f = self.encode(x)
        recons = [self.b_dec[layer].expand(x.shape[0], x.shape[2]) for layer in range(self.layers)]
        for source, W_dec in enumerate(self.W_dec):
            written = torch.einsum("nf,fld->lnd", f[source], W_dec)
            for offset in range(self.layers - source):
                recons[source + offset] = recons[source + offset] + written[offset]
        return torch.stack(recons, dim=1)


class CrossLayerTranscoderByTarget(CrossLayerTranscoder):
    """For each target layer the sum over its sources: a layer's features enter a product once per target."""

    def forward(self, x: Tensor) -> Tensor:
        f = self.encode(x)
        recons: List[Tensor] = []
        for target in range(self.layers):
            recon = self.b_dec[target]
            for source, W_dec in enumerate(self.W_dec):
                if source <= target:
                    recon = recon + f[source] @ W_dec[:, target - source]
            recons.append(recon)
        return torch.stack(recons, dim=1)


class CrossLayerTranscoderLayers(nn.Module):
    """Encoders are nn.Linear layers; every pair (source, target) has a decoder of its own."""

    def __init__(self, d_in: int, width: int, layers: int = 2):
        super().__init__()
        self.encoders = nn.ModuleList([nn.Linear(d_in, width) for _ in range(layers)])
        self.decoders = nn.ModuleList(
            [
                nn.ModuleList([nn.Linear(width, d_in, bias=False) for _ in range(target + 1)])
                for target in range(layers)
            ]
        )

    def features(self, x: Tensor) -> List[Tensor]:
        return [F.relu(encoder(x[:, layer])) for layer, encoder in enumerate(self.encoders)]

    def forward(self, x: Tensor) -> List[Tensor]:
        fs: List[Tensor] = []
        for layer, encoder in enumerate(self.encoders):
            fs.append(F.relu(encoder(x[:, layer])))
        recons: List[Tensor] = []
        for decoders in self.decoders:
            recon = torch.zeros_like(x[:, 0])
            for source, decoder in enumerate(decoders):
                recon = recon + decoder(fs[source])
            recons.append(recon)
        return recons


class PerLayerTranscoder(Transcoder):
    """JumpReLU transcoder of one layer with a normalised input, as in per-layer releases."""

    def __init__(self, d_in: int, width: int):
        super().__init__(d_in, width)
        self.threshold = random_parameter(width, scale=0.05, offset=0.4)
        self.input_norm = nn.LayerNorm(d_in)

    def encode(self, x: Tensor) -> Tensor:
        pre = self.input_norm(x) @ self.W_enc + self.b_enc
        return pre * (pre > self.threshold)


def cross_layer(module: type, width: int, layers: int, decoder: tuple[str, ...], **more) -> Specimen:
    shapes = {"rows": ((18, layers, 12),)}
    return Specimen(module, 12, width, "ReLU", decoder, shapes=shapes, arguments={"layers": layers}, **more)


SPECIMENS = [
    Specimen(Transcoder, 12, 64, "ReLU", d_out=16, arguments={"d_out": 16}),
    Specimen(TranscoderWithTarget, 16, 72, "ReLU", d_out=12, arguments={"d_out": 12},
             shapes={"rows": ((20, 16), (20, 12)), "sequences": ((3, 5, 16), (3, 5, 12))}),
    Specimen(SkipTranscoder, 14, 56, "ReLU"),
    Specimen(SkipTranscoder, 12, 60, "ReLU", variant="wider", d_out=15, arguments={"d_out": 15}),
    Specimen(LinearSkipTranscoder, 12, 66, "TopK", "decoder.weight", d_out=14, arguments={"d_out": 14}),
    Specimen(SkipTranscoderPair, 12, 80, "TopK", form_of_code="pair", shapes={"rows": ((20, 12),)}),
    Specimen(NarrowingTranscoder, 16, 64, "ReLU", d_out=6, arguments={"d_out": 6}, expect="uncertain",
             note="an output much narrower than the input may be a classifier's"),
    Specimen(PerLayerTranscoder, 16, 64, "JumpReLU"),
    cross_layer(CrossLayerTranscoder, 48, 3, ("W_dec.0", "W_dec.1", "W_dec.2")),
    cross_layer(CrossLayerTranscoderByTarget, 60, 3, ("W_dec.0", "W_dec.1", "W_dec.2"),
                note="each site's features enter a product once per target layer"),
    cross_layer(CrossLayerTranscoderLayers, 54, 2, ("decoders.0.0.weight", "decoders.1.1.weight"),
                note="the features of layer 0 also enter decoders.1.0.weight"),
]  # fmt: skip
