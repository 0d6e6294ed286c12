#!/usr/bin/env python3
"""Writes a golden case for an exported text model: ids, features, logits, greedy tokens and pixels.

PyTorch computes in float64 from the weights that the runtime reads; what it stores is rounded to
f32. Tolerances are 30 times the difference that PyTorch in f32 makes, as in the other cases.
"""
import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from common import HERE, main, shown, to_bytes
from exported import load_vq, read_model_json
from golden import set_tolerance
from gpt_model import TextTransformer
from safetensors_io import load, save
from scenes.evaluate import SHOWN, held_out_scenes
from scenes.pool import LENGTH, padded
from scenes.scene import KEPT, NOUNS, bare
from scenes.vocabulary import PAD, Words
from t5_model import T5Encoder

ROOT = HERE.parent.parent
PROMPTS = 32
SCORED = 4
SCORED_POSITIONS = 6
DECODED = 4


def load_text_model(folder, dtype):
    """(T5, decoder) of a model folder."""
    t5 = T5Encoder(json.loads((folder / "t5.json").read_text()))
    gpt = TextTransformer(read_model_json(folder)["gpt"], dropout=0)
    for network, name in ((t5, "t5"), (gpt, "gpt")):
        network.load_state_dict({k: v.float() for k, v in load(folder / f"{name}.safetensors").items()})
    return tuple(n.to(dtype).eval().requires_grad_(False) for n in (t5, gpt))


def prompts_of(count, words):
    """The shown ones, then held-out captions of every kind, as a user might type them, of what the
    model knows."""
    KEPT[:] = [i for i, noun in enumerate(NOUNS) if bare(noun["names"][0]["one"]) in words]
    scenes = held_out_scenes(4000, 0.1)
    step = len(scenes) / (count - len(SHOWN))
    return [*SHOWN, *(scenes[int(i * step)].caption for i in range(count - len(SHOWN)))]


def run():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, default=HERE.parent / "scenes-96")
    parser.add_argument("--out", type=Path, help="default: test/golden/NAME")
    options = parser.parse_args()
    out = options.out or ROOT / "test" / "golden" / options.model.name
    known = read_model_json(options.model)["text"]["words"]
    words, prompts = Words(options.model / "tokenizer.json"), prompts_of(PROMPTS, known)
    ids = torch.tensor([padded(words.ids(prompt)) for prompt in prompts])
    valid = ids != PAD
    t5, gpt = load_text_model(options.model, torch.float64)
    narrow_t5, narrow_gpt = load_text_model(options.model, torch.float32)
    steps = len(gpt.cos) - LENGTH
    features = t5(ids, valid) * valid.unsqueeze(-1)
    tokens = gpt.greedy(features, valid, steps)
    positions = torch.linspace(0, steps, SCORED_POSITIONS).long()
    logits = gpt(features, valid, tokens)
    best = logits[:, :-1].topk(2).values
    margin = (best[..., 0] - best[..., 1]).amin(1)
    print(f"least margin of a greedy token {margin.min().item():.2g}, prompts below 1e-3: {(margin < 1e-3).sum()}")
    narrow = narrow_t5(ids, valid) * valid.unsqueeze(-1)
    single = narrow_gpt(narrow, valid, tokens)
    rounding = {
        "features": (narrow[valid] - features[valid]).abs().max().item(),
        "logits": (single - logits).abs().max().item(),
    }
    vq = load_vq(options.model).double()
    side = round(steps**0.5)
    with torch.no_grad():
        images = vq.decode_code(tokens[:DECODED].view(-1, side, side))
    out.mkdir(parents=True, exist_ok=True)
    config = {
        "name": options.model.name,
        "kind": "text_model_folder",
        "description": "the shipped text model: ids and features of prompts, greedy tokens without guidance, "
        "logits, pixels",
        "model": shown(options.model),
        "prompts": prompts,
    }
    (out / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    save(
        out / "expected.safetensors",
        {
            # Tokens of all prompts, one after the other; `lengths` says where each ends.
            "features": features[valid].float(),
            "logits": logits[:SCORED, positions].float(),
            "ids": ids[valid].int(),
            "lengths": valid.sum(1).int(),
            "positions": positions.int(),
            "greedy_tokens": tokens.int(),
            "image_u8": to_bytes(images).int(),
        },
    )
    tolerances = {k: {"atol": float(f"{max(2e-6, 30 * v):.1g}")} for k, v in rounding.items()}
    set_tolerance(out, tolerances)
    entries = json.loads((out.parent / "INDEX.json").read_text())
    for entry in entries:
        if entry["name"] == out.name:
            entry["kind"] = config["kind"]
    lines = ",\n".join(json.dumps(e) for e in entries)
    (out.parent / "INDEX.json").write_text(f"[\n{lines}\n]\n")
    print(f"{out}: {len(prompts)} prompts, {steps} tokens each, rounding {rounding}")


if __name__ == "__main__":
    main(run)
