"""The text-conditional decoder and T5 against reference data of the official code.

python3 -m unittest discover -s weights/train
"""
import json
import os
import unittest
from pathlib import Path

import torch
from common import HERE
from gpt_model import TextTransformer
from safetensors_io import load
from t5_model import T5Encoder, buckets

GOLDEN = Path(os.environ.get("LLAMAGEN_GOLDEN", HERE.parent.parent / "test" / "golden"))


def case(name):
    """(arguments, weights in float64, expected values) of a case."""
    folder = GOLDEN / name
    arguments = json.loads((folder / "config.json").read_text())
    weights = {k: v.double() for k, v in load(folder / "model.safetensors").items()}
    return arguments, weights, load(folder / "expected.safetensors")


def text_model(name):
    config, weights, expected = case(name)
    network = TextTransformer(config["model_args"], dropout=0).double().eval()
    network.load_state_dict(weights)
    return network, expected, config


class Text(unittest.TestCase):
    def near(self, got, expected, tolerance=1e-4):
        self.assertEqual(got.shape, expected.shape)
        self.assertLess((got - expected).abs().max().item(), tolerance)

    def test_captions_of_several_lengths(self):
        network, expected, _ = text_model("t2i_tiny")
        valid, tokens = expected["cap.mask"].bool(), expected["tf.tokens"].long()
        with torch.no_grad():
            states = network.states(expected["cap"].double(), valid, tokens)
            logits = network.logits(states)
        self.near(logits, expected["tf.logits"])

    def test_greedy_tokens_with_guidance(self):
        for name in ("t2i_tiny", "t2i_120"):
            network, expected, config = text_model(name)
            scale = config["cfg_scale"]

            def best(logits):
                return (logits[1] + (logits[0] - logits[1]) * scale).argmax(-1)

            valid = expected["cap.mask"].bool()
            steps = config["max_new_tokens"]
            tokens = network.sample(expected["cap"].double(), valid, steps, best, guided=True)
            self.assertEqual(tokens.tolist(), expected["gen.tokens"].tolist())
            tokens = network.greedy(expected["cap"].double(), valid, steps)
            self.assertEqual(tokens.tolist(), expected["gen1.tokens"].tolist())

    def test_t5(self):
        config, weights, expected = case("t5_tiny")
        network = T5Encoder(config["model_args"]).double().eval()
        del weights["encoder.embed_tokens.weight"]
        network.load_state_dict(weights)
        ids, valid = expected["ids"].long(), expected["attention_mask"].bool()
        with torch.no_grad():
            y = network(ids, valid)
            self.near(y[valid], expected["y"][valid])
            # Left padding gives the same features: only distances count.
            turned = [row.roll(-int(v.sum())) for row, v in zip(ids, valid)]
            left = network(torch.stack(turned), valid.flip(1))
        self.near(left[valid.flip(1)], expected["y"][valid])

    def test_buckets(self):
        _, _, expected = case("t5_tiny")
        distance, bucket = expected["rel"].long(), expected["rel_bucket"].long()
        table = buckets(201)
        middle = [table[100, 100 + d] for d in distance.tolist() if abs(d) <= 100]
        self.assertEqual(middle, bucket[distance.abs() <= 100].tolist())


if __name__ == "__main__":
    unittest.main()
