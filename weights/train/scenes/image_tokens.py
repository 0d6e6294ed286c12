"""The image tokenizer of scenes: trained on drawn scenes, then the codes of the scenes to learn."""
import traceback

import torch
from common import to_bytes
from metrics import psnr, quick_ssim, ssim
from scenes.clock import Mean, Stage, adam, set_rate
from scenes.render import CELL
from scenes.scene import COLOURS, GRID, KEPT
from torch.nn import functional as F
from vq_model import AttnBlock, ResnetBlock, VQModel, quantizer_loss, straight_through

CONFIG = {
    "ch": 32,
    "ch_mult": [1, 1, 2, 4],
    "num_res_blocks": 1,
    "z_channels": 128,
    "codebook_size": 2048,
    "codebook_embed_dim": 8,
}


class CodeUse:
    """Share of each code, on the device; unused codes are put where latents are (Dhariwal et al. 2020)."""

    def __init__(self, size, device):
        self.share = torch.zeros(size, device=device)

    @torch.no_grad()
    def update(self, codes):
        count = torch.zeros_like(self.share).index_add_(
            0, codes.flatten(), torch.ones(codes.numel(), device=codes.device)
        )
        # Over as many pictures whatever the batch: a small one uses few codes.
        self.share.lerp_(count / codes.numel(), min(0.05, 1e-4 * len(codes)))

    @torch.no_grad()
    def revive(self, weight, z):
        """Codes used less than a tenth of their even share become random latents of this batch."""
        dead = self.share < 0.1 / len(self.share)
        latents = z.permute(0, 2, 3, 1).reshape(-1, z.shape[1])
        chosen = torch.randint(len(latents), (len(weight),), device=weight.device)
        weight.copy_(torch.where(dead[:, None], latents[chosen].to(weight.dtype), weight))
        self.share.copy_(torch.where(dead, torch.full_like(self.share, 1 / len(dead)), self.share))


def quantise(network, z):
    """As Quantizer.forward, with the search in f32 and as one matrix product."""
    with torch.autocast(z.device.type, enabled=False):
        z = F.normalize(z.float(), dim=1)
        codebook = network.quantize.codebook.float()
        with torch.no_grad():
            rows = z.permute(0, 2, 3, 1).reshape(-1, z.shape[1])
            codes = (rows @ codebook.t()).argmax(1).view(z.shape[0], *z.shape[2:])
        return network.quantize.lookup(codes, codebook), codes, z


def encode(network, x):
    return quantise(network, network.quant_conv(network.encoder(x)))


# Objects of so many cells, and how many of them fit side by side.
SIDES = ((3, 4), (4, 3), (6, 2))


def full_scenes(count, device):
    """(objects, ground) of pictures full of objects, as many of each size."""
    parts, each = [], count // len(SIDES)
    for size, side in SIDES:
        room = GRID - size * side + 1
        place = torch.arange(side, device=device) * size
        grid = torch.stack([place.repeat(side), place.repeat_interleave(side)], -1)
        origin = torch.randint(room, (each, 1, 2), device=device)
        kept = torch.tensor(KEPT, device=device)
        noun = kept[torch.randint(len(kept), (each, side * side, 1), device=device)]
        noun = torch.where(torch.rand(noun.shape, device=device) < 0.75, noun, torch.full_like(noun, -1))
        objects = torch.cat([noun, torch.full_like(noun, size), grid + origin], -1)
        parts.append(F.pad(objects, (0, 0, 0, 16 - side * side), value=-1))
    ground = torch.randint(len(COLOURS), (each * len(SIDES), 2), device=device)
    plain = torch.rand(len(ground), 1, device=device) < 0.7
    return torch.cat(parts), torch.where(plain, ground[:, :1], ground)


# What is covered by objects alone should have the same tokens on every ground: they are what a
# decoder of eight million parameters has to know by heart.
STEADY = 0.25


def unsteady(z, opacity):
    """How far latents of pairs (see `pairs`) are apart where objects cover all of a cell."""
    first, second = z.float().chunk(2)
    covered = (F.avg_pool2d(opacity.chunk(2)[0], CELL) > 0.98).float()
    return (covered * (first - second).square()).sum() / (covered.sum() * z.shape[1]).clamp_min(1)


def edges(y):
    return y[..., 1:] - y[..., :-1], y[..., 1:, :] - y[..., :-1, :]


