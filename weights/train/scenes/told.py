"""The tokenizer after its codes are settled: its decoder learns to draw from them, its encoder to give
them. Neither waits for the other, so most of the time is the decoder's, and pictures are full of
objects: seven times as many a second as true scenes have."""
import traceback

import torch
from scenes.clock import Mean, Stage, adam, set_rate
from scenes.image_tokens import CONFIG, compile_blocks, full_scenes, picture_loss
from torch.nn import functional as F
from vq_model import VQModel

# Of the pictures; the others are true scenes, whose ground is most of what norms see.
FULL = 0.6
# Steps of the decoder to one of the encoder.
SELDOM = 4
# Of the cosines that a code is chosen by, where they are logits.
TEMPERATURE = 0.07


class ToldTrainer:
    """`weights` of a tokenizer, `settled` codes (see settled.py)."""

    def __init__(self, weights, settled, scenes, device, precision, batch, rate, layout, compiled):
        self.settled, self.scenes, self.device, self.precision = settled, scenes, device, precision
        self.batch, self.peak, self.layout = batch, rate, layout
        self.network = VQModel(CONFIG).to(device=device, memory_format=layout)
        self.network.load_state_dict(weights)
        self.average = Mean(self.network, 0.998)
        self.optimizer = adam(self.network.parameters(), device, rate)
        self.loss_of = picture_loss
        if compiled:
            compile_blocks(self.network)
            self.loss_of = torch.compile(picture_loss, dynamic=False)

    def pictures(self):
        """(codes, images, opacities)."""
        full = int(self.batch * FULL) // 3 * 3
        rows = self.scenes.random_rows(self.batch - full)
        more, grounds = full_scenes(full, self.device)
        objects = self.scenes.objects[rows].long()
        objects = F.pad(objects, (0, 0, 0, more.shape[1] - objects.shape[1]), value=-1)
        objects, ground = torch.cat([objects, more]), torch.cat([self.scenes.ground[rows].long(), grounds])
        return self.settled.codes(objects, ground), *self.settled.renderer.draw(objects, ground)

    def drawing_loss(self):
        codes, x, opacity = self.pictures()
        with self.precision():
            y = self.network.decode(self.network.quantize.lookup(codes))
        return self.loss_of(y.float(), x, opacity)

    def telling_loss(self):
        """Nats a code."""
        codes, x, _ = self.pictures()
        with self.precision():
            z = self.network.quant_conv(self.network.encoder(x.contiguous(memory_format=self.layout)))
        z = F.normalize(z.float(), dim=1).permute(0, 2, 3, 1).flatten(0, 2)
        return F.cross_entropy(z @ self.network.quantize.codebook.detach().t() / TEMPERATURE, codes.flatten())

    def step(self, loss_of, rate):
        set_rate(self.optimizer, rate)
        loss = loss_of()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        return loss.detach()

    def train(self, deadline, report):
        stage = Stage("told", deadline, self.device, report)
        while stage.goes_on():
            try:
                if stage.steps % SELDOM == 0:
                    told = self.step(self.telling_loss, stage.rate(self.peak))
                drawn = self.step(self.drawing_loss, stage.rate(self.peak))
            except Exception:
                print(f"[told] ends early\n{traceback.format_exc()}", flush=True)
                break
            stage.step(self.batch)
            self.average.update()
            if stage.time_to_show():
                stage.log(loss=drawn.item(), told=told.item())
        stage.end()
        network = VQModel(CONFIG).to(device=self.device, memory_format=self.layout)
        network.load_state_dict(self.average.state())
        return network.eval().requires_grad_(False)
