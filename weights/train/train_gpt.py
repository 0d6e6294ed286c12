#!/usr/bin/env python3
"""Trains the class-conditional decoder on the codes that extract_codes.py wrote."""
import argparse
from pathlib import Path

import numpy as np
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
)
from gpt_model import Transformer
from torch.nn import functional as F

EVERY = 200


def options_of():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--vq", type=Path, default=RUNS / "vq", help="run of train_vq.py")
    parser.add_argument("--run", type=Path, default=RUNS / "gpt")
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--n-layer", type=int, default=8)
    parser.add_argument("--n-head", type=int, default=4)
    parser.add_argument("--multiple-of", type=int, default=256)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--dropout", type=float, default=0.1, help="of tokens, residuals and MLP")
    parser.add_argument("--class-dropout", type=float, default=0.1, help="for guidance")
    parser.add_argument("--average", type=float, default=0.998, help="decay of the EMA")
    add_device_options(parser)
    return parser.parse_args()


def config_of(options, classes, codebook_size, block_size):
    """The fields of `gpt` in model.json; checked before anything is trained."""
    if options.dim % options.n_head != 0 or (options.dim // options.n_head) % 4 != 0:
        fail(
            f'"--dim" {options.dim} and "--n-head" {options.n_head} expected heads of a multiple '
            "of 4 features (2-D RoPE)"
        )
    if round(block_size**0.5) ** 2 != block_size:
        fail(f"expected a square grid of codes, got {block_size} codes an image")
    return {
        "model_type": "c2i",
        "dim": options.dim,
        "n_layer": options.n_layer,
        "n_head": options.n_head,
        "n_kv_head": None,
        "multiple_of": options.multiple_of,
        "ffn_dim_multiplier": None,
        "rope_base": 10000,
        "norm_eps": 1e-05,
        "num_classes": classes,
        "class_dropout_prob": options.class_dropout,
        "vocab_size": codebook_size,
        "cls_token_num": 1,
        "block_size": block_size,
    }


def load_codes(run, split):
    path = run / f"{split}-codes.npy"
    if not path.exists():
        fail(f'{path}: no such file; run "python3 weights/train/extract_codes.py" first')
    return torch.from_numpy(np.load(path).astype(np.int64))


def token_loss(network, label, tokens, precision):
    with precision():
        logits = network(label, tokens[:, :-1])
    return F.cross_entropy(logits.flatten(0, 1), tokens.flatten())


@torch.no_grad()
def evaluate(network, values, labels, codes, device, precision, count=256, batch=64):
    """Cross-entropy, nats a token, of averaged weights on images spread over a split."""
    trained = {k: v.clone() for k, v in network.state_dict().items()}
    network.load_state_dict(values)
    network.eval()
    indices = torch.linspace(0, len(labels) - 1, min(count, len(labels))).long()
    total = 0.0
    for part in indices.split(batch):
        loss = token_loss(network, labels[part].to(device), codes[0, part].to(device), precision)
        total += loss.item() * len(part)
    network.load_state_dict(trained)
    network.train()
    return total / len(indices)


def parameter_groups(network, weight_decay=0.05):
    """Matrices decay; gains of norms do not."""
    matrices = [p for p in network.parameters() if p.dim() > 1]
    gains = [p for p in network.parameters() if p.dim() <= 1]
    return [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": gains, "weight_decay": 0.0},
    ]


def run():
    options = options_of()
    device, precision = start(options)
    labels = {split: Images(options.data, split).labels for split in ("train", "test")}
    classes = len(Images(options.data, "train").classes)
    codes = {split: load_codes(options.vq, split) for split in ("train", "test")}
    codebook_size = load_checkpoint(options.vq, "train_vq.py")["config"]["codebook_size"]
    config = config_of(options, classes, codebook_size, codes["train"].shape[2])
    order = Shuffled(len(labels["train"]), options.batch, options.seed)
    out = Run(options.run, vars(options))
    network = Transformer(config, options.dropout).to(device)
    average = Average(network, options.average)
    optimizer = torch.optim.AdamW(parameter_groups(network), lr=options.rate, betas=(0.9, 0.95))
    first = 0
    if saved := out.resume():
        network.load_state_dict(saved["network"])
        optimizer.load_state_dict(saved["optimizer"])
        average.values, average.count = saved["average"], saved["average_count"]
        first = saved["step"]
    print(f"{sum(p.numel() for p in network.parameters()) / 1e6:.2f}M parameters", flush=True)
    for step in range(first, options.steps):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, options.steps, options.rate, 100)
        indices = order.at(step)
        mirrored = torch.randint(2, (len(indices),))
        tokens = codes["train"][mirrored, indices].to(device)
        label = labels["train"][indices].clone()
        label[torch.rand(len(label)) < options.class_dropout] = classes
        loss = token_loss(network, label.to(device), tokens, precision)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        average.update(network)
        done = step + 1
        if done % EVERY == 0 or done == options.steps:
            parts = (average.values, labels["test"], codes["test"], device, precision)
            out.log(step=done, loss=loss.item(), test_loss=evaluate(network, *parts))
            out.save(
                network=network.state_dict(),
                optimizer=optimizer.state_dict(),
                average=average.values,
                average_count=average.count,
                step=done,
                config=config,
            )
    out.plot(["loss", "test_loss"])


if __name__ == "__main__":
    main(run)
