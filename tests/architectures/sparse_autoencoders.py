"""Sparse autoencoders whose activation works on each feature by itself: ReLU, gated, JumpReLU and their relatives."""

import math

import torch
import torch.nn.functional as F
from specimen import SparseCoder, Specimen, random_decoder, random_parameter
from torch import Tensor, nn


class ReLUSAE(SparseCoder):
    def encode(self, x: Tensor) -> Tensor:
        return torch.relu((x - self.b_dec) @ self.W_enc + self.b_enc)

    def features(self, x: Tensor) -> Tensor:
        return self.encode(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


class LinearLayersSAE(nn.Module):
    """encoder and decoder are nn.Linear, the decoder without its bias; the pre-bias is a parameter of its own."""

    def __init__(self, d_in: int, width: int):
        super().__init__()
        self.b_dec = random_parameter(d_in, scale=0.3)
        self.encoder = nn.Linear(d_in, width)
        self.decoder = nn.Linear(width, d_in, bias=False)

    def features(self, x: Tensor) -> Tensor:
        return F.relu(self.encoder(x - self.b_dec))

    def forward(self, x: Tensor) -> Tensor:
        acts = F.relu(self.encoder(x - self.b_dec))
        return self.decoder(acts) + self.b_dec


class SequentialSAE(nn.Module):
    def __init__(self, d_in: int, width: int):
        super().__init__()
        self.b_dec = random_parameter(d_in, scale=0.3)
        self.layers = nn.Sequential(nn.Linear(d_in, width), nn.ReLU(), nn.Linear(width, d_in))

    def features(self, x: Tensor) -> Tensor:
        return self.layers[1](self.layers[0](x - self.b_dec))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x - self.b_dec)


class FunctionalLinearSAE(nn.Module):
    """Both weights are [F, d]: rows are directions, and F.linear wants the decoder transposed."""

    def __init__(self, d_in: int, width: int):
        super().__init__()
        self.W_enc = random_parameter(width, d_in, scale=1 / math.sqrt(d_in))
        self.b_enc = random_parameter(width, scale=0.2)
        self.W_dec = random_decoder(width, d_in)
        self.b_dec = random_parameter(d_in, scale=0.3)

    def features(self, x: Tensor) -> Tensor:
        return F.relu(F.linear(x - self.b_dec, self.W_enc, self.b_enc))

    def forward(self, x: Tensor) -> Tensor:
        f = F.relu(F.linear(x - self.b_dec, self.W_enc, self.b_enc))
        return F.linear(f, self.W_dec.t(), self.b_dec)


class GatedSAE(SparseCoder):
    """Gate and magnitude share an encoder up to a scale; the auxiliary decode holds the decoder still."""

    def __init__(self, d_in: int, width: int):
        super().__init__(d_in, width)
        self.r_mag = random_parameter(width, scale=0.2)
        self.b_gate = random_parameter(width, scale=0.2)
        self.b_mag = random_parameter(width, scale=0.2)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        pi_gate = (x - self.b_dec) @ self.W_enc + self.b_gate
        pi_mag = (x - self.b_dec) @ (self.W_enc * self.r_mag.exp()) + self.b_mag
        return (pi_gate > 0).to(x.dtype) * torch.relu(pi_mag), torch.relu(pi_gate)

    def features(self, x: Tensor) -> Tensor:
        return self.encode(x)[0]

    def also_decoded(self, x: Tensor) -> Tensor:
        return self.encode(x)[1]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        f, gate = self.encode(x)
        aux_recon = gate @ self.W_dec.detach() + self.b_dec.detach()
        return self.decode(f), aux_recon


class GatedSAEWithoutAux(GatedSAE):
    also_decoded = None

    def forward(self, x: Tensor) -> Tensor:
        f, _ = self.encode(x)
        return self.decode(f)


