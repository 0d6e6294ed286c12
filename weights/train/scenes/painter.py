"""The network from captions to tokens: T5, then the decoder."""
from gpt_model import TextTransformer
from scenes.first_looks import look_around, look_at_captions
from scenes.image_tokens import CONFIG as VQ
from scenes.pool import LENGTH
from scenes.scene import GRID
from t5_model import T5Encoder
from torch import nn

T5 = {
    "architectures": ["T5EncoderModel"],
    "model_type": "t5",
    "d_model": 256,
    "d_kv": 64,
    "num_heads": 4,
    "d_ff": 512,
    "num_layers": 3,
    "vocab_size": 1920,
    "relative_attention_num_buckets": 32,
    "relative_attention_max_distance": 128,
    "layer_norm_epsilon": 1e-06,
    "feed_forward_proj": "gated-gelu",
    "is_encoder_decoder": False,
    "is_gated_act": True,
    "dense_act_fn": "gelu_new",
    "dropout_rate": 0.0,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "tie_word_embeddings": False,
}
GPT = {
    "model_type": "t2i",
    "dim": 256,
    "n_layer": 6,
    "n_head": 4,
    "n_kv_head": None,
    "multiple_of": 256,
    "ffn_dim_multiplier": None,
    "rope_base": 10000,
    "norm_eps": 1e-05,
    "caption_dim": T5["d_model"],
    "class_dropout_prob": 0.1,
    "vocab_size": VQ["codebook_size"],
    "cls_token_num": LENGTH,
    "block_size": GRID * GRID,
}


class Painter(nn.Module):
    """Caption ids to token logits: T5, then the decoder."""

    def __init__(self):
        super().__init__()
        self.t5 = T5Encoder(T5)
        look_around(bias_of(self.t5))
        self.gpt = TextTransformer(GPT, dropout=0)
        # Condition tokens as large as what T5 gives: from the usual 0.02 they start near zero, and
        # what a caption says is learned several times later.
        for layer in self.gpt.cls_embedding.cap_proj.values():
            nn.init.normal_(layer.weight, 0, layer.in_features**-0.5)
        look_at_captions(self.gpt)

    def features(self, ids, valid):
        return self.t5(ids, valid) * valid.unsqueeze(-1)


def bias_of(t5):
    """What relative positions add to scores [buckets, heads]."""
    return t5.encoder.block[0].layer[0].SelfAttention.relative_attention_bias.weight
