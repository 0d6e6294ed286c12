"""Trains a small unigram model with sentencepiece and writes what it makes of many texts.

    python3 make_tokenizer_cases.py FOLDER [COUNT] [SEED]

writes FOLDER/tokenizer.json and FOLDER/tokenizer-cases.json. Those beside this file are of 400 texts
and seed 1, by sentencepiece 0.1.97 (Debian 12's python3-sentencepiece); tokenizer.json is kept as
brotli makes it:

    node -e 'process.stdout.write(zlib.brotliCompressSync(fs.readFileSync(0)))' < tokenizer.json > tokenizer.json.br

A case is [text, ids without the end token]. Not of these: FLAN-T5's own vocabulary, which is on the
hub only.
"""

import base64
import json
import random
import sys
import tempfile
from pathlib import Path

import sentencepiece

ROOT = Path(__file__).resolve().parents[2]
PAD, END, UNKNOWN = 0, 1, 2
SENTENCES = [
    "a cat to the left of a slice of pizza on a blue ground",
    "Привет мир, это кошка",
    "γειά σου κόσμε",
    "こんにちは世界",
    "你好世界 这是一只猫",
    "안녕하세요 세계",
    "مرحبا بالعالم",
    "café à la carte, naïve Zürich",
    "½ ¼ 2 °C",
]
ODD = [
    *range(0xFB00, 0xFB07),  # ligatures
    *range(0xFF01, 0xFF5F),  # full width
    *range(0x300, 0x340),  # combining marks
    *[0x200B, 0x200C, 0x200D, 0x200E, 0xFEFF, 0x2060, 0xAD],  # no width
    *[0xA0, 0x3000, 0x1680, 0x2009, 0x2028, 0x2029, 0x202F, 0x2581],  # blanks
    *[0, 1, 2, 8, 9, 10, 11, 12, 13, 0x1B, 0x7F, 0x80, 0x85, 0x8F, 0x9F, 0xFFFD],  # controls
    *[0x1F600, 0x1F468, 0x1F3FD, 0x1F1E9, 0x1F1EA, 0xFE0F],  # emoji
    *[0xAC00, 0x1100, 0x1161, 0x11A8, 0x4E00, 0x732B, 0x3042, 0x3099, 0xFF76, 0xFF9E, 0x20000, 0x2F800],
    *[0x627, 0x644, 0xFEFB, 0xFDFA, 0x915, 0x93C, 0xE33, 0xE4D, 0xF71],
    *[0x2460, 0x33A1, 0xBD, 0x2122, 0x1E9B, 0x323, 0x212B, 0x2126, 0x3A9, 0x1D400, 0x1D54F, 0xFF5E, 0x301C],
    *[0x10FFFF, 0xE000, 0x378],  # nobody's
]
WHOLE = ["</s>", "<pad>", "<unk>", "<extra_id_0>", "\u2581", "  ", "   ", "aaaaaaa", "!!!!!!", "-----------"]
# What a table of replacements and a search for the best cut can get wrong, one by one.
FIXED = [
    "", " ", "   ", "\t\n", "\u200b", "\u2581", "a", " a", "a ", " a  b ", "A\u00a0cat", "two\u3000cats",
    "\uff54\uff57\uff4f \uff43\uff41\uff54\uff53", "\ufb03 \ufb02 \ufb05", "e\u0301 \u00e9", "a\u0323\u0302",
    "\u1e9b\u0323", "\ufdfa", "x\u00b2 \u00bd \u2122 \u33a1", "\uff76\uff9e", "\u1112\u1161\u11ab", "\ufeffcat",
    "so\u00adft", "c\u200da\u200ct", "cat\u0000dog", "cat\u001bdog", "cat\u007fdog", "cat\u0085dog", "\ufffd",
    "\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001d54f", "</s>", "cat</s>dog", "<pad>",
    "-" * 59, "a" * 33, "zq" * 20, "\u4e00\u732b\U00020000", "\U0010ffff", "a \u2581 b", "\u2581\u2581a",
]  # fmt: skip