class JumpReLUSAE(SparseCoder):
    def __init__(self, d_in: int, width: int):
        super().__init__(d_in, width)
        self.log_threshold = random_parameter(width, scale=0.1, offset=math.log(0.3))

    def encode(self, x: Tensor) -> Tensor:
        pre = x @ self.W_enc + self.b_enc
        return torch.relu(pre) * (pre > self.log_threshold.exp()).to(pre.dtype)

    def features(self, x: Tensor) -> Tensor:
        return self.encode(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


class JumpReLUMaskSAE(JumpReLUSAE):
    """The mask stays boolean."""

    def encode(self, x: Tensor) -> Tensor:
        pre = x @ self.W_enc + self.b_enc
        return pre * (pre > self.log_threshold.exp())


class JumpReLUStep(torch.autograd.Function):
    """JumpReLU with the rectangle kernel's estimate of the threshold's gradient."""

    @staticmethod
    def forward(ctx, pre: Tensor, threshold: Tensor) -> Tensor:
        ctx.save_for_backward(pre, threshold)
        return pre * (pre > threshold).to(pre.dtype)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor]:
        pre, threshold = ctx.saved_tensors
        near = ((pre - threshold).abs() < 0.05).to(pre.dtype)
        return (pre > threshold).to(pre.dtype) * gradient, (-threshold / 0.1 * near * gradient).sum(0)


class JumpReLUEstimatorSAE(JumpReLUSAE):
    def encode(self, x: Tensor) -> Tensor:
        return JumpReLUStep.apply(x @ self.W_enc + self.b_enc, self.log_threshold.exp())


class TiedSAE(nn.Module):
    def __init__(self, d_in: int, width: int):
        super().__init__()
        self.W = random_decoder(width, d_in)
        self.b_enc = random_parameter(width, scale=0.2)
        self.b_dec = random_parameter(d_in, scale=0.3)

    def features(self, x: Tensor) -> Tensor:
        return F.relu(F.linear(x - self.b_dec, self.W, self.b_enc))

    def forward(self, x: Tensor) -> Tensor:
        f = F.relu(F.linear(x - self.b_dec, self.W, self.b_enc))
        return f @ self.W + self.b_dec


class TiedMatmulSAE(TiedSAE):
    def features(self, x: Tensor) -> Tensor:
        return torch.relu(x @ self.W.T + self.b_enc)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x @ self.W.T + self.b_enc) @ self.W + self.b_dec


class TiedSharedLinearSAE(nn.Module):
    """decoder.weight is the transposed encoder.weight; both layers stay, only the encoder's weight is trained."""

    def __init__(self, d_in: int, width: int):
        super().__init__()
        self.encoder = nn.Linear(d_in, width)
        self.b_dec = random_parameter(d_in, scale=0.3)

    def features(self, x: Tensor) -> Tensor:
        return F.relu(self.encoder(x))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(F.relu(self.encoder(x)), self.encoder.weight.t(), self.b_dec)


class NormalisedDecoderSAE(ReLUSAE):
    """Unit directions in every step, the parameter itself is free."""

    def decode(self, f: Tensor) -> Tensor:
        return f @ (self.W_dec / self.W_dec.norm(p=2, dim=-1, keepdim=True)) + self.b_dec


class FNormalizeDecoderSAE(LinearLayersSAE):
    def forward(self, x: Tensor) -> Tensor:
        f = F.relu(self.encoder(x - self.b_dec))
        return F.linear(f, F.normalize(self.decoder.weight, dim=0)) + self.b_dec


class ScaledByDecoderNormSAE(ReLUSAE):
    """Features are scaled by their direction's norm before a unit decoder: this is what enters the product."""

    def features(self, x: Tensor) -> Tensor:
        return self.encode(x) * torch.linalg.vector_norm(self.W_dec, dim=-1)

    def forward(self, x: Tensor) -> Tensor:
        norms = torch.linalg.vector_norm(self.W_dec, dim=-1)
        return (self.encode(x) * norms) @ (self.W_dec / norms.unsqueeze(-1)) + self.b_dec


