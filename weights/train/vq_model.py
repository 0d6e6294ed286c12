"""The image tokenizer (VQGAN), with the state-dict names of the official LlamaGen checkpoints.

Source: Sun et al. 2024 (arXiv:2406.06525), section 2.1; Esser et al. 2021 (VQGAN); Yu et al. 2021
for the small, L2-normalised codebook. Images are [batch, 3, height, width] in [-1, 1].
"""
import torch
from torch import nn
from torch.nn import functional as F


class Norm(nn.GroupNorm):
    """32 groups, at least in f32: PyTorch 1.13 sums bf16 in bf16 on CPUs, which is useless. GPUs sum
    in f32 whatever the input is, and half of the bytes is half of the time."""

    def __init__(self, channels):
        super().__init__(32, channels, eps=1e-6)

    def forward(self, x):
        if x.is_cuda and x.dtype == torch.bfloat16:
            with torch.autocast("cuda", enabled=False):
                return F.group_norm(x, 32, self.weight.bfloat16(), self.bias.bfloat16(), self.eps)
        return super().forward(x if x.dtype == torch.float64 else x.float())

    def silu(self, x):
        """The norm, then x * sigmoid(x)."""
        if fused_norm_silu:
            return fused_norm_silu(x, self.weight, self.bias)
        return F.silu(self(x))


def norm_silu(x, weight, bias):
    return F.silu(F.group_norm(x.float(), 32, weight, bias, 1e-6)).to(x.dtype)


# A compiled norm_silu, where one is wanted.
fused_norm_silu = None


def compile_norms(on):
    global fused_norm_silu
    fused_norm_silu = torch.compile(norm_silu, dynamic=True) if on else None


