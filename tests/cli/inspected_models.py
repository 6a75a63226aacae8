"""Models that `saetap inspect` is shown in its tests: SAEs, transcoders, and what is neither."""

import torch
from torch import Tensor, nn

D, F = 16, 64


def weight(*size: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(*size))


class TopKSAE(nn.Module):
    def __init__(self, features: int = F) -> None:
        super().__init__()
        self.W_enc = weight(D, features)
        self.W_dec = weight(features, D)

    def forward(self, x: Tensor) -> Tensor:
        values, indices = torch.topk(torch.matmul(x, self.W_enc), 4, dim=-1)
        features = torch.zeros([x.shape[0], self.W_enc.shape[1]]).scatter(-1, indices, values)
        return torch.matmul(features, self.W_dec)


class ReluTranscoder(nn.Module):
    """Its features are returned: that tells it from a feed-forward block."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(D, F)
        self.decoder = nn.Linear(F, 24)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = torch.relu(self.encoder(x))
        return self.decoder(features), features


class FeedForward(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Linear(D, 4 * D)
        self.down = nn.Linear(4 * D, D)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(torch.relu(self.up(x)))


class SmoothFeedForward(FeedForward):
    def forward(self, x: Tensor) -> Tensor:
        return self.down(torch.nn.functional.gelu(self.up(x)))


class Identity(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x


class ThreeLayers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = TopKSAE(), TopKSAE(), TopKSAE()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.first(x), self.second(x), self.third(x)


class LayerStack(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.W_enc = weight(3, D, F)
        self.W_dec = weight(3, F, D)
        self.b_dec = weight(3, 1, D)

    def forward(self, x: Tensor) -> Tensor:
        features = torch.relu(torch.einsum("lnd,ldf->lnf", x - self.b_dec, self.W_enc))
        return torch.einsum("lnf,lfd->lnd", features, self.W_dec)


class InstanceStack(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.W_enc = weight(3, D, F)
        self.W_dec = weight(3, F, D)

    @torch.jit.export
    def encode(self, x: Tensor) -> Tensor:
        return torch.relu(torch.einsum("nid,idf->nif", x, self.W_enc))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.encode(x)
        return torch.einsum("nif,ifd->nid", features, self.W_dec), features


class Kept(nn.Module):
    """A module that holds an SAE and does not call it."""

    def __init__(self) -> None:
        super().__init__()
        self.saes = nn.ModuleDict({"layer3": TopKSAE()})

    def forward(self, x: Tensor) -> Tensor:
        return x


class Block(nn.Module):
    """What is not certain inside it is, when it is called by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.sae = TopKSAE()
        self.head = nn.Linear(D, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.sae(x))


class CodeOnly(nn.Module):
    """Encodes; that its caller decodes is not to be seen from inside."""

    def __init__(self) -> None:
        super().__init__()
        self.W = weight(D, F)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        values, indices = torch.topk(torch.matmul(x, self.W), 4, dim=-1)
        return values, indices


class TwoHalves(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.code = CodeOnly()
        self.W_dec = weight(F, D)

    def forward(self, x: Tensor) -> Tensor:
        values, indices = self.code(x)
        return torch.matmul(torch.zeros([x.shape[0], 64]).scatter(-1, indices, values), self.W_dec)


MODELS = (TopKSAE, ReluTranscoder, FeedForward, SmoothFeedForward, Identity, ThreeLayers, LayerStack, InstanceStack,
          Kept, Block, TwoHalves)
