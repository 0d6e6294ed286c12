#!/usr/bin/env python3
"""The unigram vocabulary of captions, as a Hugging Face tokenizer.json with T5's parts.

As a command it trains one with sentencepiece. The file ships, and training reads it; `Words` makes
captions into ids without any library, as pieces never cross a space.
"""
import argparse
import base64
import json
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
FILE = ROOT / "weights" / "scenes-96" / "tokenizer.json"
SPACE = "\u2581"
PAD, END, UNKNOWN = 0, 1, 2


class Words:
    """Ids of captions by the best segmentation of each word (Kudo 2018, Viterbi)."""

    def __init__(self, file=FILE):
        model = json.loads(Path(file).read_text())["model"]
        self.pieces = {piece: (i, score) for i, (piece, score) in enumerate(model["vocab"])}
        self.longest = max(map(len, self.pieces))
        self.unknown = min(score for _, score in self.pieces.values()) - 10
        self.known = {}

    def __len__(self):
        return len(self.pieces)

    def ids(self, caption):
        """With the end token. Captions are plain lower-case ASCII: nothing is normalised here."""
        found = []
        for word in caption.split():
            if word not in self.known:
                self.known[word] = self.segment(SPACE + word)
            found += self.known[word]
        return [*found, END]

    def segment(self, word):
        best = [(0.0, 0, None)] + [(-1e9, 0, None)] * len(word)
        for end in range(1, len(word) + 1):
            for begin in range(max(0, end - self.longest), end):
                piece = self.pieces.get(word[begin:end])
                if piece is None and end - begin == 1:
                    piece = (UNKNOWN, self.unknown)
                if piece and best[begin][0] + piece[1] > best[end][0]:
                    best[end] = (best[begin][0] + piece[1], begin, piece[0])
        ids, end = [], len(word)
        while end > 0:
            ids.append(best[end][2])
            end = best[end][1]
        # Neighbouring unknown characters are one unknown piece.
        ids = ids[::-1]
        return [id for i, id in enumerate(ids) if id != UNKNOWN or i == 0 or ids[i - 1] != UNKNOWN]


def tokenizer_json(pieces, charsmap):
    """T5's: normalise, split at spaces, unigram pieces, an end token."""
    metaspace = {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "always", "split": True}
    special = [
        {
            "id": i,
            "content": pieces[i][0],
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for i in (PAD, END, UNKNOWN)
    ]
    sequence, end = {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}
    other = {"Sequence": {"id": "B", "type_id": 0}}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": {
            "type": "Precompiled",
            "precompiled_charsmap": base64.b64encode(charsmap).decode(),
        },
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace],
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [sequence, end],
            "pair": [sequence, end, other, end],
            "special_tokens": {"</s>": {"id": "</s>", "ids": [END], "tokens": ["</s>"]}},
        },
        "decoder": metaspace,
        "model": {"type": "Unigram", "unk_id": UNKNOWN, "vocab": pieces, "byte_fallback": False},
    }


def sentences(count):
    """Captions, and the English of this project's documents for words that no caption has."""
    from scenes.scene import COLOUR_NAMES, NOUNS, Scenes

    source = Scenes(seed=99, held_out=None)
    for _ in range(count):
        yield source.scene().caption
    for noun in NOUNS:
        for name in noun["names"]:
            for _ in range(20):
                yield from (name["one"], name["many"], f"two {name['many']}")
    for colour in COLOUR_NAMES:
        yield f"{colour} to {colour}"
    for document in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("weights/*.md")]):
        for line in document.read_text().lower().splitlines():
            words = [w.strip(".,:;()") for w in line.split()]
            yield " ".join(w for w in words if w.isalpha() and w.isascii())
    yield " ".join("abcdefghijklmnopqrstuvwxyz0123456789.,:;!?'\"-()&/+")


def train(size, captions):
    import sentencepiece

    with tempfile.TemporaryDirectory() as folder:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=(s for s in sentences(captions) if s),
            model_prefix=f"{folder}/scenes",
            model_type="unigram",
            vocab_size=size,
            character_coverage=1.0,
            normalization_rule_name="nmt_nfkc",
            pad_id=PAD,
            eos_id=END,
            unk_id=UNKNOWN,
            bos_id=-1,
            pad_piece="<pad>",
            num_threads=1,
            minloglevel=1,
        )
        model = sentencepiece.SentencePieceProcessor(model_file=f"{folder}/scenes.model")
        file = Path(f"{folder}/scenes.model").read_bytes()
    pieces = [[model.id_to_piece(i), model.get_score(i)] for i in range(len(model))]
    # ModelProto.normalizer_spec.precompiled_charsmap
    return pieces, field(field(file, 3), 2)


def field(message, wanted):
    """The bytes of the first length-delimited field of this number in a protobuf message."""

    def varint(at):
        value, shift = 0, 0
        while True:
            value |= (message[at] & 127) << shift
            at, shift = at + 1, shift + 7
            if message[at - 1] < 128:
                return value, at

    at = 0
    while at < len(message):
        key, at = varint(at)
        kind = key & 7
        if kind == 0:
            _, at = varint(at)
        elif kind == 2:
            size, at = varint(at)
            if key >> 3 == wanted:
                return message[at : at + size]
            at += size
        else:
            at += 8 if kind == 1 else 4
    raise ValueError(f"the message has no field {wanted}")


def run():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, default=1920)
    parser.add_argument("--captions", type=int, default=20000)
    parser.add_argument("--out", type=Path, default=FILE)
    options = parser.parse_args()
    pieces, charsmap = train(options.size, options.captions)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(tokenizer_json(pieces, charsmap), ensure_ascii=False, indent=1)
    # One piece a line.
    options.out.write_text(text.replace('[\n    "', '["').replace(',\n    -', ", -") + "\n")
    print(f"{options.out}: {len(pieces)} pieces")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    run()