class LayerNormInputSAE(ReLUSAE):
    """Each row is centred and scaled before, and put back behind."""

    def normalised(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean = x.mean(dim=-1, keepdim=True)
        std = x.std(dim=-1, keepdim=True)
        return (x - mean) / (std + 1e-5), mean, std

    def features(self, x: Tensor) -> Tensor:
        return self.encode(self.normalised(x)[0])

    def forward(self, x: Tensor) -> Tensor:
        rows, mean, std = self.normalised(x)
        return self.decode(self.encode(rows)) * std + mean


class NormScaledInputSAE(ReLUSAE):
    """The batch is scaled to mean norm sqrt(d)."""

    def features(self, x: Tensor) -> Tensor:
        return self.encode(x * (math.sqrt(x.shape[-1]) / x.norm(p=2, dim=-1).mean()))

    def forward(self, x: Tensor) -> Tensor:
        scale = math.sqrt(x.shape[-1]) / x.norm(p=2, dim=-1).mean()
        return self.decode(self.encode(x * scale)) / scale


class UnitNormInputSAE(ReLUSAE):
    def features(self, x: Tensor) -> Tensor:
        return self.encode(F.normalize(x, dim=-1))

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(F.normalize(x, dim=-1))) * x.norm(p=2, dim=-1, keepdim=True)


class PointwiseSAE(SparseCoder):
    """The frame of those that differ in nothing but their activation."""

    def __init__(self, d_in: int, width: int):
        super().__init__(d_in, width)
        self.threshold = random_parameter(width, scale=0.05, offset=0.3)

    def activate(self, pre: Tensor) -> Tensor:
        return torch.relu(pre)

    def features(self, x: Tensor) -> Tensor:
        return self.activate(x @ self.W_enc + self.b_enc)

    def forward(self, x: Tensor) -> Tensor:
        f = self.activate(x @ self.W_enc + self.b_enc)
        return self.decode(f)


class WhereSAE(PointwiseSAE):
    def activate(self, pre: Tensor) -> Tensor:
        return torch.where(pre > self.threshold, pre, torch.zeros_like(pre))


class ProLUSAE(PointwiseSAE):
    def activate(self, pre: Tensor) -> Tensor:
        return torch.where((pre + self.threshold > 0) & (pre > 0), pre, torch.zeros_like(pre))


class SoftThresholdSAE(PointwiseSAE):
    def activate(self, pre: Tensor) -> Tensor:
        return torch.relu(pre - self.threshold)


class SignedSoftThresholdSAE(PointwiseSAE):
    """Features of either sign, as iterative shrinkage makes them."""

    def activate(self, pre: Tensor) -> Tensor:
        return torch.sign(pre) * torch.relu(pre.abs() - self.threshold)


class SoftshrinkSAE(PointwiseSAE):
    def activate(self, pre: Tensor) -> Tensor:
        return F.softshrink(pre, 0.4)


class ClampSAE(PointwiseSAE):
    def activate(self, pre: Tensor) -> Tensor:
        return pre.clamp(min=0)


class ClampMinSAE(PointwiseSAE):
    def activate(self, pre: Tensor) -> Tensor:
        return torch.clamp_min(pre, 0.0)


class MaximumSAE(PointwiseSAE):
    def activate(self, pre: Tensor) -> Tensor:
        return torch.maximum(pre, torch.zeros_like(pre))


class MaxOfTwoSAE(PointwiseSAE):
    def activate(self, pre: Tensor) -> Tensor:
        return torch.max(pre, torch.zeros(1, dtype=pre.dtype, device=pre.device))


class ThresholdInPlaceSAE(PointwiseSAE):
    def activate(self, pre: Tensor) -> Tensor:
        F.threshold_(pre, 0.3, 0.0)
        return pre


