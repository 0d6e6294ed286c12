"""Pictures of held-out captions: made by sampling, judged, compared with what was trained, shown."""
import torch
from common import to_bytes
from PIL import Image, ImageDraw
from scenes.pool import SceneSet, pack
from scenes.scene import GRID, KEPT, NOUNS, Scenes, bare
from torch.nn import functional as F

# Kinds of captions that are judged, with held-out pairs or counts in each.
KINDS = (("relation", 250), ("count", 150), ("row", 40), ("groups", 30), ("pair", 30))
SHOWN = (
    "a cat to the left of a slice of pizza on a blue ground",
    "two lemons",
    "three apples on a white ground",
    "a cat",
    "a rocket above a castle on a dark blue ground",
    "a dog, a pear and a guitar in a row",
    "four butterflies on light green",
    "a fox below an umbrella on a gradient from pink to light blue",
)


def held_out_scenes(seed, share=1.0):
    """Scenes of held-out combinations of all kinds, in a fixed order."""
    source = Scenes(seed, held_out=True)
    return [
        source.scene((kind,), (1.0,)) for kind, count in KINDS for _ in range(max(1, int(count * share)))
    ]


def shown_nouns():
    """The nouns of the prompts that are shown."""
    said = f" {' '.join(SHOWN)} ".replace(",", " ")
    names = ([(bare(n["one"]), n["many"]) for n in noun["names"]] for noun in NOUNS)
    return [i for i, known in enumerate(names) if any(f" {w} " in said for pair in known for w in pair)]


def single_scenes(seed):
    """One scene of each noun that is drawn."""
    source = Scenes(seed)
    scenes = []
    for noun in KEPT:
        source.groups_of = lambda kind, noun=noun: [(noun, 1)]
        scenes.append(source.scene(("single",), (1.0,)))
    return scenes


class Chooser:
    """Tokens from logits, as the runtime draws them: guidance, temperature, top k, of these top p."""

    def __init__(self, scale, top_k, top_p=1.0, temperature=1.0, seed=0, device="cpu"):
        self.scale, self.top_k, self.top_p, self.temperature = scale, top_k, top_p, temperature
        self.random = torch.Generator(device=device).manual_seed(seed)

    @property
    def guided(self):
        return self.scale > 1

    def __call__(self, logits):
        if self.guided:
            logits = logits[1] + (logits[0] - logits[1]) * self.scale
        logits = logits.float() / self.temperature
        if self.top_k:
            least = logits.topk(self.top_k).values[:, -1:]
            logits = logits.masked_fill(logits < least, float("-inf"))
        shares = torch.softmax(logits, -1)
        if self.top_p < 1:
            best, codes = shares.sort(-1, descending=True)
            best = best.masked_fill(best.cumsum(-1) - best >= self.top_p, 0.0)
            shares = torch.zeros_like(shares).scatter(-1, codes, best)
        return torch.multinomial(shares, 1, generator=self.random)[:, 0]


@torch.no_grad()
def paint(painter, tokenizer, ids, valid, chooser, batch=1024):
    """(images, tokens) of captions."""
    tokens = []
    for part, mask in zip(ids.split(batch), valid.split(batch)):
        features = painter.features(part, mask)
        tokens.append(painter.gpt.sample(features, mask, GRID * GRID, chooser, chooser.guided))
    tokens = torch.cat(tokens)
    images = [tokenizer.decode_code(t.view(-1, GRID, GRID)) for t in tokens.split(128)]
    return torch.cat(images).float().clamp(-1, 1), tokens


def small(images):
    """For nearest neighbours: 24x24 pixels, flat, in f64, as differences of squares cancel."""
    return F.avg_pool2d(images.float(), 4).flatten(1).double()


@torch.no_grad()
def nearest(images, renderer, scenes, count, batch=8192):
    """Root mean square difference, in levels of 255, of each image to the nearest of the first
    `count` trained scenes, both at 24x24 pixels."""
    ours = small(images)
    least = torch.full_like(ours[:, 0], float("inf"))
    for begin in range(0, count, batch):
        rows = torch.arange(begin, min(begin + batch, count), device=ours.device)
        theirs = small(scenes.draw(renderer, rows)[0])
        squares = ours.square().sum(1)[:, None] + theirs.square().sum(1)[None] - 2 * ours @ theirs.t()
        least = torch.minimum(least, squares.amin(1))
    return (least.clamp_min(0) / ours.shape[1]).sqrt() * 127.5


def sheet(images, captions, columns=8, zoom=2, line=34):
    """A picture of pictures with their captions."""
    pixels = to_bytes(images).cpu().numpy().repeat(zoom, 1).repeat(zoom, 2)
    side = pixels.shape[1]
    rows = -(-len(pixels) // columns)
    page = Image.new("RGB", (columns * (side + 8), rows * (side + line + 8)), (255, 255, 255))
    pen = ImageDraw.Draw(page)
    for i, (picture, caption) in enumerate(zip(pixels, captions)):
        x, y = (i % columns) * (side + 8) + 4, (i // columns) * (side + line + 8) + 4
        page.paste(Image.fromarray(picture), (x, y))
        for n, text in enumerate(wrapped(caption, side // 6)):
            pen.text((x, y + side + 1 + 11 * n), text, fill=(0, 0, 0))
    return page


def wrapped(text, width):
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) + 1 > width and lines[-1]:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines[:3]


def arrays(scenes, words, device):
    return SceneSet([pack(scenes, words)], device)
