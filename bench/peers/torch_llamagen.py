"""LlamaGen's shapes in PyTorch, written the way gpt-fast writes a decoder: static KV cache, one compiled
step, CUDA graphs. Random weights; prints one JSON object a line. PyTorch 2.

    python bench/peers/torch_llamagen.py                        # every size, on a CUDA machine
    python bench/peers/torch_llamagen.py --device cpu --tiny    # whether it runs at all
"""

import argparse
import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

# dim, layers, heads
SIZES = {
    "B": (768, 12, 12),
    "L": (1024, 24, 16),
    "XL": (1280, 36, 20),
    "XXL": (1536, 48, 24),
    "3B": (3200, 24, 32),
}
TINY = (64, 2, 2)
VOCAB = 16384
CLASSES = 1000
CFG_SCALE = 4.0
EPSILON = 1e-5
ROPE_BASE = 10000


def hidden_of(dim):
    """Width of the feed-forward layer: 8/3 dim, rounded up to a multiple of 256."""
    return -(-int(8 * dim / 3) // 256) * 256


def rope_table(grid, head_dim):
    """(cos, sin) of every position [1 + grid^2, head_dim / 2, 2]; zero for the class token."""
    half = head_dim // 2
    frequencies = 1.0 / ROPE_BASE ** (torch.arange(0, half, 2).float() / half)
    angles = torch.outer(torch.arange(grid).float(), frequencies)
    rows = angles[:, None, :].expand(grid, grid, -1)
    columns = angles[None, :, :].expand(grid, grid, -1)
    both = torch.cat([rows, columns], dim=-1).reshape(grid * grid, half)
    table = torch.stack([both.cos(), both.sin()], dim=-1)
    return torch.cat([torch.zeros(1, half, 2), table])


class RMSNorm(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        y = x.float()
        return (y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + EPSILON)).type_as(x) * self.weight


def rotate(x, rope):
    """Turns adjacent pairs of x [rows, heads, 1, head_dim] by the angles of one position."""
    pairs = x.float().unflatten(-1, (-1, 2))
    a, b, cos, sin = pairs[..., 0], pairs[..., 1], rope[..., 0], rope[..., 1]
    return torch.stack([a * cos - b * sin, a * sin + b * cos], dim=-1).flatten(-2).type_as(x)


class Layer(nn.Module):
    def __init__(self, dim, heads, rows, positions):
        super().__init__()
        self.heads = heads
        hidden = hidden_of(dim)
        self.attention_norm, self.ffn_norm = RMSNorm(dim), RMSNorm(dim)
        self.wqkv = nn.Linear(dim, 3 * dim, bias=False)
        self.wo = nn.Linear(dim, dim, bias=False)
        self.w1 = nn.Linear(dim, hidden, bias=False)
        self.w3 = nn.Linear(dim, hidden, bias=False)
        self.w2 = nn.Linear(hidden, dim, bias=False)
        cache = (rows, heads, positions, dim // heads)
        self.register_buffer("k_cache", torch.zeros(cache))
        self.register_buffer("v_cache", torch.zeros(cache))

    def forward(self, x, position, rope, mask):
        rows, dim = x.shape
        qkv = self.wqkv(self.attention_norm(x)).view(rows, 3, self.heads, 1, dim // self.heads)
        q, k, v = qkv.unbind(1)
        self.k_cache[:, :, position] = rotate(k, rope)
        self.v_cache[:, :, position] = v
        cache = (self.k_cache, self.v_cache)
        heads = F.scaled_dot_product_attention(rotate(q, rope), *cache, attn_mask=mask)
        x = x + self.wo(heads.reshape(rows, dim))
        y = self.ffn_norm(x)
        return x + self.w2(F.silu(self.w1(y)) * self.w3(y))


class Decoder(nn.Module):
    """One guided step: ids int64 [rows] and position int64 [1] to the next ids."""

    def __init__(self, dim, layers, heads, rows, grid):
        super().__init__()
        positions = 1 + grid * grid
        # Classes first, then tokens, so that every step is the same code.
        self.embeddings = nn.Embedding(CLASSES + 1 + VOCAB, dim)
        self.layers = nn.ModuleList(Layer(dim, heads, rows, positions) for _ in range(layers))
        self.norm = RMSNorm(dim)
        self.output = nn.Linear(dim, VOCAB, bias=False)
        self.register_buffer("rope", rope_table(grid, dim // heads))
        mask = torch.ones(positions, positions, dtype=torch.bool).tril()
        self.register_buffer("mask", mask)

    def forward(self, ids, position):
        x = self.embeddings(ids)
        rope, mask = self.rope[position], self.mask[position]
        for layer in self.layers:
            x = layer(x, position, rope, mask)
        conditional, unconditional = self.output(self.norm(x)).float().chunk(2)
        logits = unconditional + (conditional - unconditional) * CFG_SCALE
        probs = logits.softmax(-1)
        # The draw that needs no synchronisation: the exponential race.
        token = (probs / torch.empty_like(probs).exponential_(1)).argmax(-1)
        return (token + CLASSES + 1).repeat(2)


def group_norm(channels):
    return nn.GroupNorm(32, channels, eps=1e-6)


class ResnetBlock(nn.Module):
    def __init__(self, inner, out):
        super().__init__()
        self.norm1, self.norm2 = group_norm(inner), group_norm(out)
        self.conv1 = nn.Conv2d(inner, out, 3, padding=1)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1)
        self.shortcut = nn.Identity() if inner == out else nn.Conv2d(inner, out, 1)

    def forward(self, x):
        h = self.conv1(F.silu(self.norm1(x)))
        return self.shortcut(x) + self.conv2(F.silu(self.norm2(h)))


class AttnBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = group_norm(channels)
        self.q, self.k, self.v, self.out = (nn.Conv2d(channels, channels, 1) for _ in range(4))

    def forward(self, x):
        h = self.norm(x)
        q, k, v = (p(h).flatten(2).transpose(1, 2) for p in (self.q, self.k, self.v))
        probs = ((q @ k.transpose(1, 2)) * q.shape[-1] ** -0.5).softmax(-1)
        return x + self.out((probs @ v).transpose(1, 2).reshape(x.shape))


class VqDecoder(nn.Module):
    """Codes int64 [images, grid, grid] to images [images, 3, 16 grid, 16 grid]."""

    def __init__(self, ch=128, multipliers=(1, 1, 2, 2, 4), blocks=3):
        super().__init__()
        levels = [ch * m for m in reversed(multipliers)]
        top = levels[0]
        self.codebook = nn.Embedding(VOCAB, 8)
        self.first = nn.Sequential(nn.Conv2d(8, 256, 1), nn.Conv2d(256, top, 3, padding=1))
        middle = [ResnetBlock(top, top), AttnBlock(top), ResnetBlock(top, top)]
        body, inner = [], top
        for level, out in enumerate(levels):
            for _ in range(blocks):
                body.append(ResnetBlock(inner, out))
                if level == 0:
                    body.append(AttnBlock(out))
                inner = out
            if level + 1 < len(levels):
                body += [nn.Upsample(scale_factor=2), nn.Conv2d(out, out, 3, padding=1)]
        self.body = nn.Sequential(*middle, *body)
        self.norm = group_norm(inner)
        self.last = nn.Conv2d(inner, 3, 3, padding=1)

    def forward(self, codes):
        z = F.normalize(self.codebook(codes), dim=-1).permute(0, 3, 1, 2)
        return self.last(F.silu(self.norm(self.body(self.first(z)))))


def wait(device):
    if device == "cuda":
        torch.cuda.synchronize()


def seconds(device, work):
    """Time of `work`, device included."""
    wait(device)
    started = time.perf_counter()
    work()
    wait(device)
    return time.perf_counter() - started


def compiled(module, mode):
    return module if mode == "eager" else torch.compile(module, mode="reduce-overhead", fullgraph=True)


def time_decoder(name, mode, args, dtype):
    dim, layers, heads = TINY if args.tiny else SIZES[name]
    torch.manual_seed(0)
    rows = args.rows
    with torch.device(args.device):
        decoder = Decoder(dim, layers, heads, rows, args.grid)
    decoder = decoder.to(device=args.device, dtype=dtype).eval()
    decoder.rope = decoder.rope.float()
    step = compiled(decoder, mode)
    steps = args.grid ** 2
    half = rows // 2
    classes = [i % CLASSES for i in range(half)] + [CLASSES] * half
    start = torch.tensor(classes, device=args.device)
    places = torch.arange(steps, device=args.device).split(1)

    def image():
        ids = start
        for position in places:
            # A graph writes its result where it wrote the last one, so that is copied.
            ids = step(ids, position).clone()

    first = seconds(args.device, image)
    times = [seconds(args.device, image) for _ in range(args.runs)]
    best = min(times)
    return {
        **{"model": f"GPT-{name}", "rows": rows, "steps": steps, "first_s": first},
        **{"ms_per_step": best / steps * 1e3, "s_for_all": best, "s_per_image": best / half},
    }


def time_vq(mode, args, dtype):
    torch.manual_seed(0)
    sizes = {"ch": 32, "multipliers": (1, 1)} if args.tiny else {}
    decoder = VqDecoder(**sizes).to(device=args.device, dtype=dtype).eval()
    decoder = decoder.to(memory_format=torch.channels_last)
    decode = compiled(decoder, mode)
    images = args.rows // 2
    codes = torch.randint(VOCAB, (images, args.grid, args.grid), device=args.device)
    first = seconds(args.device, lambda: decode(codes))
    best = min(seconds(args.device, lambda: decode(codes)) for _ in range(args.runs))
    return {"model": "VQ-16", "images": images, "first_s": first, "s_for_all": best, "s_per_image": best / images}


def main():
    parser = argparse.ArgumentParser(description="Times LlamaGen's shapes in PyTorch.")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--models", nargs="+", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--modes", nargs="+", default=["eager", "compile"], choices=["eager", "compile"])
    parser.add_argument("--rows", type=int, default=16, help="two an image")
    parser.add_argument("--grid", type=int, default=24, help="tokens an image: its square")
    parser.add_argument("--runs", type=int, default=3, help="timed runs after the first")
    parser.add_argument("--tiny", action="store_true", help="small shapes: only whether it runs")
    args = parser.parse_args()
    if args.rows < 2 or args.rows % 2:
        parser.error(f"--rows expected an even number, got {args.rows}")
    if args.device == "cuda" and not torch.cuda.is_available():
        parser.error("no CUDA device: --device cpu --tiny checks that the script runs")
    if args.tiny:
        args.models, args.grid = ["B"], min(args.grid, 4)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    low = torch.bfloat16 if args.device == "cuda" else torch.float32
    machine = torch.cuda.get_device_name() if args.device == "cuda" else "cpu"
    jobs = [(lambda m, d, n=n: time_decoder(n, m, args, d), f"GPT-{n}", low) for n in args.models]
    jobs += [(lambda m, d: time_vq(m, args, d), "VQ-16", d) for d in dict.fromkeys([torch.float32, low])]
    failed = False
    for work, model, dtype in jobs:
        for mode in args.modes:
            about = {"model": model, "mode": mode, "dtype": str(dtype).replace("torch.", "")}
            try:
                with torch.inference_mode() if mode == "eager" else torch.no_grad():
                    result = work(mode, dtype)
            except RuntimeError as error:
                failed = failed or mode == "eager"
                result = {"reason": str(error).strip().split("\n")[0]}
            about = {"torch": torch.__version__, "device": machine, "tiny": args.tiny, **about}
            print(json.dumps({**about, **result}), flush=True)
            if args.device == "cuda":
                torch.cuda.empty_cache()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