class ResnetBlock(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.norm1 = Norm(in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.norm2 = Norm(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        if in_channels != out_channels:
            self.nin_shortcut = nn.Conv2d(in_channels, out_channels, 1)
        self.widens = in_channels != out_channels

    def forward(self, x):
        h = self.conv1(self.norm1.silu(x))
        h = self.conv2(self.norm2.silu(h))
        return (self.nin_shortcut(x) if self.widens else x) + h


class AttnBlock(nn.Module):
    """One head over all channels and pixels."""

    def __init__(self, channels):
        super().__init__()
        self.norm = Norm(channels)
        self.q = nn.Conv2d(channels, channels, 1)
        self.k = nn.Conv2d(channels, channels, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        batch, channels, height, width = x.shape
        h = self.norm(x)
        q, k, v = (f(h).flatten(2) for f in (self.q, self.k, self.v))
        weights = torch.softmax(q.transpose(1, 2) @ k * channels**-0.5, dim=2)
        h = (v @ weights.transpose(1, 2)).reshape(batch, channels, height, width)
        return x + self.proj_out(h)


class Downsample(nn.Module):
    """Stride 2; one row and column of zeros below and right only."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x):
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Upsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Level(nn.Module):
    """Residual blocks of one resolution, attention where asked, then the change of resolution."""

    def __init__(self, in_channels, out_channels, blocks, attention, resample):
        super().__init__()
        self.res = nn.ModuleList()
        self.attn = nn.ModuleList()
        for _ in range(blocks):
            self.res.append(ResnetBlock(in_channels, out_channels))
            if attention:
                self.attn.append(AttnBlock(out_channels))
            in_channels = out_channels
        if resample == "down":
            self.downsample = Downsample(out_channels)
        if resample == "up":
            self.upsample = Upsample(out_channels)
        self.resample = resample

    def forward(self, x):
        for i, block in enumerate(self.res):
            x = block(x)
            if len(self.attn) > 0:
                x = self.attn[i](x)
        if self.resample == "down":
            x = self.downsample(x)
        if self.resample == "up":
            x = self.upsample(x)
        return x


def middle(channels):
    return nn.ModuleList(
        [ResnetBlock(channels, channels), AttnBlock(channels), ResnetBlock(channels, channels)]
    )


class Encoder(nn.Module):
    def __init__(self, ch, ch_mult, num_res_blocks, z_channels):
        super().__init__()
        self.conv_in = nn.Conv2d(3, ch, 3, padding=1)
        self.conv_blocks = nn.ModuleList()
        channels = ch
        for level, mult in enumerate(ch_mult):
            last = level == len(ch_mult) - 1
            resample = "none" if last else "down"
            self.conv_blocks.append(Level(channels, ch * mult, num_res_blocks, last, resample))
            channels = ch * mult
        self.mid = middle(channels)
        self.norm_out = Norm(channels)
        self.conv_out = nn.Conv2d(channels, z_channels, 3, padding=1)

    def forward(self, x):
        x = self.conv_in(x)
        for block in [*self.conv_blocks, *self.mid]:
            x = block(x)
        return self.conv_out(self.norm_out.silu(x))


class Decoder(nn.Module):
    def __init__(self, ch, ch_mult, num_res_blocks, z_channels):
        super().__init__()
        channels = ch * ch_mult[-1]
        self.conv_in = nn.Conv2d(z_channels, channels, 3, padding=1)
        self.mid = middle(channels)
        self.conv_blocks = nn.ModuleList()
        for level, mult in reversed(list(enumerate(ch_mult))):
            lowest = level == len(ch_mult) - 1
            resample = "none" if level == 0 else "up"
            self.conv_blocks.append(Level(channels, ch * mult, num_res_blocks + 1, lowest, resample))
            channels = ch * mult
        self.norm_out = Norm(channels)
        self.conv_out = nn.Conv2d(channels, 3, 3, padding=1)

    def forward(self, z):
        x = self.conv_in(z)
        for block in [*self.mid, *self.conv_blocks]:
            x = block(x)
        return self.conv_out(self.norm_out.silu(x))

    @property
    def last_layer(self):
        return self.conv_out.weight


class Quantizer(nn.Module):
    """Nearest vector of an L2-normalised codebook; gradients go straight through."""

    def __init__(self, codebook_size, codebook_embed_dim):
        super().__init__()
        self.embedding = nn.Embedding(codebook_size, codebook_embed_dim)
        nn.init.normal_(self.embedding.weight)

    @property
    def codebook(self):
        return F.normalize(self.embedding.weight, dim=1)

    def forward(self, z):
        """z [batch, codebook_embed_dim, h, w] -> (quantised z, codes [batch, h, w], normalised z)."""
        z = F.normalize(z.float(), dim=1)
        codebook = self.codebook
        with torch.no_grad():
            codes = torch.einsum("bchw,nc->bnhw", z, codebook).argmax(1)
        return self.lookup(codes, codebook), codes, z

    def lookup(self, codes, codebook=None):
        codebook = self.codebook if codebook is None else codebook
        return F.embedding(codes, codebook).permute(0, 3, 1, 2)


class VQModel(nn.Module):
    """The tokenizer. `config` holds the fields of `vq` in model.json."""

    def __init__(self, config):
        super().__init__()
        shape = (config["ch"], config["ch_mult"], config["num_res_blocks"], config["z_channels"])
        embed, z_channels = config["codebook_embed_dim"], config["z_channels"]
        self.encoder = Encoder(*shape)
        self.decoder = Decoder(*shape)
        self.quantize = Quantizer(config["codebook_size"], embed)
        self.quant_conv = nn.Conv2d(z_channels, embed, 1)
        self.post_quant_conv = nn.Conv2d(embed, z_channels, 1)

    def encode(self, x):
        """(quantised z, codes, normalised z); see Quantizer."""
        return self.quantize(self.quant_conv(self.encoder(x)))

    def decode(self, quantised):
        return self.decoder(self.post_quant_conv(quantised))

    def decode_code(self, codes):
        """codes [batch, h, w] -> images."""
        return self.decode(self.quantize.lookup(codes))


def quantizer_loss(quantised, z, commitment):
    """Pulls code vectors to the latents, and the latents, less strongly, to their code vectors."""
    return F.mse_loss(quantised, z.detach()) + commitment * F.mse_loss(z, quantised.detach())


def straight_through(quantised, z):
    """The value of `quantised`, the gradient of `z`."""
    return z + (quantised - z).detach()
