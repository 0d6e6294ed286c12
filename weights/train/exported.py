"""An exported model folder back in PyTorch: the very weights that the runtime reads."""
import json
from pathlib import Path

import torch
from common import fail
from gpt_model import Transformer
from safetensors_io import load
from vq_model import VQModel


def read_model_json(folder):
    path = Path(folder) / "model.json"
    if not path.exists():
        fail(f"{path}: no such file; make a model folder with export.py")
    return json.loads(path.read_text())


def load_gpt(folder):
    network = Transformer(read_model_json(folder)["gpt"])
    network.load_state_dict({k: v.float() for k, v in load(Path(folder) / "gpt.safetensors").items()})
    return network.eval().requires_grad_(False)


def load_vq(folder):
    fields = read_model_json(folder)["vq"]
    if fields["encoder_ch_mult"] != fields["decoder_ch_mult"]:
        fail(f"{folder}: expected the same ch_mult in encoder and decoder")
    network = VQModel({**fields, "ch_mult": fields["encoder_ch_mult"]})
    weights = {k: v.float() for k, v in load(Path(folder) / "vq.safetensors").items()}
    missing, unknown = network.load_state_dict(weights, strict=False)
    # A model that only draws has no encoder.
    missing = [name for name in missing if not name.startswith(("encoder.", "quant_conv."))]
    if missing or unknown:
        fail(f"{folder}/vq.safetensors: lacks {missing}, and has {unknown}, which its model.json does not")
    return network.eval().requires_grad_(False)


@torch.no_grad()
def reconstruct(network, x):
    """Images in [-1, 1] through the tokenizer: (images, codes)."""
    quantised, codes, _ = network.encode(x)
    return network.decode(quantised), codes
