#!/usr/bin/env python3
"""Trains the image tokenizer: reconstruction, perceptual and, after a warm-up, adversarial loss."""
import argparse
from pathlib import Path

import torch
from common import (
    DATA,
    RUNS,
    Average,
    Images,
    Run,
    Shuffled,
    add_device_options,
    fail,
    load_checkpoint,
    main,
    rate_at,
    start,
    to_bytes,
)
from discriminator import PatchDiscriminator, adaptive_weight, hinge_loss
from features import load_classifier, perceptual_loss
from metrics import psnr, quick_ssim, ssim
from torch.nn import functional as F
from vq_model import VQModel, quantizer_loss, straight_through

EVERY = 200


def options_of():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--run", type=Path, default=RUNS / "vq")
    parser.add_argument("--init", type=Path, help="start from the averaged weights of this run")
    parser.add_argument("--features", type=Path, default=RUNS / "features" / "classifier.pt")
    parser.add_argument("--ch", type=int, default=32)
    parser.add_argument("--ch-mult", type=int, nargs="+", default=[1, 1, 2, 3])
    parser.add_argument("--num-res-blocks", type=int, default=1)
    parser.add_argument("--z-channels", type=int, default=96)
    parser.add_argument("--codebook-size", type=int, default=1024)
    parser.add_argument("--codebook-embed-dim", type=int, default=8)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=6e-4)
    parser.add_argument("--commitment", type=float, default=0.25)
    parser.add_argument("--perceptual", type=float, default=0.03, help="weight of that loss")
    parser.add_argument("--structure", type=float, default=0.2, help="weight of 1 - SSIM")
    parser.add_argument("--adversarial", type=float, default=0.05, help="weight of that loss")
    parser.add_argument("--adversarial-from", type=float, default=0.7, help="share of the steps")
    parser.add_argument("--average", type=float, default=0.998, help="decay of the EMA")
    add_device_options(parser)
    return parser.parse_args()


def config_of(options, size):
    """The fields of `vq`; checked before anything is trained."""
    halvings = len(options.ch_mult) - 1
    if size % 2**halvings != 0:
        fail(
            f'"--ch-mult" has {halvings} halvings, and images of {size} pixels cannot be halved '
            f"that often: choose a multiple of {2**halvings} in prepare.py --size"
        )
    if any(options.ch * mult % 32 != 0 for mult in options.ch_mult):
        fail(f'"--ch" times "--ch-mult" expected multiples of 32 (GroupNorm), got {options.ch}')
    keys = ["ch", "ch_mult", "num_res_blocks", "z_channels", "codebook_size", "codebook_embed_dim"]
    return {key: getattr(options, key) for key in keys}


class Codes:
    """Which codes are in use; unused ones are put where latents are (Dhariwal et al. 2020)."""

    def __init__(self, size):
        self.share = torch.zeros(size)

    @torch.no_grad()
    def update(self, codes):
        count = torch.bincount(codes.flatten().cpu(), minlength=len(self.share)).float()
        self.share.lerp_(count / count.sum(), 0.02)

    @torch.no_grad()
    def revive(self, quantizer, z, optimizer):
        """Codes used less than a tenth of their even share become random latents of this batch."""
        dead = (self.share < 0.1 / len(self.share)).nonzero().flatten()
        if len(dead) == 0:
            return 0
        latents = z.permute(0, 2, 3, 1).reshape(-1, z.shape[1])
        chosen = torch.randint(len(latents), (len(dead),))
        weight = quantizer.embedding.weight
        weight[dead] = latents[chosen.to(latents.device)].to(weight.dtype)
        for moments in optimizer.state.get(weight, {}).values():
            if torch.is_tensor(moments) and moments.shape == weight.shape:
                moments[dead] = 0
        self.share[dead] = 1 / len(self.share)
        return len(dead)


def start_from(network, config, run):
    """Takes over the averaged weights of a run of the same architecture."""
    saved = load_checkpoint(run, "train_vq.py")
    if saved["config"] != config:
        fail(f'"--init" {run} expected the architecture {config}, got {saved["config"]}')
    network.load_state_dict(saved["average"])


