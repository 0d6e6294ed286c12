"""The class-conditional decoder, with the state-dict names of the official LlamaGen checkpoints.

Source: Sun et al. 2024 (arXiv:2406.06525), section 2.2: a Llama decoder with 2-D RoPE. The class
token has an all-zero RoPE row, as in the official code: its key is the zero vector.
"""
import torch
from torch import nn
from torch.nn import functional as F


def hidden_dim(dim, multiple_of):
    return multiple_of * -(-int(8 * dim / 3) // multiple_of)


def rope_table(grid, head_dim, base=10000.0):
    """(cos, sin) [1 + grid^2, head_dim / 2]: half of the pairs turn with the row, half with the column."""
    half = head_dim // 2
    frequency = 1.0 / base ** (torch.arange(0, half, 2).float() / half)
    angle = torch.outer(torch.arange(grid).float(), frequency)
    rows = angle[:, None, :].expand(grid, grid, -1)
    columns = angle[None, :, :].expand(grid, grid, -1)
    angles = torch.cat([rows, columns], dim=-1).flatten(0, 1)
    nothing = torch.zeros(1, half)
    return torch.cat([nothing, angles.cos()]), torch.cat([nothing, angles.sin()])


def wide(x):
    """At least f32: bf16 is for products only."""
    return x if x.dtype == torch.float64 else x.float()


def rotate(x, cos, sin):
    """x [batch, head, position, head_dim]; pairs are neighbours (2i, 2i + 1)."""
    a, b = wide(x).unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack([a * cos - b * sin, b * cos + a * sin], -1).flatten(-2).to(x.dtype)


class RMSNorm(nn.Module):
    def __init__(self, dim, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x):
        x = wide(x)
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps) * self.weight


class Attention(nn.Module):
    def __init__(self, dim, n_head):
        super().__init__()
        self.n_head = n_head
        self.wqkv = nn.Linear(dim, 3 * dim, bias=False)
        self.wo = nn.Linear(dim, dim, bias=False)

    def forward(self, x, cos, sin, mask, cache=None):
        """`cache` holds the keys and values of earlier positions, and takes those of these."""
        q, k, v = (
            t.unflatten(-1, (self.n_head, -1)).transpose(1, 2) for t in self.wqkv(x).chunk(3, -1)
        )
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        if cache is not None:
            k, v = (torch.cat([*cache[i : i + 1], t], dim=2) for i, t in enumerate((k, v)))
            cache[:] = [k, v]
        scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
        weights = torch.softmax(scores + mask.to(scores.dtype), dim=-1)
        return self.wo((weights.to(v.dtype) @ v).transpose(1, 2).flatten(-2))


class FeedForward(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.w1 = nn.Linear(dim, hidden, bias=False)
        self.w3 = nn.Linear(dim, hidden, bias=False)
        self.w2 = nn.Linear(hidden, dim, bias=False)

    def forward(self, x):
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


class Block(nn.Module):
    def __init__(self, dim, n_head, hidden, dropout):
        super().__init__()
        self.attention = Attention(dim, n_head)
        self.feed_forward = FeedForward(dim, hidden)
        self.attention_norm = RMSNorm(dim)
        self.ffn_norm = RMSNorm(dim)
        self.dropout = dropout

    def forward(self, x, cos, sin, mask, cache=None):
        h = self.attention(self.attention_norm(x), cos, sin, mask, cache)
        x = x + F.dropout(wide(h), self.dropout, self.training)
        h = self.feed_forward(self.ffn_norm(x))
        return x + F.dropout(wide(h), self.dropout, self.training)


class LabelEmbedding(nn.Module):
    """The last row is the class of no class, for guidance."""

    def __init__(self, num_classes, dim):
        super().__init__()
        self.embedding_table = nn.Embedding(num_classes + 1, dim)


class Transformer(nn.Module):
    """`config` holds the fields of `gpt` in model.json."""

    def __init__(self, config, dropout=0.1):
        super().__init__()
        dim, n_head = config["dim"], config["n_head"]
        self.num_classes, self.dropout = config["num_classes"], dropout
        self.tok_embeddings = nn.Embedding(config["vocab_size"], dim)
        self.cls_embedding = LabelEmbedding(config["num_classes"], dim)
        hidden = hidden_dim(dim, config["multiple_of"])
        self.layers = nn.ModuleList(
            Block(dim, n_head, hidden, dropout) for _ in range(config["n_layer"])
        )
        self.norm = RMSNorm(dim)
        self.output = nn.Linear(dim, config["vocab_size"], bias=False)
        cos, sin = rope_table(round(config["block_size"] ** 0.5), dim // n_head)
        mask = torch.full((len(cos), len(cos)), float("-inf")).triu(1)
        for name, value in (("cos", cos), ("sin", sin), ("mask", mask)):
            self.register_buffer(name, value, persistent=False)
        for weight in self.parameters():
            if weight.dim() == 2:
                nn.init.normal_(weight, 0, 0.02)
        nn.init.zeros_(self.output.weight)

    def forward(self, label, tokens):
        """label [batch], tokens [batch, n] -> logits [batch, n + 1, vocab]; row p predicts token p."""
        first = self.cls_embedding.embedding_table(label).unsqueeze(1)
        x = torch.cat([first, self.tok_embeddings(tokens)], dim=1)
        x = F.dropout(x, self.dropout, self.training)
        n = x.shape[1]
        cos, sin, mask = self.cos[:n], self.sin[:n], self.mask[:n, :n]
        for layer in self.layers:
            x = layer(x, cos, sin, mask)
        return wide(self.output(self.norm(x)))

    @torch.no_grad()
    def greedy(self, label, steps):
        """The best token at each step, without guidance [batch, steps]."""
        caches = [[] for _ in self.layers]
        x = self.cls_embedding.embedding_table(label).unsqueeze(1)
        tokens = []
        for step in range(steps):
            place = slice(step, step + 1)
            for layer, cache in zip(self.layers, caches):
                # The newest position sees all before it: nothing is masked.
                x = layer(x, self.cos[place], self.sin[place], self.mask[:1, :1], cache)
            tokens.append(self.output(self.norm(x))[:, -1].argmax(-1))
            x = self.tok_embeddings(tokens[-1]).unsqueeze(1)
        return torch.stack(tokens, dim=1)