class HeavisideSAE(PointwiseSAE):
    def activate(self, pre: Tensor) -> Tensor:
        return pre * torch.heaviside(pre - self.threshold, torch.zeros_like(pre))


class ResamplingSAE(ReLUSAE):
    """Counts the steps since each feature fired and sends a ghost gradient through those that are dead."""

    def __init__(self, d_in: int, width: int):
        super().__init__(d_in, width)
        dead = torch.arange(width) % 6 == 0
        with torch.no_grad():
            self.b_enc[dead] = -8.0  # never fires, so that the dead are the same in every call
        self.register_buffer("steps_since_fired", torch.where(dead, 1000, 0))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        pre = (x - self.b_dec) @ self.W_enc + self.b_enc
        f = torch.relu(pre)
        recon = self.decode(f)
        with torch.no_grad():
            self.steps_since_fired.add_(1)
            self.steps_since_fired.masked_fill_((f > 0).any(dim=0), 0)
        dead = self.steps_since_fired > 500
        residual = (x - recon).detach()
        ghost = torch.exp(pre[:, dead]) @ self.W_dec[dead]
        scale = residual.norm() / (2 * ghost.detach().norm() + 1e-6)
        return recon, (ghost * scale - residual).pow(2).mean()



SPECIMENS = [
    Specimen(ReLUSAE, 16, 64, "ReLU"),
    Specimen(LinearLayersSAE, 12, 60, "ReLU", "decoder.weight"),
    Specimen(SequentialSAE, 14, 56, "ReLU", "layers.2.weight"),
    Specimen(FunctionalLinearSAE, 16, 72, "ReLU"),
    Specimen(GatedSAE, 12, 72, "Gated"),
    Specimen(GatedSAEWithoutAux, 13, 52, "Gated"),
    Specimen(JumpReLUSAE, 16, 80, "JumpReLU"),
    Specimen(JumpReLUMaskSAE, 14, 64, "JumpReLU"),
    Specimen(JumpReLUEstimatorSAE, 12, 50, "JumpReLU", not_scripted="torch.autograd.Function cannot be scripted"),
    Specimen(TiedSAE, 16, 48, "ReLU", "W"),
    Specimen(TiedMatmulSAE, 14, 70, "ReLU", "W"),
    Specimen(TiedSharedLinearSAE, 12, 64, "ReLU", "encoder.weight"),
    Specimen(NormalisedDecoderSAE, 15, 60, "ReLU"),
    Specimen(FNormalizeDecoderSAE, 12, 84, "ReLU", "decoder.weight"),
    Specimen(ScaledByDecoderNormSAE, 13, 65, "ReLU"),
    Specimen(LayerNormInputSAE, 16, 64, "ReLU"),
    Specimen(NormScaledInputSAE, 12, 96, "ReLU"),
    Specimen(UnitNormInputSAE, 14, 49, "ReLU"),
    Specimen(WhereSAE, 16, 64, "JumpReLU"),
    Specimen(ProLUSAE, 12, 60, "ProLU"),
    Specimen(SoftThresholdSAE, 13, 78, "ReLU", expect="uncertain",
             note="one ReLU and no pre-bias: a feed-forward block has no more"),
    Specimen(SignedSoftThresholdSAE, 12, 48, "SoftThreshold"),
    Specimen(SoftshrinkSAE, 12, 54, "SoftThreshold"),
    Specimen(ClampSAE, 16, 56, "ReLU"),
    Specimen(ClampMinSAE, 12, 72, "ReLU"),
    Specimen(MaximumSAE, 14, 64, "ReLU"),
    Specimen(MaxOfTwoSAE, 12, 66, "ReLU"),
    Specimen(ThresholdInPlaceSAE, 16, 68, "JumpReLU"),
    Specimen(HeavisideSAE, 12, 64, "JumpReLU"),
    Specimen(ResamplingSAE, 12, 60, "ReLU", shapes={"rows": ((20, 12),)}),
]
