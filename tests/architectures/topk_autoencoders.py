"""Sparse autoencoders whose activation compares features with each other: TopK and its relatives.

What they keep reaches the decoder in three ways: densely, as a pair (values, indices), or as a sparse COO matrix.
"""

import torch
import torch.nn.functional as F
from specimen import SparseCoder, Specimen
from torch import Tensor


class TopKBase(SparseCoder):
    def __init__(self, d_in: int, width: int, k: int = 6):
        super().__init__(d_in, width)
        self.k = k

    def pre_activations(self, x: Tensor) -> Tensor:
        return torch.relu((x - self.b_dec) @ self.W_enc + self.b_enc)

    def top(self, x: Tensor) -> tuple[Tensor, Tensor]:
        values, indices = self.pre_activations(x).topk(self.k, dim=-1)
        return values, indices

    def written_densely(self, values: Tensor, indices: Tensor) -> Tensor:
        """A pair as the answer shows it."""
        return values.new_zeros(*values.shape[:-1], self.W_dec.shape[0]).scatter(-1, indices, values)

    def features(self, x: Tensor) -> Tensor:
        return self.written_densely(*self.top(x))


class TopKScatter(TopKBase):
    def encode(self, x: Tensor) -> Tensor:
        pre = self.pre_activations(x)
        values, indices = torch.topk(pre, self.k, dim=-1)
        return torch.zeros_like(pre).scatter(-1, indices, values)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


