#!/usr/bin/env python3
"""A model folder from what run.py wrote: weights, model.json, t5.json; tokenizer.json is there already."""
import argparse
import json
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from common import fail, main
from export import vq_fields
from safetensors_io import load, save
from scenes.clock import total
from scenes.scene import bare
from scenes.vocabulary import FILE

STAGES = ("drawing", "telling", "t5", "decoder")
# How tokens are drawn.
SAMPLED = {"cfg_scale": float, "top_k": int, "top_p": float}


def model_json(name, report, license, settings):
    """Settings given by hand go before those that the evaluation chose."""
    chosen = report["evaluation"]
    by_hand = {name: getattr(settings, name) for name in SAMPLED}
    nouns = report["nouns"]
    return {
        "format": "llamagen-webgpu/1",
        "name": name,
        "description": f"Text-conditional LlamaGen, 96x96 pixels, scenes of one to four of {len(nouns)} things",
        "gpt": report["model"]["gpt"],
        "vq": vq_fields(report["model"]["vq"]),
        "text": {
            "max_length": report["model"]["gpt"]["cls_token_num"],
            "clean": True,
            "words": [bare(noun) for noun in nouns],
        },
        "sampling": {
            "temperature": 1.0,
            **{name: chosen[name] if value is None else value for name, value in by_hand.items()},
        },
        "license": license,
        "trained": f"On drawn scenes of {len(nouns)} pictures of Noto Emoji with captions, at last on "
        f"{trained_on(report)}: tokenizer on {total(report, 'samples', 'drawing', 'telling')} pictures, T5 on "
        f"{total(report, 'samples', 't5')} captions and, with the decoder, on {total(report, 'samples', 'decoder')} scenes, in "
        f"{total(report, 'seconds', *STAGES) / 60:.0f} minutes; EMA weights",
    }


def trained_on(report):
    """The device of the last run that trained anything."""
    return report["device"] if "before" not in report or set(STAGES) & set(report) else trained_on(report["before"])


def run():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--run", type=Path, required=True, help="--out of run.py")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--license", default="Apache-2.0")
    parser.add_argument("--notice", type=Path, help="licence of the pictures, copied as DATA-LICENSE")
    for name, kind in SAMPLED.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, help="default: what the evaluation chose")
    options = parser.parse_args()
    path = options.run / "report.json"
    if not path.exists():
        fail(f"{path}: no such file; run \"python3 weights/train/scenes/run.py\" first")
    report = json.loads(path.read_text())
    options.out.mkdir(parents=True, exist_ok=True)
    for name in ("gpt", "t5"):
        shutil.copyfile(options.run / f"{name}.safetensors", options.out / f"{name}.safetensors")
    vq = load(options.run / "vq.safetensors")
    if total(report, "samples", "telling") == 0:
        # An encoder that was never told its codes would give others.
        vq = {k: v for k, v in vq.items() if not k.startswith(("encoder.", "quant_conv."))}
    save(options.out / "vq.safetensors", vq)
    if options.out.resolve() != FILE.parent:
        shutil.copyfile(FILE, options.out / FILE.name)
    if options.notice:
        shutil.copyfile(options.notice, options.out / "DATA-LICENSE")
    described = model_json(options.out.name, report, options.license, options)
    (options.out / "model.json").write_text(json.dumps(described, indent=2) + "\n")
    (options.out / "t5.json").write_text(json.dumps(report["model"]["t5"], indent=2) + "\n")
    size = sum(f.stat().st_size for f in options.out.iterdir())
    print(f"{options.out}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(run)
