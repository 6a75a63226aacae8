"""Several SAEs in one product: stacks over layers or instances, and crosscoders, whose features live in all layers."""

import math

import torch
from specimen import Specimen, random_decoder, random_parameter
from torch import Tensor, nn


class LayerStack(nn.Module):
    """One SAE per layer, weights [L, d, F] and [L, F, d]. x is [L, N, d]."""

    def __init__(self, d_in: int, width: int, groups: int):
        super().__init__()
        self.W_enc = random_parameter(groups, d_in, width, scale=1 / math.sqrt(d_in))
        self.b_enc = random_parameter(groups, width, scale=0.2, offset=-0.1)
        self.W_dec = random_decoder(groups, width, d_in)
        self.b_dec = random_parameter(groups, d_in, scale=0.3)


class EinsumStack(LayerStack):
    def encode(self, x: Tensor) -> Tensor:
        return torch.relu(torch.einsum("lnd,ldf->lnf", x, self.W_enc) + self.b_enc[:, None, :])

    def features(self, x: Tensor) -> Tensor:
        return self.encode(x)

    def forward(self, x: Tensor) -> Tensor:
        f = self.encode(x)
        return torch.einsum("lnf,lfd->lnd", f, self.W_dec) + self.b_dec[:, None, :]


class BmmStack(EinsumStack):
    def features(self, x: Tensor) -> Tensor:
        return torch.relu(torch.bmm(x, self.W_enc) + self.b_enc.unsqueeze(1))

    def forward(self, x: Tensor) -> Tensor:
        f = torch.relu(torch.bmm(x, self.W_enc) + self.b_enc.unsqueeze(1))
        return torch.bmm(f, self.W_dec) + self.b_dec.unsqueeze(1)


class BaddbmmStack(BmmStack):
    def features(self, x: Tensor) -> Tensor:
        return torch.relu(torch.baddbmm(self.b_enc.unsqueeze(1), x, self.W_enc))

    def forward(self, x: Tensor) -> Tensor:
        f = torch.relu(torch.baddbmm(self.b_enc.unsqueeze(1), x, self.W_enc))
        return torch.baddbmm(self.b_dec.unsqueeze(1), f, self.W_dec)