class TopKScatterInPlace(TopKBase):
    def encode(self, x: Tensor) -> Tensor:
        pre = self.pre_activations(x)
        top = pre.topk(self.k, dim=-1, sorted=False)
        f = torch.zeros(pre.shape, dtype=pre.dtype, device=pre.device)
        f.scatter_(dim=-1, index=top[1], src=top[0])
        return f

    def features(self, x: Tensor) -> Tensor:
        return self.encode(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


class TopKReLUBehind(TopKBase):
    """The ReLU acts on the k values: fewer than k features may be active, and k must not be read off the code."""

    def pre_activations(self, x: Tensor) -> Tensor:
        return (x - self.b_dec) @ self.W_enc + self.b_enc - 0.8

    def encode(self, x: Tensor) -> Tensor:
        values, indices = self.top(x)
        f = torch.zeros(x.shape[:-1] + self.b_enc.shape, dtype=x.dtype, device=x.device)
        return f.scatter_(-1, indices, torch.relu(values).to(f.dtype))

    def features(self, x: Tensor) -> Tensor:
        return self.encode(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


class TopKMask(TopKBase):
    def encode(self, x: Tensor) -> Tensor:
        pre = self.pre_activations(x)
        indices = pre.topk(self.k, dim=-1)[1]
        mask = torch.zeros_like(pre).scatter(-1, indices, 1.0)
        return pre * mask

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


class TopKKthValue(TopKBase):
    """All at or above the k-th largest value stay."""

    def encode(self, x: Tensor) -> Tensor:
        pre = self.pre_activations(x)
        least = torch.kthvalue(pre, pre.shape[-1] - self.k + 1, dim=-1, keepdim=True)[0]
        return torch.where(pre >= least, pre, torch.zeros_like(pre))

    def features(self, x: Tensor) -> Tensor:
        return self.encode(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


class TopKEmbeddingBag(TopKBase):
    """The decoder sums k rows of W_dec for each token."""

    def decode_pair(self, values: Tensor, indices: Tensor) -> Tensor:
        bags = F.embedding_bag(
            indices.reshape(-1, self.k), self.W_dec, per_sample_weights=values.reshape(-1, self.k), mode="sum"
        )
        return bags.view(values.shape[:-1] + self.b_dec.shape) + self.b_dec

    def forward(self, x: Tensor) -> Tensor:
        values, indices = self.top(x)
        return self.decode_pair(values, indices)


class TopKGather(TopKBase):
    def forward(self, x: Tensor) -> Tensor:
        values, indices = self.top(x)
        return (self.W_dec[indices] * values.unsqueeze(-1)).sum(-2) + self.b_dec


class TopKGatherEinsum(TopKBase):
    def forward(self, x: Tensor) -> Tensor:
        values, indices = self.top(x)
        return torch.einsum("...k,...kd->...d", values, self.W_dec[indices]) + self.b_dec


class PairEncodingSAE(TopKEmbeddingBag):
    """encode returns (values, indices), which forward hands to decode."""

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.top(x)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        values, indices = self.encode(x)
        return self.decode_pair(values, indices), values, indices


class PairEncodingScatterSAE(PairEncodingSAE):
    """decode makes the pair dense first."""

    def decode_pair(self, values: Tensor, indices: Tensor) -> Tensor:
        f = torch.zeros(values.shape[:-1] + self.b_enc.shape, dtype=values.dtype, device=values.device)
        return f.scatter(-1, indices, values) @ self.W_dec + self.b_dec


class TopKCOO(TopKBase):
    def decode_sparse(self, values: Tensor, indices: Tensor) -> Tensor:
        rows = torch.arange(values.shape[0], device=values.device).repeat_interleave(self.k)
        coordinates = torch.stack([rows, indices.flatten()])
        f = torch.sparse_coo_tensor(coordinates, values.flatten(), [values.shape[0], self.W_dec.shape[0]])
        return torch.sparse.mm(f, self.W_dec) + self.b_dec

    def forward(self, x: Tensor) -> Tensor:
        values, indices = self.top(x)
        return self.decode_sparse(values, indices)


class ToSparseSAE(TopKBase):
    """Made dense, then sparse, and multiplied as any matrix."""

    def forward(self, x: Tensor) -> Tensor:
        values, indices = self.top(x)
        f = torch.zeros(x.shape[0], self.W_dec.shape[0], dtype=values.dtype).scatter(-1, indices, values)
        return torch.mm(f.to_sparse(), self.W_dec) + self.b_dec


class BatchTopK(TopKBase):
    """k per row on average, wherever in the batch they are."""

    def encode(self, x: Tensor) -> Tensor:
        pre = self.pre_activations(x)
        flat = pre.flatten()
        values, indices = flat.topk(self.k * (flat.numel() // pre.shape[-1]))
        return torch.zeros_like(flat).scatter(0, indices, values).reshape(pre.shape)

    def features(self, x: Tensor) -> Tensor:
        return self.encode(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


class BatchTopKWithThreshold(BatchTopK):
    """In training the batch decides; in evaluation a threshold learnt from it does, so that a row stands by itself."""

    def __init__(self, d_in: int, width: int, k: int = 6):
        super().__init__(d_in, width, k)
        self.register_buffer("threshold", torch.tensor(0.9))

    def encode(self, x: Tensor) -> Tensor:
        pre = self.pre_activations(x)
        if not self.training:
            return pre * (pre > self.threshold)
        least = pre.flatten().topk(self.k * (pre.numel() // pre.shape[-1]))[0].min()
        return pre * (pre >= least).to(pre.dtype)


class AbsTopK(TopKBase):
    """The k largest by magnitude, with their signs."""

    def pre_activations(self, x: Tensor) -> Tensor:
        return (x - self.b_dec) @ self.W_enc + self.b_enc

    def encode(self, x: Tensor) -> Tensor:
        pre = self.pre_activations(x)
        indices = pre.abs().topk(self.k, dim=-1)[1]
        return torch.zeros_like(pre).scatter(-1, indices, pre.gather(-1, indices))

    def features(self, x: Tensor) -> Tensor:
        return self.encode(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


class AbsTopKMask(AbsTopK):
    def encode(self, x: Tensor) -> Tensor:
        pre = self.pre_activations(x)
        magnitude = pre.abs()
        least = magnitude.topk(self.k, dim=-1)[0][..., -1:]
        return pre * (magnitude >= least)


class TopKAuxK(TopKBase):
    """The auxiliary loss asks the dead features to decode the residual: a second product with the same decoder."""

    def __init__(self, d_in: int, width: int, k: int = 6):
        super().__init__(d_in, width, k)
        self.register_buffer("dead", torch.arange(width) % 3 == 0)

    def dead_code(self, pre: Tensor) -> Tensor:
        dead_pre = torch.where(self.dead, pre, torch.zeros_like(pre))
        values, indices = dead_pre.topk(2 * self.k, dim=-1)
        return torch.zeros_like(pre).scatter(-1, indices, values)

    def also_decoded(self, x: Tensor) -> Tensor:
        return self.dead_code(self.pre_activations(x))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        pre = self.pre_activations(x)
        values, indices = pre.topk(self.k, dim=-1)
        recon = self.decode(torch.zeros_like(pre).scatter(-1, indices, values))
        residual = (x - recon).detach()
        return recon, (self.dead_code(pre) @ self.W_dec - residual).pow(2).mean()


class MultiTopK(TopKBase):
    """Also reconstructs from 4k features, so that more than k stay useful; both decodes count in the loss."""

    def also_decoded(self, x: Tensor) -> Tensor:
        return self.written_densely(*self.pre_activations(x).topk(4 * self.k, dim=-1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        pre = self.pre_activations(x)
        values, indices = pre.topk(self.k, dim=-1)
        recon = self.decode(torch.zeros_like(pre).scatter(-1, indices, values))
        more_values, more_indices = pre.topk(4 * self.k, dim=-1)
        return recon, self.decode(torch.zeros_like(pre).scatter(-1, more_indices, more_values))


ROWS_12 = {"rows": ((20, 12),)}

SPECIMENS = [
    Specimen(TopKScatter, 16, 64, "TopK"),
    Specimen(TopKScatterInPlace, 12, 72, "TopK"),
    Specimen(TopKReLUBehind, 14, 60, "TopK"),
    Specimen(TopKMask, 12, 66, "TopK"),
    Specimen(TopKKthValue, 13, 52, "TopK"),
    Specimen(TopKEmbeddingBag, 16, 64, "TopK", form_of_code="pair"),
    Specimen(TopKGather, 12, 80, "TopK", form_of_code="pair"),
    Specimen(TopKGatherEinsum, 14, 56, "TopK", form_of_code="pair"),
    Specimen(PairEncodingSAE, 12, 64, "TopK", form_of_code="pair"),
    Specimen(PairEncodingScatterSAE, 12, 54, "TopK", note="a pair between encode and decode, dense in the product"),
    Specimen(TopKCOO, 12, 60, "TopK", form_of_code="coo", shapes=ROWS_12),
    Specimen(ToSparseSAE, 12, 48, "TopK", form_of_code="coo", shapes=ROWS_12),
    Specimen(BatchTopK, 16, 64, "BatchTopK"),
    Specimen(BatchTopKWithThreshold, 12, 84, "BatchTopK"),
    Specimen(AbsTopK, 16, 56, "AbsTopK"),
    Specimen(AbsTopKMask, 12, 72, "AbsTopK"),
    Specimen(TopKAuxK, 14, 63, "TopK"),
    Specimen(MultiTopK, 12, 60, "TopK"),
]
