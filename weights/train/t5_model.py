"""A T5 v1.1 encoder, with the state-dict names of Hugging Face's checkpoints.

Source: Raffel et al. 2020 (arXiv:1910.10683), Shazeer 2020 (gated GELU). RMS norms with eps 1e-6, no
biases, no scaling of scores; relative positions come from the first block and count in all.
"""
import math

import torch
from gpt_model import RMSNorm, gelu_tanh, wide
from torch import nn


def buckets(length, count=32, furthest=128):
    """Bucket of (key position - query position) [length, length]: half for each direction, of those
    half exact, the others logarithmic up to `furthest`."""
    place = torch.arange(length)
    distance = place[None, :] - place[:, None]
    half, exact = count // 2, count // 4
    far = distance.abs().clamp_min(1).float()
    scale = (half - exact) / math.log(furthest / exact)
    far = exact + (torch.log(far / exact) * scale).long().clamp_max(half - exact - 1)
    bucket = torch.where(distance.abs() < exact, distance.abs(), far)
    return bucket + half * (distance > 0)


class SelfAttention(nn.Module):
    def __init__(self, config, first):
        super().__init__()
        inner = config["num_heads"] * config["d_kv"]
        self.heads = config["num_heads"]
        self.q = nn.Linear(config["d_model"], inner, bias=False)
        self.k = nn.Linear(config["d_model"], inner, bias=False)
        self.v = nn.Linear(config["d_model"], inner, bias=False)
        self.o = nn.Linear(inner, config["d_model"], bias=False)
        if first:
            count = config["relative_attention_num_buckets"]
            self.relative_attention_bias = nn.Embedding(count, self.heads)

    def forward(self, x, bias):
        q, k, v = (f(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for f in (self.q, self.k, self.v))
        scores = wide(q @ k.transpose(-1, -2)) + bias
        weights = torch.softmax(scores, dim=-1).to(v.dtype)
        return self.o((weights @ v).transpose(1, 2).flatten(-2))


class GatedFeedForward(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.wi_0 = nn.Linear(config["d_model"], config["d_ff"], bias=False)
        self.wi_1 = nn.Linear(config["d_model"], config["d_ff"], bias=False)
        self.wo = nn.Linear(config["d_ff"], config["d_model"], bias=False)

    def forward(self, x):
        return self.wo(gelu_tanh(self.wi_0(x)) * self.wi_1(x))


class Sublayer(nn.Module):
    """A norm, then attention or feed-forward under its official name, then the residual."""

    def __init__(self, name, part, config):
        super().__init__()
        self.add_module(name, part)
        self.layer_norm = RMSNorm(config["d_model"], config["layer_norm_epsilon"])
        self.name = name

    def forward(self, x, *rest):
        return x + wide(getattr(self, self.name)(self.layer_norm(x), *rest))


class T5Block(nn.Module):
    def __init__(self, config, first):
        super().__init__()
        attention = Sublayer("SelfAttention", SelfAttention(config, first), config)
        feed_forward = Sublayer("DenseReluDense", GatedFeedForward(config), config)
        self.layer = nn.ModuleList([attention, feed_forward])

    def forward(self, x, bias):
        return self.layer[1](self.layer[0](x, bias))


class T5Encoder(nn.Module):
    """`config` holds the fields of Hugging Face's config.json."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.shared = nn.Embedding(config["vocab_size"], config["d_model"])
        self.encoder = nn.Module()
        blocks = (T5Block(config, i == 0) for i in range(config["num_layers"]))
        self.encoder.block = nn.ModuleList(blocks)
        self.encoder.final_layer_norm = RMSNorm(config["d_model"], config["layer_norm_epsilon"])
        self.initialise()

    def initialise(self):
        """The variances of the original: scores are not scaled, so queries start small."""
        width, head = self.config["d_model"], self.config["d_kv"]
        inner = self.config["num_heads"] * head
        deviations = {"q": (width * head) ** -0.5, "o": inner**-0.5, "wo": self.config["d_ff"] ** -0.5}
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                part = name.split(".")[-2]
                nn.init.normal_(weight, 0, deviations.get(part, width**-0.5))
        nn.init.normal_(self.shared.weight, 0, 1)

    def forward(self, ids, valid):
        """ids and valid [batch, n] -> features [batch, n, d_model]. Padding may be on either side:
        only distances count. What rows of padding hold is of no use."""
        attention = self.encoder.block[0].layer[0].SelfAttention
        sizes = (
            self.config["relative_attention_num_buckets"],
            self.config.get("relative_attention_max_distance", 128),
        )
        places = buckets(ids.shape[1], *sizes).to(ids.device)
        bias = wide(attention.relative_attention_bias(places)).permute(2, 0, 1).unsqueeze(0)
        bias = bias.masked_fill(~valid[:, None, None, :], -1e9)
        x = wide(self.shared(ids))
        for block in self.encoder.block:
            x = block(x, bias)
        return self.encoder.final_layer_norm(x)
