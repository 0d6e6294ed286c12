"""What a run has learned, judged: the tokenizer, then pictures of held-out captions."""
import time

import torch
from common import to_bytes
from PIL import Image
from safetensors_io import part_of
from scenes import evaluate as ev
from scenes.clock import total
from scenes.image_tokens import encode, measured
from scenes.judge import Detector, detections, summary, train_judge
from scenes.pool import SceneSet, padded
from scenes.scene import GRID

# Guidance, top k and top p. Tokens of scenes are nearly certain, and guidance far above 1 makes much of what
# is never drawn.
SETTINGS = ((1.15, 3, 0.98), (1.0, 3, 0.98), (1.1, 3, 0.95), (1.3, 2, 0.98), (1.0, 4, 1.0), (1.2, 3, 1.0), (1.5, 2, 1.0))


class Judging:
    """`run` is a Training whose tokenizer and painter are trained."""

    def __init__(self, run):
        self.run, self.report, self.device = run, run.report, run.device
        self.tokenizer, self.renderer = run.tokenizer, run.renderer
        self.judged, self.packed = run.judged, run.packed

    def measure_tokenizer(self):
        """Of held-out scenes: how well they are drawn from their codes, and how many of these the encoder
        gives, where it has learned to."""
        x, codes = self.drawn()
        entry = self.report.setdefault("tokenizer", {})
        entry.update(measured(self.tokenizer, codes, x))
        if total(self.report, "samples", "telling") > 0:
            with torch.no_grad():
                told = torch.cat([encode(self.tokenizer, part)[1] for part in x.split(128)])
            entry["told"] = (told == codes).float().mean().item()
        self.run.say(f"tokenizer: {entry}")
        rows = torch.arange(0, len(x), max(1, len(x) // 24), device=self.device)[:24]
        if len(rows) % 8:
            return
        pairs = to_bytes(torch.cat([x[rows], self.decoded(codes[rows])], 3)).cpu().numpy()
        strips = pairs.reshape(-1, 8, 96, 192, 3).transpose(0, 2, 1, 3, 4).reshape(-1, 8 * 192, 3)
        Image.fromarray(strips).save(self.run.out.folder / "reconstructions.png")

    def drawn(self):
        """(images, codes [n, 12, 12]) of the held-out scenes that are judged."""
        x, _ = self.packed.draw(self.renderer, torch.arange(len(self.packed), device=self.device))
        return x, self.run.codes_of(self.packed).long().view(-1, GRID, GRID)

    @torch.no_grad()
    def decoded(self, codes):
        return torch.cat([self.tokenizer.decode_code(c) for c in codes.split(128)]).float().clamp(-1, 1)

    def judge_of(self, deadline):
        """The judge of the run before, or a new one; and what it says of pictures as they were drawn."""
        saved = part_of(self.run.before["helpers"], "judge.") if self.run.before else {}
        if saved:
            judge = Detector().to(self.device)
            judge.load_state_dict(saved, strict=False)
            judge.eval().requires_grad_(False)
        else:
            judge = self.train_judge(deadline)
        entry = self.report.setdefault("judge", {})
        x, codes = self.drawn()
        for name, images in (("on_drawn_held_out_scenes", x), ("on_their_codes", self.decoded(codes))):
            entry[name] = summary(self.judged, detections(judge, images))
            self.run.say(f"judge {name.replace('_', ' ')}: {entry[name]}")
        return judge

    def train_judge(self, deadline):
        jobs = self.run.asked_judge[:1] if self.run.strict else self.run.asked_judge
        parts = [job.result() for job in jobs]
        scenes = SceneSet(parts, self.device)
        settings = (self.device, self.run.precision, self.report, 4 * self.run.options.vq_batch)
        return train_judge(scenes, self.renderer, deadline, *settings)

    def paint(self, packed, setting, seed):
        ids, valid = packed.captions(torch.arange(len(packed), device=self.device))
        chooser = ev.Chooser(*setting, seed=seed, device=self.device)
        return ev.paint(self.run.painter, self.tokenizer, ids, valid, chooser)

    def evaluate(self, judge, deadline):
        """Chooses guidance and top k on other captions than those that are then judged."""
        tried = ev.arrays(self.run.tried, self.run.words, self.device)
        evaluation = self.report.setdefault("evaluation", {"tried": []})
        best, chosen = -1.0, SETTINGS[0]
        evaluation.update(named(chosen))
        if judge is None:
            self.show(self.paint(self.packed, chosen, seed=2)[0], chosen)
            return
        took = 0.0
        for setting in SETTINGS:
            began = time.time()
            # What is left after these: 500 captions, then the things one by one.
            if best >= 0 and began + max(7, 4 * took) > deadline:
                break
            images, _ = self.paint(tried, setting, seed=1)
            said = summary(self.run.tried, detections(judge, images))
            points = sum(said[k]["share"] for k in ("objects", "relation", "count", "row") if k in said)
            evaluation["tried"].append({**named(setting), **said})
            self.run.say(f"{named(setting)}: " + ", ".join(f"{k} {v['share']}" for k, v in said.items()))
            if points > best:
                best, chosen = points, setting
            took = time.time() - began
        evaluation.update(named(chosen))
        images, _ = self.paint(self.packed, chosen, seed=2)
        evaluation["held_out"] = summary(self.judged, detections(judge, images))
        self.run.say(f"500 held-out captions, {named(chosen)}: {evaluation['held_out']}")
        self.run.out.write()
        self.show(images, chosen)
        singles = ev.single_scenes(3)
        pictures, _ = self.paint(ev.arrays(singles, self.run.words, self.device), chosen, seed=3)
        evaluation["singles"] = summary(singles, detections(judge, pictures))
        self.run.say(f"single objects: {evaluation['singles']}")
        if self.run.trained_scenes:
            self.compare(images)

    def compare(self, images):
        """How near pictures are to scenes that this run trained on, and how near true held-out scenes are."""
        rows = torch.arange(len(self.packed), device=self.device)
        drawn, _ = self.packed.draw(self.renderer, rows)
        trained = (self.renderer, self.run.scenes, self.run.trained_scenes)
        apart, reference = (ev.nearest(x, *trained) for x in (images, drawn))
        near = {
            "median": round(apart.median().item(), 2),
            "below_8": round((apart < 8).float().mean().item(), 4),
            "drawn_median": round(reference.median().item(), 2),
            "drawn_below_8": round((reference < 8).float().mean().item(), 4),
        }
        self.report["evaluation"]["nearest_trained_scene"] = near
        self.run.say(f"nearest trained scene: {near}")

    def show(self, images, chosen):
        """Eight chosen prompts, then held-out captions of every kind."""
        ids = torch.tensor([padded(self.run.words.ids(text)) for text in ev.SHOWN], device=self.device)
        chooser = ev.Chooser(*chosen, seed=4, device=self.device)
        first, _ = ev.paint(self.run.painter, self.tokenizer, ids, ids != 0, chooser)
        rows = torch.linspace(0, len(images) - 1, min(24, len(images))).long().tolist()
        captions = [*ev.SHOWN, *(self.judged[i].caption for i in rows)]
        page = ev.sheet(torch.cat([first, images[rows]]), captions)
        page.save(self.run.out.folder / "sheet.png")


def named(setting):
    return dict(zip(("cfg_scale", "top_k", "top_p"), setting))
