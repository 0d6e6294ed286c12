"""Trains the decoder and its T5 encoder together, on codes and captions of scenes."""
import time
import traceback

import gpt_model
import torch
from scenes.clock import Mean, Optimizers, Stage, adam, set_rate
from scenes.firsts import Firsts, loss_of_two
from scenes.first_looks import look_at_begun
from scenes.painter import GPT, Painter, bias_of
from scenes.places import first_cells_of, first_seen, known_cells, places_to_learn
from scenes.pool import LENGTH
from scenes.room import Room
from scenes.said import Left, Meaning, Next, Where, left_to_draw
from torch.nn import functional as F


class DecoderTrainer:
    """Beside the loss of tokens it has seven that bring nouns into pictures, and to where captions say."""

    def __init__(self, scenes, settled, device, precision, batch=512, rate=1.5e-3, compiled=False):
        self.scenes, self.device, self.precision = scenes, device, precision
        self.batch, self.peak = batch, rate
        self.network = Painter().to(device)
        look_at_begun(self.network.gpt, settled.begins)
        self.meaning, self.left, self.next, self.where = (
            part(GPT["dim"]).to(device) for part in (Meaning, Left, Next, Where)
        )
        self.settled, self.begins = settled, settled.begins
        self.firsts, self.room = Firsts(scenes, settled), Room(settled)
        self.average = Mean(self.network, 0.998)
        heads = [p for _, part in self.helpers() for p in part.parameters()]
        self.all = [*self.network.parameters(), *heads]
        between = [p for layer in self.network.gpt.layers for p in layer.parameters() if p.dim() > 1]
        taught = [p for p in self.network.t5.parameters() if p is not bias_of(self.network.t5)]
        known = {id(p) for p in (*between, *taught)}
        others = [p for p in self.all if id(p) not in known]
        self.optimizer = Optimizers(between, others, taught, device, rate)
        self.loss_of = token_loss
        if compiled:
            # One compilation of one block serves all of them.
            for layer in self.network.gpt.layers:
                layer.compile(dynamic=False)
            self.loss_of = torch.compile(token_loss, dynamic=False)

    def helpers(self):
        """What only training needs, by name."""
        return tuple((name, getattr(self, name)) for name in ("meaning", "left", "next", "where"))

    def warm_up(self, deadline, report, batch, rate=1e-3):
        """T5 and the caption MLP learn to say what a caption holds."""
        t5, embedding = self.network.t5, self.network.gpt.cls_embedding
        parts = [*t5.parameters(), *embedding.cap_proj.parameters(), *self.meaning.parameters()]
        bias = bias_of(t5)
        groups = [{"params": [p for p in parts if p is not bias]}, {"params": [bias], "share": 10}]
        optimizer = adam(groups, self.device, rate)
        stage = Stage("t5", deadline, self.device, report)
        while stage.goes_on():
            set_rate(optimizer, stage.rate(rate, floor=0.3))
            rows = self.scenes.random_rows(batch)
            ids, valid = self.scenes.captions(rows)
            with self.precision():
                tokens = embedding(self.network.features(ids, valid))
                loss = self.meaning(tokens, valid, self.scenes.meaning[rows])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parts, 1.0)
            optimizer.step()
            stage.step(batch)
            if stage.time_to_show(2):
                stage.log(loss=loss.item())
        stage.end()

    def step(self, codes, rows, rate, thinned=False):
        """The losses by name."""
        losses = self.losses(codes[rows].long(), rows, thinned)
        self.optimizer.zero_grad()
        sum(WEIGHTS[name] * loss for name, loss in losses.items()).backward()
        torch.nn.utils.clip_grad_norm_(self.all, 1.0)
        self.optimizer.step(rate)
        return losses

    def losses(self, tokens, rows, thinned):
        ids, valid = self.scenes.captions(rows)
        dropped = torch.rand(len(rows), device=self.device) < GPT["class_dropout_prob"]
        gpt, hidden = self.network.gpt, []
        meaning, objects = self.scenes.meaning[rows], self.scenes.objects[rows].long()
        seen = self.settled.seen_cells(objects)
        begins, inside = first_cells_of(seen), known_cells(objects, seen)
        # The last condition token and all tokens but the last say what comes next: at place p token p.
        places, counts = places_to_learn(begins, THINNED if thinned else tokens.shape[1] - 1)
        said_next = F.pad(places + 1, (1, 0))
        weight = (1 + INSIDE * inside + BEGINNING * begins).gather(1, said_next)
        weight = weight * F.pad(counts, (1, 0), value=1.0)
        with self.precision():
            features = self.network.features(ids, valid)
            before = disturbed(tokens, inside > 0).gather(1, places)
            states = gpt.states(features, valid, before, dropped, hidden, places)
            early, middle = hidden[len(hidden) // 4], hidden[len(hidden) // 2]
            states, early, middle = (s[:, LENGTH - 1 :] for s in (states, early, middle))
            told = (part[~dropped] for part in (middle, objects, seen, said_next))
            left, begins_next = self.left_losses(*told)
            return {
                "loss": self.loss_of(gpt, states, tokens.gather(1, said_next), weight),
                "meaning": self.meaning(gpt.cls_embedding(features), valid, meaning),
                "begun": self.beginning_loss(states, tokens, begins.gather(1, said_next), said_next),
                "first": self.first_loss(states, tokens, objects, seen, meaning, said_next, dropped),
                "crowded": self.crowded_loss(states, tokens, objects, seen, said_next),
                "left": left,
                "next": begins_next,
                "where": self.where(early.flatten(0, 1), said_next.flatten()),
            }

    def beginning_logits(self, states):
        """Of codes that objects begin with, minus infinity of all others."""
        return self.network.gpt.logits(states).float().masked_fill(~self.begins, float("-inf"))

    def beginning_loss(self, states, tokens, begins, said_next):
        """Nats of the code that an object begins with, among all that objects begin with: that one begins
        is for chance to say, and which one the caption says."""
        return F.cross_entropy(self.beginning_logits(states[begins]), tokens.gather(1, said_next)[begins])

    def first_loss(self, states, tokens, objects, seen, meaning, said_next, dropped):
        """Nats of which of two things begins, if one does, at all places up to where the first has begun."""
        share, counts = self.firsts(objects, seen, meaning, said_next)
        counts &= ~dropped.unsqueeze(1)
        codes = codes_at(tokens, seen[:, :2], counts)
        return loss_of_two(self.beginning_logits(states[counts]), codes, share[counts])

    def crowded_loss(self, states, tokens, objects, seen, said_next, share=0.3):
        """How many things of a scene would begin where they have no room, from a share of the places."""
        none = self.room.none(objects, seen, said_next)
        none &= (torch.rand(said_next.shape, device=self.device) < share).unsqueeze(-1)
        some = none.any(-1)
        chances = torch.softmax(self.network.gpt.logits(states[some]).float(), -1)
        return (chances.gather(1, codes_at(tokens, seen, some)) * none[some]).sum() / (share * len(tokens))

    def left_losses(self, states, objects, seen, places, count=24):
        """Nats of what is still to be drawn, and of what begins next, at some places."""
        some = torch.randint(states.shape[1], (len(states), count), device=states.device)
        states = states.gather(1, some.unsqueeze(-1).expand(-1, -1, states.shape[-1]))
        states, wanted = states.flatten(0, 1), left_to_draw(objects, seen, places.gather(1, some))
        nouns, many, begins = (part.flatten(0, 1) for part in wanted)
        return self.left(states, nouns, many), self.next(states, begins)

    def first_step(self, codes, rows):
        """Without a change of weights: what this PyTorch cannot do quickly is done as elsewhere."""
        try:
            self.step(codes, rows, 0.0)
        except Exception:
            print(f"[decoder] goes on without fused parts\n{traceback.format_exc()}", flush=True)
            for layer in self.network.gpt.layers:
                layer._compiled_call_impl = None
            self.loss_of = token_loss
            gpt_model.fused_norm = None
            self.step(codes, rows, 0.0)

    def train(self, codes, deadline, report, thinned=0.0, test=None, keep=lambda: None):
        """`codes` [n, 144] of the first n scenes; THINNED tokens of each for the share `thinned` of the time.
        `test`: (scenes, codes) never trained. `keep` writes weights, now and then."""
        stage = Stage("decoder", deadline, self.device, report)
        self.first_step(codes, torch.arange(min(self.batch, len(codes)), device=self.device))
        stage.wait()
        print(f"[decoder] first step {time.time() - stage.began:.1f} s", flush=True)
        stage.begin()
        order, at = None, len(codes)
        while stage.goes_on():
            if at + self.batch > len(codes):
                order, at = torch.randperm(len(codes), device=self.device), 0
            try:
                rows = order[at : at + self.batch]
                losses = self.step(codes, rows, stage.rate(self.peak), stage.share < thinned)
            except Exception:
                print(f"[decoder] ends early\n{traceback.format_exc()}", flush=True)
                break
            at += self.batch
            stage.step(self.batch)
            self.average.update()
            if stage.time_to_show():
                stage.log(**{name: loss.item() for name, loss in losses.items()})
            if stage.time_to_keep():
                stage.count(scenes=len(codes))
                keep()
        stage.end(scenes=len(codes))
        if test:
            report["decoder"]["test_loss"] = self.test_loss(*test)
            print(f"[decoder] held-out loss {report['decoder']['test_loss']:.4f}", flush=True)

    @torch.no_grad()
    def test_loss(self, scenes, codes):
        """Nats a token of averaged weights on scenes of held-out combinations."""
        network = self.trained(Painter().to(self.device))
        rows = torch.arange(min(512, len(codes)), device=self.device)
        tokens = codes[rows].long()
        ids, valid = scenes.captions(rows)
        states = network.gpt.states(network.features(ids, valid), valid, tokens)
        return token_loss(network.gpt, states[:, LENGTH - 1 : -1], tokens).item()

    def trained(self, network):
        network.load_state_dict(self.average.state())
        return network.eval()


# What follows from the caption and the tokens before counts three times. What begins a thing counts twice: it
# begins sooner for that, while there is room.
INSIDE, BEGINNING = 2.0, 1.0
# Of the losses: nats of a token, a caption, an object and of places. One thing a scene that begins where it has
# no room is little beside 144 tokens: with 0.05 its gradient is eleven times that of a token of the ground.
WEIGHTS = {
    "loss": 1.0,
    "meaning": 0.1,
    "begun": 0.2,
    "first": 0.2,
    "crowded": 0.05,
    "left": 0.1,
    "next": 0.1,
    "where": 0.1,
}
# Of the codes inside things so many are other ones where a decoder sees them, as it will see its own errors.
DISTURBED = 0.02
# So many tokens of each scene are trained where not all are, for half of the work.
THINNED = 64


def codes_at(tokens, seen, places):
    """[n, objects]: the codes that objects begin with, for each of the places [batch, places] that are true."""
    return tokens.gather(1, first_seen(seen)[0]).unsqueeze(1).expand(-1, places.shape[1], -1)[places]


def disturbed(tokens, inside):
    """Tokens with some inside things exchanged for others of such."""
    some = inside & (torch.rand(tokens.shape, device=tokens.device) < DISTURBED)
    others = tokens[inside]
    if not len(others):
        return tokens
    return torch.where(some, others[torch.randint(len(others), tokens.shape, device=tokens.device)], tokens)


def token_loss(gpt, states, tokens, weight=None):
    logits = gpt.output(gpt.norm(states)).float().flatten(0, 1)
    if weight is None:
        return F.cross_entropy(logits, tokens.flatten())
    loss = F.cross_entropy(logits, tokens.flatten(), reduction="none")
    return (loss * weight.flatten()).sum() / weight.sum()
