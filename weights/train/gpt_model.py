"""The decoder, with the state-dict names of the official LlamaGen checkpoints.

Source: Sun et al. 2024 (arXiv:2406.06525), section 2.2: a Llama decoder with 2-D RoPE, conditioned
on a class (`Transformer`) or on the features of a caption (`TextTransformer`). Condition tokens have
all-zero RoPE rows, as in the official code: their keys are the zero vector.
"""
import torch
from torch import nn
from torch.nn import functional as F


def hidden_dim(dim, multiple_of, multiplier=None):
    hidden = int(8 * dim / 3)
    hidden = int(multiplier * hidden) if multiplier else hidden
    return multiple_of * -(-hidden // multiple_of)


def rope_table(grid, head_dim, base=10000.0, condition=1):
    """(cos, sin) [condition + grid^2, head_dim / 2]: half of the pairs turn with the row, half with
    the column; those of condition tokens are zero."""
    half = head_dim // 2
    frequency = 1.0 / base ** (torch.arange(0, half, 2).float() / half)
    angle = torch.outer(torch.arange(grid).float(), frequency)
    rows = angle[:, None, :].expand(grid, grid, -1)
    columns = angle[None, :, :].expand(grid, grid, -1)
    angles = torch.cat([rows, columns], dim=-1).flatten(0, 1)
    nothing = torch.zeros(condition, half)
    return torch.cat([nothing, angles.cos()]), torch.cat([nothing, angles.sin()])


def wide(x):
    """At least f32: bf16 is for products only."""
    return x if x.dtype == torch.float64 else x.float()


# PyTorch 2 has attention and RMS norms in one kernel each; 1.13 has not.
fused_attention = getattr(F, "scaled_dot_product_attention", None)
fused_norm = getattr(F, "rms_norm", None)


def is_quick(x):
    """Where passes over memory count more than having every step in f32 one after the other."""
    return x.is_cuda and fused_norm is not None


def rotate(x, cos, sin):
    """x [batch, head, position, head_dim]; pairs are neighbours (2i, 2i + 1)."""
    if is_quick(x):
        turned = torch.view_as_complex(wide(x).unflatten(-1, (-1, 2))) * torch.complex(cos, sin)
        return torch.view_as_real(turned).flatten(-2).to(x.dtype)
    a, b = wide(x).unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack([a * cos - b * sin, b * cos + a * sin], -1).flatten(-2).to(x.dtype)


class RMSNorm(nn.Module):
    def __init__(self, dim, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x):
        x = wide(x)
        if is_quick(x):
            return fused_norm(x, x.shape[-1:], self.weight, self.eps)
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
        if mask.dtype == torch.bool:
            # [batch, 1, query, key], true where a query may look: text models.
            if fused_attention and x.is_cuda:
                h = fused_attention(q, k, v.to(q.dtype), attn_mask=mask)
                return self.wo(h.transpose(1, 2).flatten(-2))
            # On CPUs the kernel's backward pass takes as long as all products of a step together.
            mask = torch.zeros(mask.shape, device=mask.device).masked_fill(~mask, float("-inf"))
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
        x = x + self.thinned(h)
        h = self.feed_forward(self.ffn_norm(x))
        return x + self.thinned(h)

    def thinned(self, h):
        # The sum is in f32 as x is.
        return F.dropout(wide(h), self.dropout, self.training) if self.dropout else h


class LabelEmbedding(nn.Module):
    """The last row is the class of no class, for guidance."""

    def __init__(self, num_classes, dim):
        super().__init__()
        self.embedding_table = nn.Embedding(num_classes + 1, dim)


class CaptionEmbedding(nn.Module):
    """Features of a caption to condition tokens; `uncond_embedding` is the caption of no caption."""

    def __init__(self, tokens, caption_dim, dim):
        super().__init__()
        self.cap_proj = nn.ModuleDict(
            {
                "fc1": nn.Linear(caption_dim, dim, bias=False),
                "fc2": nn.Linear(dim, dim, bias=False),
            }
        )
        self.uncond_embedding = nn.Parameter(torch.randn(tokens, caption_dim) / caption_dim**0.5)

    def forward(self, features):
        return self.cap_proj["fc2"](gelu_tanh(self.cap_proj["fc1"](features)))


def gelu_tanh(x):
    return F.gelu(x, approximate="tanh")


class Transformer(nn.Module):
    """`config` holds the fields of `gpt` in model.json."""

    def __init__(self, config, dropout=0.1):
        super().__init__()
        dim, n_head = config["dim"], config["n_head"]
        self.dropout, self.condition = dropout, config.get("cls_token_num", 1)
        self.tok_embeddings = nn.Embedding(config["vocab_size"], dim)
        self.cls_embedding = self.embedding_of(config)
        hidden = hidden_dim(dim, config["multiple_of"], config.get("ffn_dim_multiplier"))
        self.layers = nn.ModuleList(
            Block(dim, n_head, hidden, dropout) for _ in range(config["n_layer"])
        )
        self.norm = RMSNorm(dim)
        self.output = nn.Linear(dim, config["vocab_size"], bias=False)
        grid = round(config["block_size"] ** 0.5)
        cos, sin = rope_table(grid, dim // n_head, condition=self.condition)
        mask = torch.full((len(cos), len(cos)), float("-inf")).triu(1)
        for name, value in (("cos", cos), ("sin", sin), ("mask", mask)):
            self.register_buffer(name, value, persistent=False)
        for weight in self.parameters():
            if weight.dim() == 2:
                nn.init.normal_(weight, 0, 0.02)
        nn.init.zeros_(self.output.weight)

    def embedding_of(self, config):
        self.num_classes = config["num_classes"]
        return LabelEmbedding(config["num_classes"], config["dim"])

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


class TextTransformer(Transformer):
    """Conditioned on captions: features [batch, cls_token_num, caption_dim] whose valid rows come
    last, and `valid` [batch, cls_token_num], which says which those are."""

    def embedding_of(self, config):
        return CaptionEmbedding(self.condition, config["caption_dim"], config["dim"])

    def conditions(self, features, valid, dropped=None):
        """Projected condition tokens; captions that are `dropped` become the unconditional one,
        which keeps the mask of the caption it replaces, as in the official code."""
        features = features * valid.unsqueeze(-1).to(features.dtype)
        if dropped is not None:
            nothing = self.cls_embedding.uncond_embedding.to(features.dtype)
            features = torch.where(dropped[:, None, None], nothing, features)
        return self.cls_embedding(features)

    def turns(self, table, n, places):
        """The rows of a RoPE table of each position; with `places` [batch, 1, n, head_dim / 2]."""
        if places is None:
            return table[:n]
        first = table[: self.condition].expand(len(places), -1, -1)
        return torch.cat([first, table[self.condition + places]], 1).unsqueeze(1)

    def visible(self, valid, positions):
        """Mask [batch, 1, positions, positions]: causal, padding hidden from all but itself."""
        columns = F.pad(valid, (0, positions - valid.shape[1]), value=True)
        causal = torch.ones(positions, positions, dtype=torch.bool, device=valid.device).tril()
        itself = torch.eye(positions, dtype=torch.bool, device=valid.device)
        return ((causal & columns[:, None, :]) | itself).unsqueeze(1)

    def forward(self, features, valid, tokens, dropped=None):
        """tokens [batch, n] -> logits [batch, n + 1, vocab]; row p predicts token p."""
        return self.logits(self.states(features, valid, tokens, dropped))[:, self.condition - 1 :]

    def states(self, features, valid, tokens, dropped=None, hidden=None, places=None):
        """What the last layer makes of all condition tokens and tokens; `hidden` gets what each makes.
        `places` [batch, n], ascending: where the tokens stand, if they are not the first n."""
        x = torch.cat(
            [wide(self.conditions(features, valid, dropped)), wide(self.tok_embeddings(tokens))], dim=1
        )
        x = F.dropout(x, self.dropout, self.training) if self.dropout else x
        n = x.shape[1]
        mask = self.visible(valid, n)
        cos, sin = (self.turns(table, n, places) for table in (self.cos, self.sin))
        for layer in self.layers:
            x = layer(x, cos, sin, mask)
            if hidden is not None:
                hidden.append(x)
        return x

    def logits(self, x):
        return wide(self.output(self.norm(x)))

    @torch.no_grad()
    def sample(self, features, valid, steps, choose, guided=False):
        """Token by token with a cache [batch, steps]; `choose` makes logits [batch, vocab], or with
        guidance [2, batch, vocab] (with caption, without), into tokens [batch]."""
        if guided:
            dropped = torch.arange(2 * len(valid), device=valid.device) >= len(valid)
            features, valid = torch.cat([features, features]), torch.cat([valid, valid])
        else:
            dropped = None
        caches = [[] for _ in self.layers]
        x = wide(self.conditions(features, valid, dropped))
        mask = self.visible(valid, self.condition + steps)
        tokens, begin = [], 0
        for _ in range(steps):
            end = begin + x.shape[1]
            place = slice(begin, end)
            for layer, cache in zip(self.layers, caches):
                x = layer(x, self.cos[place], self.sin[place], mask[:, :, place, :end], cache)
            logits = self.logits(x[:, -1])
            tokens.append(choose(logits.unflatten(0, (2, -1)) if guided else logits))
            x = wide(self.tok_embeddings(tokens[-1])).unsqueeze(1)
            x = torch.cat([x, x]) if guided else x
            begin = end
        return torch.stack(tokens, dim=1)

    def greedy(self, features, valid, steps):
        """The best token at each step, without guidance [batch, steps]."""
        return self.sample(features, valid, steps, lambda logits: logits.argmax(-1))
