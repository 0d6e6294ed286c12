"""The image tokenizer of scenes: its shape, pictures to learn from, what is lost, how good it is."""
import torch
from common import to_bytes
from metrics import psnr, quick_ssim, ssim
from scenes.scene import COLOURS, GRID, KEPT
from torch.nn import functional as F
from vq_model import AttnBlock, ResnetBlock

CONFIG = {
    "ch": 32,
    "ch_mult": [1, 1, 2, 4],
    "num_res_blocks": 1,
    "z_channels": 128,
    "codebook_size": 2048,
    "codebook_embed_dim": 8,
}


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


@torch.no_grad()
def measured(network, codes, images, batch=128):
    """PSNR and SSIM of images [n, 3, 96, 96] drawn from their codes [n, 12, 12]."""
    sums = torch.zeros(2, dtype=torch.float64)
    for part, x in zip(codes.split(batch), images.split(batch)):
        real, made = (to_bytes(v).permute(0, 3, 1, 2) for v in (x, network.decode_code(part)))
        sums += torch.stack([psnr(real, made).sum().cpu(), ssim(real, made).sum().cpu()])
    db, alike = (sums / len(images)).tolist()
    return {"psnr": db, "ssim": alike}