@torch.no_grad()
def evaluate(network, values, images, device, precision, count=128, batch=32):
    """PSNR, SSIM and codebook usage of averaged weights on the first images spread over a split."""
    trained = {k: v.clone() for k, v in network.state_dict().items()}
    network.load_state_dict(values)
    indices = torch.linspace(0, len(images) - 1, min(count, len(images))).long()
    sums, used = torch.zeros(2, dtype=torch.float64), set()
    for part in indices.split(batch):
        x = images.batch(part, device)
        with precision():
            quantised, codes, _ = network.encode(x)
            y = network.decode(quantised)
        real, made = (to_bytes(v).permute(0, 3, 1, 2) for v in (x, y))
        sums += torch.stack([psnr(real, made).sum().cpu(), ssim(real, made).sum().cpu()])
        used.update(codes.flatten().tolist())
    network.load_state_dict(trained)
    mean = sums / len(indices)
    return mean[0].item(), mean[1].item(), len(used) / network.quantize.embedding.num_embeddings


def run():
    options = options_of()
    device, precision = start(options)
    train, test = Images(options.data, "train"), Images(options.data, "test")
    config = config_of(options, train.size)
    order = Shuffled(len(train), options.batch, options.seed)
    if not options.features.exists():
        fail(f'{options.features}: no such file; run "python3 weights/train/train_features.py" first')
    out = Run(options.run, vars(options))
    features = load_classifier(options.features, device)
    layout = {"device": device, "memory_format": torch.channels_last}
    network = VQModel(config).to(**layout)
    if options.init:
        start_from(network, config, options.init)
    critic = PatchDiscriminator().to(**layout)
    average = Average(network, options.average)
    codes_in_use = Codes(config["codebook_size"])
    betas = (0.9, 0.95)
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.rate, betas=betas, weight_decay=0)
    critic_optimizer = torch.optim.AdamW(critic.parameters(), lr=options.rate, betas=(0.5, 0.9))
    parts = {
        "network": network,
        "critic": critic,
        "optimizer": optimizer,
        "critic_optimizer": critic_optimizer,
    }
    first = 0
    if saved := out.resume():
        for name, part in parts.items():
            part.load_state_dict(saved[name])
        average.values, average.count = saved["average"], saved["average_count"]
        codes_in_use.share, first = saved["share"], saved["step"]
    print(f"{sum(p.numel() for p in network.parameters()) / 1e6:.2f}M parameters", flush=True)
    adversarial_from = int(options.adversarial_from * options.steps)
    for step in range(first, options.steps):
        rate = rate_at(step, options.steps, options.rate, 100)
        for group in (*optimizer.param_groups, *critic_optimizer.param_groups):
            group["lr"] = rate
        x = train.batch(order.at(step), device)
        if step % 2:
            x = x.flip(3).contiguous(memory_format=torch.channels_last)
        with precision():
            quantised, codes, z = network.encode(x)
            y = network.decode(straight_through(quantised, z))
            seen = perceptual_loss(features, y, x)
        y = y.float()
        pixels = (y - x).abs().mean() + 2 * (y - x).square().mean()
        structure = 1 - quick_ssim(y.contiguous(), x.contiguous())
        wanted = pixels + options.perceptual * seen + options.structure * structure
        loss = wanted + quantizer_loss(quantised, z, options.commitment)
        fooled = torch.zeros(())
        if step >= adversarial_from and options.adversarial > 0:
            with precision():
                fooled = -critic(y).float().mean()
            balance = adaptive_weight(wanted, fooled, network.decoder.last_layer)
            loss = loss + options.adversarial * balance * fooled
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        # The critic starts to learn before it counts, so that its first word is not noise.
        critic_loss = torch.zeros(())
        if options.adversarial > 0 and step >= adversarial_from - 100:
            with precision():
                critic_loss = hinge_loss(critic(x), critic(y.detach()))
            critic_optimizer.zero_grad(set_to_none=True)
            critic_loss.backward()
            critic_optimizer.step()
        average.update(network)
        codes_in_use.update(codes)
        done = step + 1
        if done % 20 == 0 and done < 0.7 * options.steps:
            codes_in_use.revive(network.quantize, z, optimizer)
        if done % EVERY == 0 or done == options.steps:
            db, alike, usage = evaluate(network, average.values, test, device, precision)
            out.log(
                step=done,
                pixels=pixels.item(),
                structure=structure.item(),
                perceptual=seen.item(),
                critic=critic_loss.item(),
                test_psnr=db,
                test_ssim=alike,
                test_usage=usage,
            )
            out.save(
                **{name: part.state_dict() for name, part in parts.items()},
                average=average.values,
                average_count=average.count,
                share=codes_in_use.share,
                step=done,
                config=config,
            )
    out.plot(["pixels", "structure", "perceptual", "test_psnr", "test_ssim", "test_usage"])


if __name__ == "__main__":
    main(run)
