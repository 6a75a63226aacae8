"""What `forward` does around the code: branches, losses, what is returned and in which order, changes in place."""

from typing import Dict, List  # noqa: UP035  TorchScript knows both spellings; people use this one

import torch
from sparse_autoencoders import ReLUSAE
from specimen import SparseCoder, Specimen
from topk_autoencoders import TopKScatter
from torch import Tensor


class MatryoshkaSAE(ReLUSAE):
    """Prefixes of the features reconstruct too; the last prefix is all of them."""

    def __init__(self, d_in: int, width: int):
        super().__init__(d_in, width)
        self.prefixes = [width // 4, width // 2, width]

    def forward(self, x: Tensor) -> List[Tensor]:
        f = self.encode(x)
        recons: List[Tensor] = []
        for prefix in self.prefixes:
            recons.append(f[..., :prefix] @ self.W_dec[:prefix] + self.b_dec)
        return recons


class MatryoshkaStackedSAE(MatryoshkaSAE):
    """A loop over a list stays a loop when scripted; one over a tuple is unrolled."""

    def __init__(self, d_in: int, width: int):
        super().__init__(d_in, width)
        self.prefixes = (width // 4, width // 2, width)

    def forward(self, x: Tensor) -> Tensor:
        f = self.encode(x)
        recons: List[Tensor] = []
        for prefix in self.prefixes:
            recons.append(f[..., :prefix] @ self.W_dec[:prefix] + self.b_dec)
        return torch.stack(recons)


class MatryoshkaFullSAE(MatryoshkaStackedSAE):
    """Returns the full reconstruction and the loss of the shorter ones."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        f = self.encode(x)
        recon = self.decode(f)
        loss = (recon - x).pow(2).mean()
        for prefix in self.prefixes[:-1]:
            loss = loss + (f[..., :prefix] @ self.W_dec[:prefix] + self.b_dec - x).pow(2).mean()
        return recon, loss


class MatryoshkaOnlyFullSAE(MatryoshkaSAE):
    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


class MatryoshkaChunksSAE(MatryoshkaSAE):
    """Each group of features adds to the reconstruction so far: no product takes all features at once."""

    def features(self, x: Tensor) -> List[Tensor]:
        f = self.encode(x)
        ends = [0, *self.prefixes]
        return [f[..., start:end] for start, end in zip(ends, ends[1:])]

    def forward(self, x: Tensor) -> List[Tensor]:
        f = self.encode(x)
        recon = torch.zeros_like(x) + self.b_dec
        recons: List[Tensor] = []
        start = 0
        for end in self.prefixes:
            recon = recon + f[..., start:end] @ self.W_dec[start:end]
            recons.append(recon)
            start = end
        return recons


class BranchSAE(ReLUSAE):
    """One decode in each branch, of the same features."""

    def features(self, x: Tensor, scale: Tensor) -> Tensor:
        return self.encode(x)

    def forward(self, x: Tensor, scale: Tensor) -> Tensor:
        f = self.encode(x)
        if scale > 0.5:
            return f @ self.W_dec + self.b_dec
        else:
            return (f @ self.W_dec) * scale


class BranchedCodeSAE(TopKScatter):
    """Each branch makes and decodes features of its own."""

    def features(self, x: Tensor, scale: Tensor) -> Tensor:
        return self.encode(x) if scale > 0.5 else self.pre_activations(x)

    def forward(self, x: Tensor, scale: Tensor) -> Tensor:
        if scale > 0.5:
            f = self.encode(x)
            recon = f @ self.W_dec + self.b_dec
        else:
            dense = self.pre_activations(x)
            recon = dense @ self.W_dec + self.b_dec
        return recon


class TrainingBranchSAE(ReLUSAE):
    """Training takes the plain decoder, evaluation its unit directions; the features are the same."""

    def forward(self, x: Tensor) -> Tensor:
        f = self.encode(x)
        if self.training:
            recon = f @ self.W_dec + self.b_dec
        else:
            recon = f @ (self.W_dec / torch.linalg.vector_norm(self.W_dec, dim=-1, keepdim=True)) + self.b_dec
        return recon


class TrainingCodeBranchSAE(TopKScatter):
    """TopK in training, a threshold in evaluation, a decode in both branches."""

    def in_evaluation(self, x: Tensor) -> Tensor:
        pre = self.pre_activations(x)
        return pre * (pre > 0.8)

    def features(self, x: Tensor) -> Tensor:
        return self.encode(x) if self.training else self.in_evaluation(x)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return self.encode(x) @ self.W_dec + self.b_dec
        else:
            return self.in_evaluation(x) @ self.W_dec + self.b_dec


class LoopedSAE(ReLUSAE):
    """Rows in two halves, one decode per turn of a loop that is not unrolled when scripted."""

    def features(self, x: Tensor) -> List[Tensor]:
        return [self.encode(half) for half in x.chunk(2)]

    def forward(self, x: Tensor) -> Tensor:
        recons: List[Tensor] = []
        for half in x.chunk(2):
            recons.append(self.decode(self.encode(half)))
        return torch.cat(recons)


class LossOnlySAE(ReLUSAE):
    def forward(self, x: Tensor) -> Tensor:
        f = self.encode(x)
        recon = self.decode(f)
        return (recon - x).pow(2).sum(-1).mean() + 0.01 * f.abs().sum(-1).mean()


class LossFirstSAE(ReLUSAE):
    """(loss, reconstruction, features), the sparsity weighted by decoder norms."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        f = self.encode(x)
        recon = self.decode(f)
        sparsity = (f * torch.linalg.vector_norm(self.W_dec, dim=-1)).sum(-1).mean()
        return (recon - x).pow(2).mean() + 0.05 * sparsity, recon, f


class FeaturesFirstSAE(ReLUSAE):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        f = self.encode(x)
        return f, self.decode(f)


class FeaturesLastSAE(ReLUSAE):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        f = self.encode(x)
        return self.decode(f), f


class FeaturesNestedSAE(ReLUSAE):
    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        pre = (x - self.b_dec) @ self.W_enc + self.b_enc
        f = torch.relu(pre)
        return self.decode(f), (f, pre)


class DictReturningSAE(ReLUSAE):
    def forward(self, x: Tensor) -> Dict[str, Tensor]:
        f = self.encode(x)
        recon = self.decode(f)
        return {"sae_out": recon, "feature_acts": f, "mse_loss": (recon - x).pow(2).mean()}


class ZeroedLaterSAE(ReLUSAE):
    """The features are used up after the decoder has read them."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        f = self.encode(x)
        recon = self.decode(f)
        f.mul_(0.0)
        return recon, f


class ScaledLaterSAE(ReLUSAE):
    """Scaled for the report, after the decode: the returned tensor is not what was decoded."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        f = self.encode(x)
        recon = self.decode(f)
        with torch.no_grad():
            f *= torch.linalg.vector_norm(self.W_dec, dim=-1)
        return recon, f


class UnusedResultSAE(SparseCoder):
    """relu_ changes the pre-activations; the name for its result is never used."""

    def features(self, x: Tensor) -> Tensor:
        return torch.relu(x @ self.W_enc + self.b_enc)

    def forward(self, x: Tensor) -> Tensor:
        f = x @ self.W_enc + self.b_enc
        f.relu_()
        return self.decode(f)


class MaskedFillSAE(UnusedResultSAE):
    def features(self, x: Tensor) -> Tensor:
        pre = x @ self.W_enc + self.b_enc
        return torch.where(pre < 0.3, torch.zeros_like(pre), pre)

    def forward(self, x: Tensor) -> Tensor:
        f = x @ self.W_enc + self.b_enc
        f.masked_fill_(f < 0.3, 0.0)
        return self.decode(f)


class IndexPutSAE(MaskedFillSAE):
    def forward(self, x: Tensor) -> Tensor:
        pre = x @ self.W_enc + self.b_enc
        pre[pre < 0.3] = 0.0
        return self.decode(pre)


class AblatedSAE(ReLUSAE):
    """Some features are switched off through a view before the decoder reads them."""

    def features(self, x: Tensor) -> Tensor:
        f = self.encode(x).clone()
        f[..., ::3] = 0.0
        return f

    def forward(self, x: Tensor) -> Tensor:
        f = self.encode(x).clone()
        f[..., ::3] = 0.0
        return self.decode(f)


class ResidualSAE(ReLUSAE):
    """The reconstruction error is added back and changes nothing of the output's value: for patching features."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        f = self.encode(x)
        recon = self.decode(f)
        error = (x - recon).detach()
        return recon + error, f


BRANCHES = "a trace keeps only the branch that ran"
ROWS_12 = {"rows": ((20, 12),)}


def matryoshka(module: type, width: int, **more) -> Specimen:
    return Specimen(module, 12, width, "ReLU", **more)


SPECIMENS = [
    matryoshka(MatryoshkaSAE, 64),
    matryoshka(MatryoshkaStackedSAE, 60),
    matryoshka(MatryoshkaFullSAE, 72),
    matryoshka(MatryoshkaOnlyFullSAE, 48),
    matryoshka(
        MatryoshkaChunksSAE,
        64,
        decoder=("W_dec",) * 3,
        note="no product takes all features: the groups [0, F/4), [F/4, F/2), [F/2, F) enter one each",
    ),
    Specimen(BranchSAE, 12, 60, "ReLU", variant="then", flags=(1.0,), not_traced=BRANCHES),
    Specimen(BranchSAE, 12, 60, "ReLU", variant="else", flags=(0.25,), not_traced=BRANCHES),
    Specimen(BranchedCodeSAE, 14, 56, "TopK", variant="then", flags=(1.0,), not_traced=BRANCHES),
    Specimen(BranchedCodeSAE, 14, 56, "ReLU", variant="else", flags=(0.25,), not_traced=BRANCHES),
    Specimen(TrainingBranchSAE, 12, 64, "ReLU"),
    Specimen(TrainingCodeBranchSAE, 13, 65, "TopK"),
    Specimen(LoopedSAE, 12, 48, "ReLU", ("W_dec",) * 2, shapes=ROWS_12, expect="uncertain",
             note="one site, met twice in a call"),
    Specimen(LossOnlySAE, 16, 64, "ReLU"),
    Specimen(LossFirstSAE, 12, 72, "ReLU"),
    Specimen(FeaturesFirstSAE, 14, 56, "ReLU"),
    Specimen(FeaturesLastSAE, 12, 80, "ReLU"),
    Specimen(FeaturesNestedSAE, 13, 52, "ReLU"),
    Specimen(DictReturningSAE, 12, 60, "ReLU"),
    Specimen(ZeroedLaterSAE, 12, 66, "ReLU"),
    Specimen(ScaledLaterSAE, 12, 60, "ReLU"),
    Specimen(UnusedResultSAE, 14, 63, "ReLU", expect="uncertain",
             note="one ReLU and no pre-bias: a feed-forward block has no more"),
    Specimen(MaskedFillSAE, 12, 72, "JumpReLU"),
    Specimen(IndexPutSAE, 16, 64, "JumpReLU"),
    Specimen(AblatedSAE, 12, 54, "ReLU"),
    Specimen(ResidualSAE, 12, 64, "ReLU"),
]