def corpus():
    for path in sorted([*ROOT.glob("docs/*.md"), ROOT / "src/catalogue/imagenet-synsets.ts"]):
        yield from (line.strip() for line in path.read_text().splitlines() if line.strip())
    for _ in range(10):
        yield from SENTENCES


def train(folder):
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=(line[:400] for line in corpus()),
        model_prefix=f"{folder}/small",
        model_type="unigram",
        vocab_size=1000,
        character_coverage=0.999,
        normalization_rule_name="nmt_nfkc",
        pad_id=PAD,
        eos_id=END,
        unk_id=UNKNOWN,
        bos_id=-1,
        num_threads=1,
        minloglevel=1,
    )
    return Path(f"{folder}/small.model").read_bytes()


def fields(message):
    """Number and value of each field of a protobuf message."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            value, at, shift = value | (byte & 127) << shift, at + 1, shift + 7
            if byte < 128:
                return value

    while at < len(message):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
            continue
        length = varint() if key & 7 == 2 else {1: 8, 5: 4}[key & 7]
        yield key >> 3, message[at : at + length]
        at += length


def tokenizer_json(file, model):
    """The form of the hub's tokenizer.json of a T5."""
    # ModelProto.normalizer_spec.precompiled_charsmap
    charsmap = dict(fields(dict(fields(file))[3]))[2]
    metaspace = {"type": "Metaspace", "replacement": "\u2581", "add_prefix_space": True}
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    names = [model.id_to_piece(i) for i in (PAD, END, UNKNOWN)]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": i, "content": name, **plain, "special": True} for i, name in enumerate(names)],
        "normalizer": {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap).decode()},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace]},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
            "pair": [],
            "special_tokens": {"</s>": {"id": "</s>", "ids": [END], "tokens": ["</s>"]}},
        },
        "decoder": metaspace,
        "model": {
            "type": "Unigram",
            "unk_id": UNKNOWN,
            "vocab": [[model.id_to_piece(i), model.get_score(i)] for i in range(len(model))],
        },
    }


def fragment(draw, words):
    """A word, letters, odd characters, any characters, or bytes that are no UTF-8."""
    kind = draw.random()
    if kind < 0.45:
        return draw.choice(words)
    if kind < 0.55:
        return "".join(draw.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(draw.randint(1, 9)))
    if kind < 0.8:
        return "".join(chr(draw.choice(ODD)) for _ in range(draw.randint(1, 4)))
    if kind < 0.93:
        codes = [draw.randrange(draw.choice([0x3000, 0x10000, 0x110000])) for _ in range(2)]
        return "".join(chr(code) for code in codes if not 0xD800 <= code < 0xE000)
    if kind < 0.97:
        return bytes(draw.randrange(256) for _ in range(draw.randint(1, 6))).decode("utf-8", "replace")
    return draw.choice(WHOLE)


def texts(count, seed):
    draw = random.Random(seed)
    words = [word for sentence in SENTENCES for word in sentence.split()]
    words += [word for line in corpus() for word in line.split() if len(word) < 14]
    yield from FIXED
    for _ in range(count - len(FIXED)):
        parts = []
        for _ in range(draw.randint(1, 9)):
            parts += [fragment(draw, words), draw.choice([" ", " ", " ", "", "  ", "\u00a0", "\t"])]
        yield " " * max(0, draw.randint(-4, 2)) + "".join(parts)


def main(folder, count=400, seed=1):
    folder = Path(folder)
    with tempfile.TemporaryDirectory() as scratch:
        file = train(scratch)
    model = sentencepiece.SentencePieceProcessor(model_proto=file)
    cases = [[text, model.encode(text)] for text in texts(int(count), int(seed))]
    rows = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    (folder / "tokenizer-cases.json").write_text(f"[\n{rows}\n]\n")
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json(file, model), ensure_ascii=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
