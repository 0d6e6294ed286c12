"""The image tokenizer, told its codes (see settled.py): its decoder learns to draw from them, then its
encoder to give them. Most pictures are full of objects, three times as many as true scenes have."""
import traceback

import torch
from scenes.clock import Mean, Optimizers, Stage
from scenes.image_tokens import CONFIG, compile_blocks, full_scenes, picture_loss
from torch import nn
from torch.nn import functional as F
from vq_model import VQModel

# Of the pictures; the others are true scenes, whose ground is most of what norms see.
FULL = 0.6
# Of the cosines that a code is chosen by, where they are logits.
TEMPERATURE = 0.07


class ToldTrainer:
    """`weights` of a tokenizer to go on from, None for a new one."""

    def __init__(self, weights, settled, scenes, device, precision, batch, rate, layout, compiled):
        self.settled, self.scenes, self.device, self.precision = settled, scenes, device, precision
        self.batch, self.peak, self.layout = batch, rate, layout
        self.network = VQModel(CONFIG).to(device=device, memory_format=layout)
        if weights is None:
            self.network.quantize.embedding.weight.data.copy_(settled.vectors())
        else:
            # A model that was exported may have no encoder: then it is a new one.
            self.network.load_state_dict({**self.network.state_dict(), **weights})
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

    def draw(self, deadline, report):
        network = self.network
        parts = (network.decoder, network.post_quant_conv, network.quantize)
        self.train("drawing", parts, self.drawing_loss, deadline, report)

    def tell(self, deadline, report):
        parts = (self.network.encoder, self.network.quant_conv)
        self.train("telling", parts, self.telling_loss, deadline, report)

    def train(self, name, parts, loss_of, deadline, report):
        parts = nn.ModuleList(parts)
        average, weights = Mean(parts, 0.998), list(parts.parameters())
        filters = [p for n, p in parts.named_parameters() if p.dim() == 4 and not n.endswith("conv_out.weight")]
        others = [p for p in weights if not any(p is f for f in filters)]
        optimizer = Optimizers(filters, others, [], self.device, self.peak, decay=0.0)
        stage = Stage(name, deadline, self.device, report)
        while stage.goes_on():
            try:
                loss = loss_of()
                optimizer.zero_grad()
                loss.backward()
            except Exception:
                print(f"[{name}] ends early\n{traceback.format_exc()}", flush=True)
                break
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step(stage.rate(self.peak))
            stage.step(self.batch)
            average.update()
            if stage.time_to_show():
                stage.log(loss=loss.item())
        stage.end()
        parts.load_state_dict(average.state(), strict=False)

    def trained(self):
        """As a network of its own."""
        network = VQModel(CONFIG).to(device=self.device, memory_format=self.layout)
        network.load_state_dict(self.network.state_dict())
        return network.eval().requires_grad_(False)
