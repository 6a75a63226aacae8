"""SAEs inside other modules, several of them, and behind every kind of call TorchScript has."""

from typing import Dict, List  # noqa: UP035

import torch
import torch.nn.functional as F
from language_models import Block, Embedding
from sparse_autoencoders import JumpReLUSAE, LinearLayersSAE, ReLUSAE
from specimen import Specimen
from topk_autoencoders import PairEncodingSAE, TopKEmbeddingBag, TopKScatter
from torch import Tensor, nn


class ModelWithSAE(nn.Module):
    """The SAE reads what a layer of the model puts out."""

    def __init__(self, d_in: int, width: int, sae: type[nn.Module]):
        super().__init__()
        self.layer = nn.Linear(d_in, d_in)
        self.sae = sae(d_in, width)

    def features(self, x: Tensor) -> Tensor:
        return self.sae.features(torch.tanh(self.layer(x)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = torch.tanh(self.layer(x))
        return hidden, self.sae(hidden)


class SplicedModel(ModelWithSAE):
    """The model goes on with the reconstruction: the decoder's output enters another weight."""

    def __init__(self, d_in: int, width: int, sae: type[nn.Module]):
        super().__init__(d_in, width, sae)
        self.head = nn.Linear(d_in, 20)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.sae(torch.tanh(self.layer(x))))


class ThreeSAEs(nn.Module):
    """One class, three instances in a ModuleList, each on its own slice of the input."""

    def __init__(self, d_in: int, width: int, sae: type[nn.Module]):
        super().__init__()
        self.d_in = d_in
        self.saes = nn.ModuleList([sae(d_in, width) for _ in range(3)])

    def features(self, x: Tensor) -> List[Tensor]:
        return [sae.features(rows) for sae, rows in zip(self.saes, x.split(self.d_in, dim=-1))]

    def forward(self, x: Tensor) -> List[Tensor]:
        recons: List[Tensor] = []
        for i, sae in enumerate(self.saes):
            recons.append(sae(x[..., i * self.d_in : (i + 1) * self.d_in]))
        return recons


class SAEsOnModel(nn.Module):
    """SAEs on several layers of a language model in one forward: tokens in, losses and reconstructions out."""

    def __init__(self, d_in: int, width: int, activation: str, sae: type[nn.Module], vocabulary: int = 40):
        super().__init__()
        self.embedding = Embedding(vocabulary, d_in)
        self.blocks = nn.ModuleList([Block(d_in, activation, causal=True) for _ in range(3)])
        self.saes = nn.ModuleList([sae(d_in, width) for _ in range(3)])

    def features(self, tokens: Tensor) -> List[Tensor]:
        fs, hidden = [], self.embedding(tokens)
        for block, sae in zip(self.blocks, self.saes):
            hidden = block(hidden)
            fs.append(sae.features(hidden))
        return fs

    def forward(self, tokens: Tensor) -> tuple[List[Tensor], List[Tensor]]:
        hidden = self.embedding(tokens)
        losses: List[Tensor] = []
        recons: List[Tensor] = []
        for block, sae in zip(self.blocks, self.saes):
            hidden = block(hidden)
            rows = hidden.detach()
            recon = sae(rows)
            losses.append((recon - rows).pow(2).mean())
            recons.append(recon)
        return losses, recons


class TranscodersOnModel(SAEsOnModel):
    """Each block's feed-forward network is imitated: the same rows enter the block's own two products."""

    def features(self, tokens: Tensor) -> List[Tensor]:
        fs, hidden = [], self.embedding(tokens)
        for block, transcoder in zip(self.blocks, self.saes):
            hidden = block.attend(hidden)
            fs.append(transcoder.features(block.feed_forward_norm(hidden)))
            hidden = hidden + block.feed_forward(block.feed_forward_norm(hidden))
        return fs

    def forward(self, tokens: Tensor) -> tuple[Tensor, List[Tensor]]:
        hidden = self.embedding(tokens)
        recons: List[Tensor] = []
        loss = torch.zeros(1, dtype=hidden.dtype)
        for block, transcoder in zip(self.blocks, self.saes):
            hidden = block.attend(hidden)
            rows = block.feed_forward_norm(hidden)
            target = block.feed_forward(rows)
            recon = transcoder(rows.detach())
            loss = loss + (recon - target.detach()).pow(2).mean()
            recons.append(recon)
            hidden = hidden + target
        return loss, recons


class HookedSAE(nn.Module):
    """Hook points are modules that do nothing: names for other tools to hold on to."""

    def __init__(self, d_in: int, width: int, sae: type[nn.Module]):
        super().__init__()
        self.inner = sae(d_in, width)
        self.hook_sae_input = nn.Identity()
        self.hook_sae_acts_post = nn.Identity()
        self.hook_sae_recons = nn.Identity()

    def features(self, x: Tensor) -> Tensor:
        return self.inner.features(x)

    def forward(self, x: Tensor) -> Tensor:
        acts = self.hook_sae_acts_post(self.inner.encode(self.hook_sae_input(x)))
        return self.hook_sae_recons(self.inner.decode(acts))


class Wrapper(nn.Module):
    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        return self.module(x)


class NestedWrappersSAE(nn.Module):
    """As data-parallel, compiling and logging wrappers leave it: three deep."""

    def __init__(self, d_in: int, width: int, sae: type[nn.Module]):
        super().__init__()
        self.module = Wrapper(Wrapper(sae(d_in, width)))

    def features(self, x: Tensor) -> Tensor:
        return self.module.module.module.features(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.module(x)


class DropoutSAE(LinearLayersSAE):
    """Dropout with probability 0 and type casts that change nothing stand between code and decoder."""

    def __init__(self, d_in: int, width: int):
        super().__init__(d_in, width)
        self.dropout = nn.Dropout(0.0)

    def forward(self, x: Tensor) -> Tensor:
        acts = self.dropout(F.relu(self.encoder(x - self.b_dec)))
        return self.decoder(acts.to(self.decoder.weight.dtype).contiguous()) + self.b_dec


class ExportedMethodsSAE(TopKScatter):
    """encode and decode can be called from C++ by themselves."""

    @torch.jit.export
    def encode(self, x: Tensor) -> Tensor:
        pre = self.pre_activations(x)
        values, indices = torch.topk(pre, self.k, dim=-1)
        return torch.zeros_like(pre).scatter(-1, indices, values)

    @torch.jit.export
    def decode(self, f: Tensor) -> Tensor:
        return f @ self.W_dec + self.b_dec


class ExportedReLUSAE(ReLUSAE):
    @torch.jit.export
    def encode(self, x: Tensor) -> Tensor:
        return torch.relu((x - self.b_dec) @ self.W_enc + self.b_enc)

    @torch.jit.export
    def decode(self, f: Tensor) -> Tensor:
        return f @ self.W_dec + self.b_dec


class ExportedPairSAE(PairEncodingSAE):
    @torch.jit.export
    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.top(x)


class TracedMethodsSAE(TopKScatter):
    """torch.jit.trace_module with encode and decode beside forward."""


class TracedMethodsReLUSAE(ReLUSAE):
    pass


@torch.jit.interface
class RowsToRows(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        pass


class InterfaceHost(nn.Module):
    """The host knows only that its SAE maps rows to rows: the call stays a call in the graph."""

    sae: RowsToRows

    def __init__(self, d_in: int, width: int, sae: type[nn.Module]):
        super().__init__()
        self.sae = sae(d_in, width)

    def features(self, x: Tensor) -> Tensor:
        return self.sae.features(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.sae.forward(x)


class ForkedSAE(nn.Module):
    """Runs as a task of its own while the host goes on."""

    def __init__(self, d_in: int, width: int, sae: type[nn.Module]):
        super().__init__()
        self.sae = sae(d_in, width)

    def features(self, x: Tensor) -> Tensor:
        return self.sae.features(x)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        future = torch.jit.fork(self.sae, x)
        energy = x.pow(2).sum()
        return torch.jit.wait(future), energy


class ForkedTwiceSAE(nn.Module):
    """Two SAEs at the same time."""

    def __init__(self, d_in: int, width: int, sae: type[nn.Module]):
        super().__init__()
        self.first = sae(d_in, width)
        self.second = sae(d_in, width)

    def features(self, x: Tensor) -> List[Tensor]:
        return [self.first.features(x), self.second.features(-x)]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        futures = [torch.jit.fork(self.first, x), torch.jit.fork(self.second, -x)]
        return torch.jit.wait(futures[0]), torch.jit.wait(futures[1])


class AutocastInsideSAE(ReLUSAE):
    """Products in bfloat16, whatever the caller does."""

    def features(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return self.encode(x)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            recon = self.decode(self.encode(x))
        return recon.to(x.dtype)


class AutocastDecoderSAE(ReLUSAE):
    """The encoder keeps full precision; only the decode is autocast."""

    def features(self, x: Tensor) -> Tensor:
        return self.encode(x)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        f = self.encode(x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            recon = f @ self.W_dec
        return recon.float() + self.b_dec, f


class AutocastOffSAE(ReLUSAE):
    """Full precision for the code, also where the caller autocasts."""

    def features(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            return self.encode(x.to(self.W_enc.dtype))

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            recon = self.decode(self.encode(x.to(self.W_enc.dtype)))
        return recon


class DictOfSAEs(nn.Module):
    """SAEs by hook name, of different classes and widths."""

    def __init__(self, d_in: int, width: int):
        super().__init__()
        self.resid = ReLUSAE(d_in, width)
        self.mlp = TopKScatter(d_in, 2 * width)

    def features(self, x: Tensor) -> List[Tensor]:
        return [self.resid.features(x), self.mlp.features(x * 0.5)]

    def forward(self, x: Tensor) -> Dict[str, Tensor]:
        return {"resid": self.resid(x), "mlp": self.mlp(x * 0.5)}


def hosted(
    module: type, sae: type, activation: str, decoder: str | tuple[str, ...], d_in: int, width: int, **more
) -> Specimen:
    return Specimen(module, d_in, width, activation, decoder, variant=sae.__name__, arguments={"sae": sae}, **more)


def on_model(module: type, sae: type, activation: str, feed_forward: str, decoder: str) -> Specimen:
    return Specimen(
        module,
        12,
        60,
        activation,
        tuple(decoder.format(layer) for layer in range(3)),
        variant=f"{sae.__name__}_{feed_forward}",
        arguments={"sae": sae, "activation": feed_forward},
        shapes={"tokens": ((2, 9),)},
        vocabulary=40,
    )


EXPORTED = "trace_module defines methods marked with torch.jit.export twice"
NOT_EXPORTED = "scripting keeps encode and decode only where they are marked with torch.jit.export"
INTERFACE = "a trace has no interface types: it is ModelWithSAE's trace"
FOR_FLOAT32 = "autocast is for float32 parameters: TorchScript does not cast float16 to bfloat16, eager does"
THREE = {"rows": ((18, 36),), "sequences": ((3, 5, 36),)}
CALLED_APART = ("forward", "encode", "decode")

SPECIMENS = [
    hosted(ModelWithSAE, ReLUSAE, "ReLU", "sae.W_dec", 14, 56),
    hosted(ModelWithSAE, TopKEmbeddingBag, "TopK", "sae.W_dec", 12, 64, form_of_code="pair"),
    hosted(SplicedModel, TopKScatter, "TopK", "sae.W_dec", 12, 60),
    hosted(SplicedModel, ReLUSAE, "ReLU", "sae.W_dec", 12, 48, expect="uncertain",
           note="the decoder's output enters another weight, as a feed-forward block's does"),
    hosted(ThreeSAEs, ReLUSAE, "ReLU", ("saes.0.W_dec", "saes.1.W_dec", "saes.2.W_dec"), 12, 50, shapes=THREE),
    hosted(ThreeSAEs, JumpReLUSAE, "JumpReLU", ("saes.0.W_dec", "saes.1.W_dec", "saes.2.W_dec"), 12, 60, shapes=THREE),
    hosted(ThreeSAEs, TopKScatter, "TopK", ("saes.0.W_dec", "saes.1.W_dec", "saes.2.W_dec"), 12, 72, shapes=THREE),
    Specimen(DictOfSAEs, 12, 48, "ReLU", ("resid.W_dec", "mlp.W_dec"), note="the second has 2 F features, TopK"),
    on_model(SAEsOnModel, TopKScatter, "TopK", "relu", "saes.{}.W_dec"),
    on_model(SAEsOnModel, ReLUSAE, "ReLU", "gelu", "saes.{}.W_dec"),
    on_model(SAEsOnModel, LinearLayersSAE, "ReLU", "relu", "saes.{}.decoder.weight"),
    on_model(TranscodersOnModel, ReLUSAE, "ReLU", "relu", "saes.{}.W_dec"),
    on_model(TranscodersOnModel, JumpReLUSAE, "JumpReLU", "gelu", "saes.{}.W_dec"),
    hosted(HookedSAE, ReLUSAE, "ReLU", "inner.W_dec", 12, 72),
    hosted(HookedSAE, TopKScatter, "TopK", "inner.W_dec", 14, 56),
    hosted(NestedWrappersSAE, JumpReLUSAE, "JumpReLU", "module.module.module.W_dec", 12, 66),
    Specimen(DropoutSAE, 12, 60, "ReLU", "decoder.weight"),
    Specimen(ExportedMethodsSAE, 12, 64, "TopK", methods=CALLED_APART, not_traced=EXPORTED),
    Specimen(ExportedReLUSAE, 14, 56, "ReLU", methods=CALLED_APART, not_traced=EXPORTED),
    Specimen(ExportedPairSAE, 12, 60, "TopK", form_of_code="pair", methods=("forward", "encode"), not_traced=EXPORTED),
    Specimen(TracedMethodsSAE, 14, 63, "TopK", methods=CALLED_APART, not_scripted=NOT_EXPORTED),
    Specimen(TracedMethodsReLUSAE, 12, 72, "ReLU", methods=CALLED_APART, not_scripted=NOT_EXPORTED),
    hosted(InterfaceHost, ReLUSAE, "ReLU", "sae.W_dec", 12, 60, not_traced=INTERFACE),
    hosted(InterfaceHost, TopKScatter, "TopK", "sae.W_dec", 12, 64, not_traced=INTERFACE),
    hosted(ForkedSAE, ReLUSAE, "ReLU", "sae.W_dec", 12, 60),
    hosted(ForkedSAE, TopKScatter, "TopK", "sae.W_dec", 14, 63),
    hosted(ForkedTwiceSAE, ReLUSAE, "ReLU", ("first.W_dec", "second.W_dec"), 12, 48),
    Specimen(AutocastInsideSAE, 12, 72, "ReLU", only_float32=FOR_FLOAT32),
    Specimen(AutocastDecoderSAE, 14, 56, "ReLU", only_float32=FOR_FLOAT32),
    Specimen(AutocastOffSAE, 12, 60, "ReLU", only_float32=FOR_FLOAT32,
             not_autocast="TorchScript runs autocast(enabled=False) as if it were not there: bfloat16, not float32"),
]  # fmt: skip