class MatmulTopKStack(LayerStack):
    """@ on three dimensions, TopK in each layer."""

    def encode(self, x: Tensor) -> Tensor:
        pre = torch.relu((x - self.b_dec.unsqueeze(1)) @ self.W_enc + self.b_enc.unsqueeze(1))
        values, indices = pre.topk(5, dim=-1)
        return torch.zeros_like(pre).scatter(-1, indices, values)

    def features(self, x: Tensor) -> Tensor:
        return self.encode(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.encode(x) @ self.W_dec + self.b_dec.unsqueeze(1)


class RowMajorStack(LayerStack):
    """Rows come first, [N, L, d], as buffers hold them."""

    def encode(self, x: Tensor) -> Tensor:
        return torch.relu(torch.einsum("nld,ldf->nlf", x, self.W_enc) + self.b_enc)

    def features(self, x: Tensor) -> Tensor:
        return self.encode(x)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        f = self.encode(x)
        return torch.einsum("nlf,lfd->nld", f, self.W_dec) + self.b_dec, f


class InstancesSAE(LayerStack):
    """Toy models: many small SAEs trained side by side on [N, instances, d], tied to the encoder."""

    def features(self, x: Tensor) -> Tensor:
        x_cent = x - self.b_dec
        return torch.relu(torch.einsum("bid,idf->bif", x_cent, self.W_enc) + self.b_enc)

    def forward(self, x: Tensor) -> Tensor:
        x_cent = x - self.b_dec
        acts = torch.relu(torch.einsum("bid,idf->bif", x_cent, self.W_enc) + self.b_enc)
        return torch.einsum("bif,ifd->bid", acts, self.W_dec) + self.b_dec


class Crosscoder(LayerStack):
    """x [N, L, d] to f [N, F], one code for all layers, and back."""

    def __init__(self, d_in: int, width: int, layers: int = 3):
        super().__init__(d_in, width, layers)
        self.layers = layers
        self.b_enc = random_parameter(width, scale=0.2, offset=-0.1)


class EinsumCrosscoder(Crosscoder):
    def __init__(self, d_in: int, width: int, layers: int = 3):
        super().__init__(d_in, width, layers)
        self.W_dec = random_decoder(width, layers, d_in)

    def encode(self, x: Tensor) -> Tensor:
        return torch.relu(torch.einsum("nld,ldf->nf", x, self.W_enc) + self.b_enc)

    def features(self, x: Tensor) -> Tensor:
        return self.encode(x)

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("nf,fld->nld", self.encode(x), self.W_dec) + self.b_dec


class CrosscoderWithLoss(EinsumCrosscoder):
    """The L1 term is weighted by decoder norms summed over layers; only losses are returned."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        f = self.encode(x)
        recon = torch.einsum("nf,fld->nld", f, self.W_dec) + self.b_dec
        norms = torch.linalg.vector_norm(self.W_dec, dim=-1).sum(-1)
        return (recon - x).pow(2).sum(dim=[1, 2]).mean(), (f * norms).sum(-1).mean()


class SumOverLayersCrosscoder(Crosscoder):
    def encode(self, x: Tensor) -> Tensor:
        pre = self.b_enc + x[:, 0] @ self.W_enc[0]
        for layer in range(1, self.layers):
            pre = pre + x[:, layer] @ self.W_enc[layer]
        return torch.relu(pre)

    def features(self, x: Tensor) -> Tensor:
        return self.encode(x)

    def forward(self, x: Tensor) -> Tensor:
        f = self.encode(x)
        recons = [f @ self.W_dec[layer] + self.b_dec[layer] for layer in range(self.layers)]
        return torch.stack(recons, dim=1)


class MatmulThenSumCrosscoder(Crosscoder):
    """One batched product for all layers, whose results are summed."""

    def features(self, x: Tensor) -> Tensor:
        return torch.relu(torch.matmul(x.transpose(0, 1), self.W_enc).sum(dim=0) + self.b_enc)

    def forward(self, x: Tensor) -> Tensor:
        f = torch.relu(torch.matmul(x.transpose(0, 1), self.W_enc).sum(dim=0) + self.b_enc)
        return torch.matmul(f, self.W_dec).transpose(0, 1) + self.b_dec


class FlattenedCrosscoder(nn.Module):
    """Layers side by side in one long row: an SAE to whoever looks at shapes alone."""

    def __init__(self, d_in: int, width: int, layers: int = 3):
        super().__init__()
        self.encoder = nn.Linear(layers * d_in, width)
        self.decoder = nn.Linear(width, layers * d_in)

    def features(self, x: Tensor) -> Tensor:
        return torch.relu(self.encoder(x.flatten(1)))

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(torch.relu(self.encoder(x.flatten(1)))).view(x.shape)


def stack(module: type, d_in: int, width: int, groups: int, shape: tuple[int, ...], activation="ReLU") -> Specimen:
    shapes = {"rows": (shape,)}
    return Specimen(module, d_in, width, activation, groups=groups, arguments={"groups": groups}, shapes=shapes)


def crosscoder(module: type, d_in: int, width: int, layers: int, decoder: str = "W_dec", **more) -> Specimen:
    shapes = {"rows": ((18, layers, d_in),)}
    return Specimen(module, d_in, width, "ReLU", decoder, arguments={"layers": layers}, shapes=shapes, **more)


SPECIMENS = [
    stack(EinsumStack, 12, 48, 4, (4, 14, 12)),
    stack(BmmStack, 14, 56, 3, (3, 16, 14)),
    stack(BaddbmmStack, 12, 60, 3, (3, 12, 12)),
    stack(MatmulTopKStack, 12, 72, 3, (3, 15, 12), "TopK"),
    stack(RowMajorStack, 13, 52, 4, (16, 4, 13)),
    stack(InstancesSAE, 12, 50, 5, (20, 5, 12)),
    crosscoder(EinsumCrosscoder, 12, 64, 3),
    crosscoder(CrosscoderWithLoss, 12, 72, 2),
    crosscoder(SumOverLayersCrosscoder, 14, 56, 3, note="the code enters one product per layer"),
    crosscoder(MatmulThenSumCrosscoder, 12, 80, 3),
    crosscoder(FlattenedCrosscoder, 12, 90, 3, "decoder.weight", expect="uncertain",
               note="the row is [L * d_in]: two linear layers with a ReLU"),
]
