"""Small language models: hosts for SAEs, and controls in which nothing may be hooked."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Embedding(nn.Module):
    def __init__(self, vocabulary: int, d_model: int):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, d_model)
        self.positions = nn.Embedding(32, d_model)

    def forward(self, tokens: Tensor) -> Tensor:
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        return self.tokens(tokens) + self.positions(positions)


class Attention(nn.Module):
    def __init__(self, d_model: int, causal: bool, heads: int = 2):
        super().__init__()
        self.heads, self.causal, self.d_head = heads, causal, d_model // heads
        self.qkv = nn.Linear(d_model, 3 * d_model)
        self.out = nn.Linear(d_model, d_model)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, d_model = x.shape
        q, k, v = self.qkv(x).view(batch, length, 3, self.heads, self.d_head).permute(2, 0, 3, 1, 4).unbind(0)
        scores = q @ k.transpose(-2, -1) / math.sqrt(self.d_head)
        if self.causal:
            future = torch.ones(length, length, dtype=torch.bool, device=x.device).triu(1)
            scores = scores.masked_fill(future, float("-inf"))
        mixed = torch.softmax(scores, dim=-1) @ v
        return self.out(mixed.transpose(1, 2).reshape(batch, length, d_model))


class FeedForward(nn.Module):
    """d -> 4 d -> d: two products about a wider code, as an SAE has them."""

    def __init__(self, d_model: int, activation: str):
        super().__init__()
        self.up = nn.Linear(d_model, 4 * d_model)
        self.down = nn.Linear(4 * d_model, d_model)
        self.gelu = activation == "gelu"

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.up(x)
        hidden = F.gelu(hidden) if self.gelu else F.relu(hidden)
        return self.down(hidden)


class Block(nn.Module):
    """Pre-norm, as GPT's."""

    def __init__(self, d_model: int, activation: str, causal: bool):
        super().__init__()
        self.attention_norm = nn.LayerNorm(d_model)
        self.attention = Attention(d_model, causal)
        self.feed_forward_norm = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, activation)

    def attend(self, x: Tensor) -> Tensor:
        return x + self.attention(self.attention_norm(x))

    def forward(self, x: Tensor) -> Tensor:
        x = self.attend(x)
        return x + self.feed_forward(self.feed_forward_norm(x))


class PostNormBlock(Block):
    """As BERT's."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.attention_norm(x + self.attention(x))
        return self.feed_forward_norm(x + self.feed_forward(x))


class EncoderModel(nn.Module):
    """BERT-like: returns its last hidden states."""

    def __init__(self, d_in: int, width: int, activation: str = "gelu", vocabulary: int = 40):
        super().__init__()
        self.embedding = Embedding(vocabulary, d_in)
        self.layers = nn.ModuleList([PostNormBlock(d_in, activation, causal=False) for _ in range(2)])

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.embedding(tokens)
        for layer in self.layers:
            hidden = layer(hidden)
        return hidden


class HeadlessDecoderModel(nn.Module):
    """GPT-like without a head: the last feed-forward block's product is the last of all."""

    def __init__(self, d_in: int, width: int, activation: str = "relu", vocabulary: int = 40):
        super().__init__()
        self.embedding = Embedding(vocabulary, d_in)
        self.blocks = nn.ModuleList([Block(d_in, activation, causal=True) for _ in range(2)])
        self.norm = nn.LayerNorm(d_in)

    def hidden(self, tokens: Tensor) -> Tensor:
        hidden = self.embedding(tokens)
        for block in self.blocks:
            hidden = block(hidden)
        return self.norm(hidden)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.hidden(tokens)


class DecoderModel(HeadlessDecoderModel):
    def __init__(self, d_in: int, width: int, activation: str = "relu", vocabulary: int = 40):
        super().__init__(d_in, width, activation, vocabulary)
        self.head = nn.Linear(d_in, vocabulary, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.hidden(tokens))
