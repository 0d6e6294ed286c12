#!/usr/bin/env python3
"""Writes a golden case for an exported model: PyTorch's logits, greedy tokens and pixels, in float64.

The runtime's tests read it: the weights stay in the model folder, the case names that folder. The
tolerance of the logits is 30 times the difference that PyTorch in f32 makes, as in the other cases.
"""
import argparse
import json
from pathlib import Path

import torch
from common import HERE, main, to_bytes
from exported import load_gpt, load_vq
from safetensors_io import save

ROOT = HERE.parent.parent
SCORED_CLASSES = 4
SCORED_POSITIONS = 6
DECODED_CLASSES = 8


def set_tolerance(case, per_tensor):
    """Lists the case in the INDEX.json beside it, one case a line."""
    path = case.parent / "INDEX.json"
    entries = json.loads(path.read_text()) if path.exists() else []
    entry = {"name": case.name, "kind": "model_folder", "per_tensor": per_tensor}
    entries = [e for e in entries if e["name"] != case.name] + [entry]
    lines = ",\n".join(json.dumps(e) for e in entries)
    path.write_text(f"[\n{lines}\n]\n")


def run():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, default=HERE.parent / "fruits-96")
    parser.add_argument("--out", type=Path, help="default: test/golden/NAME")
    options = parser.parse_args()
    out = options.out or ROOT / "test" / "golden" / options.model.name
    gpt, vq = load_gpt(options.model).double(), load_vq(options.model).double()
    classes, steps = gpt.num_classes, len(gpt.cos) - 1
    side = round(steps**0.5)
    tokens = gpt.greedy(torch.arange(classes), steps)
    scored = torch.arange(0, classes, classes // min(classes, SCORED_CLASSES))[:SCORED_CLASSES]
    positions = torch.linspace(0, steps, SCORED_POSITIONS).long()
    decoded = torch.arange(0, classes, classes // min(classes, DECODED_CLASSES))[:DECODED_CLASSES]
    with torch.no_grad():
        logits = gpt(scored, tokens[scored])
        codebook = vq.quantize.codebook
        images = vq.decode(vq.quantize.lookup(tokens[decoded].reshape(-1, side, side), codebook))
        single = load_gpt(options.model)(scored, tokens[scored])
    rounding = (single - logits).abs().max().item()
    out.mkdir(parents=True, exist_ok=True)
    config = {
        "name": options.model.name,
        "kind": "model_folder",
        "description": "the shipped model: greedy tokens of every class without guidance, logits, pixels",
        "model": str(options.model.resolve().relative_to(ROOT)),
    }
    (out / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    save(
        out / "expected.safetensors",
        {
            "logits": logits[:, positions].float(),
            "scored_classes": scored.int(),
            "positions": positions.int(),
            "greedy_tokens": tokens.int(),
            "decoded_classes": decoded.int(),
            "image_u8": to_bytes(images).int(),
        },
    )
    set_tolerance(out, {"logits": {"atol": float(f"{max(2e-6, 30 * rounding):.1g}")}})
    print(f"{out}: {classes} classes, {steps} tokens each")


if __name__ == "__main__":
    main(run)
