"""DCGAN (Radford et al., 1511.06434) on 1 x 32 x 32 in PyTorch, the non-saturating loss."""

import torch
import torch.nn.functional as F
from torch import nn

import workload

LATENT, WIDTH = 100, 64


def make_generator():
    def up(channels, out):
        return nn.ConvTranspose2d(channels, out, 4, stride=2, padding=1, bias=False)
    return nn.Sequential(
        nn.ConvTranspose2d(LATENT, 4 * WIDTH, 4, bias=False), nn.BatchNorm2d(4 * WIDTH), nn.ReLU(),
        up(4 * WIDTH, 2 * WIDTH), nn.BatchNorm2d(2 * WIDTH), nn.ReLU(),
        up(2 * WIDTH, WIDTH), nn.BatchNorm2d(WIDTH), nn.ReLU(),
        up(WIDTH, 1), nn.Tanh())


def make_discriminator():
    def down(channels, out):
        return nn.Conv2d(channels, out, 4, stride=2, padding=1, bias=False)
    return nn.Sequential(
        down(1, WIDTH), nn.LeakyReLU(0.2),
        down(WIDTH, 2 * WIDTH), nn.BatchNorm2d(2 * WIDTH), nn.LeakyReLU(0.2),
        down(2 * WIDTH, 4 * WIDTH), nn.BatchNorm2d(4 * WIDTH), nn.LeakyReLU(0.2),
        nn.Conv2d(4 * WIDTH, 1, 4, bias=False))


class Adversaries(workload.Workload):
    """One step of the discriminator (real and generated), one of the generator, on one z."""

    def __init__(self, small):
        module = nn.ModuleDict({"generator": make_generator(),
                                "discriminator": make_discriminator()})
        self.batch = 2 if small else 64
        super().__init__(module, {"real": torch.rand(self.batch, 1, 32, 32) * 2 - 1})
        self.generate, self.judge = module["generator"].forward, module["discriminator"].forward
        self.optimisers = {name: workload.adam(part, 2e-4, (0.5, 0.999))
                           for name, part in module.items()}

    def compile(self, wrap):
        self.generate, self.judge = wrap(self.generate), wrap(self.judge)

    def step(self, noise):
        discriminator = self.module["discriminator"]
        fake = self.generate(noise.normal(self.batch, LATENT, 1, 1))
        wrong = (F.softplus(-self.judge(self.inputs["real"])).mean()
                 + F.softplus(self.judge(fake.detach())).mean())
        self.update("discriminator", wrong)
        # Its weights' gradients are not wanted in the generator's step.
        discriminator.requires_grad_(False)
        caught = F.softplus(-self.judge(fake)).mean()
        self.update("generator", caught)
        discriminator.requires_grad_(True)
        return (wrong + caught).detach()

    def update(self, name, loss):
        self.optimisers[name].zero_grad(set_to_none=True)
        loss.backward()
        self.optimisers[name].step()


def sampled(small):
    batch = 2 if small else 64
    module = nn.ModuleDict({"generator": make_generator()})
    return workload.Sampling(
        module, lambda module, _, noise: module["generator"](noise.normal(batch, LATENT, 1, 1)))


WORKLOADS = {"dcgan28": Adversaries, "dcgan28_sample64": sampled}
