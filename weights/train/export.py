#!/usr/bin/env python3
"""Writes trained weights as a model folder: model.json, gpt.safetensors, vq.safetensors."""
import argparse
import json
import shutil
from pathlib import Path

import torch
from common import DATA, RUNS, fail, load_checkpoint, main
from safetensors_io import save

DTYPES = {"f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32}


def stored(values, dtype):
    """Averaged weights in the dtype they are shipped in; every one must survive the rounding."""
    tensors = {name: value.to(dtype) for name, value in values.items()}
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor.float()).all():
            fail(f'"{name}" has values that {dtype} cannot hold: export with --dtype bf16')
    return tensors


def vq_fields(config):
    """The fields of `vq` in model.json."""
    return {
        "ch": config["ch"],
        "encoder_ch_mult": config["ch_mult"],
        "decoder_ch_mult": config["ch_mult"],
        "num_res_blocks": config["num_res_blocks"],
        "z_channels": config["z_channels"],
        "codebook_size": config["codebook_size"],
        "codebook_embed_dim": config["codebook_embed_dim"],
        "codebook_l2_norm": True,
    }


def how_trained(info, vq, gpt):
    def part(saved):
        s = saved["settings"]
        before = f" on top of run {Path(s['init']).name}" if s.get("init") else ""
        minutes = f"{saved['seconds'] / 60:.0f} minutes"
        return f"{saved['step']} steps of {s['batch']} in {minutes}{before}"

    return (
        f"On {info['counts']['train']} images of {info['source']}, {info['size']}x{info['size']}: "
        f"tokenizer {part(vq)}, decoder {part(gpt)}, seed {gpt['settings']['seed']}; EMA weights"
    )


def run():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--vq", type=Path, default=RUNS / "vq")
    parser.add_argument("--gpt", type=Path, default=RUNS / "gpt")
    parser.add_argument("--out", type=Path, required=True, help="model folder; its name is the model's")
    parser.add_argument("--dtype", choices=DTYPES, default="f16")
    parser.add_argument("--description", help="one line")
    parser.add_argument("--license", default="unknown", help="of the weights, e.g. MIT")
    parser.add_argument("--notice", type=Path, help="licence of the data, copied as DATA-LICENSE")
    parser.add_argument("--cfg-scale", type=float, default=2.0)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--top-k", type=int, default=0)
    parser.add_argument("--top-p", type=float, default=1.0)
    options = parser.parse_args()
    info = json.loads((options.data / "data.json").read_text())
    vq = load_checkpoint(options.vq, "train_vq.py")
    gpt = load_checkpoint(options.gpt, "train_gpt.py")
    size, classes = info["size"], len(info["classes"])
    model = {
        "format": "llamagen-webgpu/1",
        "name": options.out.name,
        "description": options.description
        or f"Class-conditional LlamaGen, {size}x{size} pixels, {classes} classes",
        "gpt": gpt["config"],
        "vq": vq_fields(vq["config"]),
        "classes": info["classes"],
        "sampling": {
            "cfg_scale": options.cfg_scale,
            "temperature": options.temperature,
            "top_k": options.top_k,
            "top_p": options.top_p,
        },
        "license": options.license,
        "trained": how_trained(info, vq, gpt),
    }
    dtype = DTYPES[options.dtype]
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        save(options.out / "gpt.safetensors", stored(gpt["average"], dtype))
        save(options.out / "vq.safetensors", stored(vq["average"], dtype))
        (options.out / "model.json").write_text(json.dumps(model, indent=2) + "\n")
        if options.notice:
            shutil.copyfile(options.notice, options.out / "DATA-LICENSE")
    except OSError as error:
        fail(f"{options.out}: cannot be written to ({error.strerror})")
    total = sum(f.stat().st_size for f in options.out.iterdir())
    print(f"{options.out}: {total / 1e6:.1f} MB")


if __name__ == "__main__":
    main(run)