def picture_loss(y, x, opacity):
    """Absolute and squared error, more for objects than for the ground; edges; structure."""
    weight = 0.5 + 1.5 * opacity
    error = y - x
    pixels = (weight * (error.abs() + 2 * error.square())).mean()
    sharp = sum((a - b).abs().mean() for a, b in zip(edges(y), edges(x)))
    structure = 1 - quick_ssim(y.contiguous(), x.contiguous())
    return pixels + 0.5 * sharp + 0.15 * structure


def compile_blocks(network):
    """For CPUs, where norms and casts are most of the time: 1.6 times as many pictures a second. Not
    the decoder as a whole: PyTorch 2.13 then gives gradients of 0."""
    torch._dynamo.config.recompile_limit = 64  # one for each shape of a block
    for block in network.modules():
        if isinstance(block, (ResnetBlock, AttnBlock)):
            block.compile(dynamic=False)


class TokenizerTrainer:
    def __init__(
        self, renderer, scenes, device, precision, batch=512, rate=1e-3, layout=None, compiled=False
    ):
        self.renderer, self.scenes, self.device, self.precision = renderer, scenes, device, precision
        self.batch, self.peak = batch, rate
        self.layout = layout or torch.contiguous_format
        self.network = VQModel(CONFIG).to(device=device, memory_format=self.layout)
        self.average = Mean(self.network, 0.998)
        self.use = CodeUse(CONFIG["codebook_size"], device)
        self.optimizer = adam(self.network.parameters(), device, rate)
        self.loss_of = picture_loss
        if compiled:
            compile_blocks(self.network)
            self.loss_of = torch.compile(picture_loss, dynamic=False)

    def step(self, rate):
        set_rate(self.optimizer, rate)
        x, opacity = self.pairs()
        x = x.contiguous(memory_format=self.layout)
        with self.precision():
            quantised, codes, z = encode(self.network, x)
            y = self.network.decode(straight_through(quantised, z))
        pictures = self.loss_of(y.float(), x, opacity)
        learned = quantizer_loss(quantised, z, 0.25) + STEADY * unsteady(z, opacity)
        self.optimizer.zero_grad(set_to_none=True)
        (pictures + learned).backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.use.update(codes)
        return pictures.detach(), z.detach()

    def pairs(self):
        """Pictures and opacities: those of the second half are the first half on other grounds."""
        half = self.batch // 2
        # Full pictures beside true ones: there is more to learn in them.
        full = half * 2 // 5 // len(SIDES) * len(SIDES)
        rows = self.scenes.random_rows(half - full)
        objects, ground = self.scenes.objects[rows].long(), self.scenes.ground[rows].long()
        other = self.scenes.ground[self.scenes.random_rows(half)].long()
        more, grounds = full_scenes(full, self.device)
        objects = torch.cat([F.pad(objects, (0, 0, 0, more.shape[1] - objects.shape[1]), value=-1), more])
        ground = torch.cat([ground, grounds, other])
        return self.renderer.draw(objects.repeat(2, 1, 1), ground)

    def train(self, deadline, report):
        stage = Stage("tokenizer", deadline, self.device, report)
        while stage.goes_on():
            try:
                pictures, z = self.step(stage.rate(self.peak))
            except Exception:
                print(f"[tokenizer] ends early\n{traceback.format_exc()}", flush=True)
                break
            stage.step(self.batch)
            often = 5000 if stage.share < 0.1 else 12_500  # pictures
            if stage.share < 0.7 and stage.samples % often < self.batch:
                self.use.revive(self.network.quantize.embedding.weight, z)
            self.average.update()
            if stage.time_to_show():
                stage.log(loss=pictures.item())
        stage.end()
        return self.trained()

    def trained(self):
        """The averaged weights as a network of its own."""
        network = VQModel(CONFIG).to(device=self.device, memory_format=self.layout)
        network.load_state_dict(self.average.state())
        return network.eval().requires_grad_(False)


@torch.no_grad()
def measured(network, renderer, scenes, device, count=512, batch=128):
    """PSNR and SSIM of reconstructions of held-out scenes, and the share of codes that they use."""
    sums, used = torch.zeros(2, dtype=torch.float64), set()
    count = min(count, len(scenes))
    for begin in range(0, count, batch):
        rows = torch.arange(begin, min(begin + batch, count), device=device)
        x, _ = scenes.draw(renderer, rows)
        quantised, codes, _ = encode(network, x)
        real, made = (to_bytes(v).permute(0, 3, 1, 2) for v in (x, network.decode(quantised)))
        sums += torch.stack([psnr(real, made).sum().cpu(), ssim(real, made).sum().cpu()])
        used.update(codes.flatten().tolist())
    db, alike = (sums / count).tolist()
    return {"psnr": db, "ssim": alike, "codes_used": len(used) / CONFIG["codebook_size"]}
