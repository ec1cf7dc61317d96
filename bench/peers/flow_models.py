"""RealNVP (Dinh et al., 1605.08803) and Glow (Kingma and Dhariwal, 1807.03039) on 1 x 32 x 32 in
PyTorch, as bench/models/realnvp.cpp and glow.cpp."""

import math

import torch
import torch.nn.functional as F
from torch import nn

import workload


def log_normal(x, mean, log_variance):
    """log N(x; mean, exp(log_variance)), summed."""
    square = (x - mean).square() * torch.exp(-log_variance)
    return -0.5 * (square + log_variance + math.log(2 * math.pi)).sum()


# ---- RealNVP ----

class ResidualBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x):
        return x + self.conv2(F.relu(self.norm2(self.conv1(F.relu(self.norm1(x))))))


class Coupling(nn.Module):
    """y = x exp(s) + t where the mask is 0; mask None: the halves of the channels."""

    def __init__(self, channels, mask, swapped, width, blocks):
        super().__init__()
        seen = channels if mask is not None else channels // 2
        self.register_buffer("mask", mask, persistent=False)
        self.swapped = swapped
        self.scale = nn.Parameter(torch.ones(seen, 1, 1))
        self.net = nn.Sequential(
            nn.Conv2d(seen, width, 3, padding=1), *[ResidualBlock(width) for _ in range(blocks)],
            nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, 2 * seen, 3, padding=1))

    def moves(self, seen):
        s, t = self.net(seen).chunk(2, 1)
        return torch.tanh(s) * self.scale, t

    def forward(self, x, inverse):
        if self.mask is not None:
            s, t = self.moves(x * self.mask)
            s, t = s * (1 - self.mask), t * (1 - self.mask)
            return ((x - t) * torch.exp(-s) if inverse else x * torch.exp(s) + t), s
        first, second = reversed(x.chunk(2, 1)) if self.swapped else x.chunk(2, 1)
        s, t = self.moves(first)
        second = (second - t) * torch.exp(-s) if inverse else second * torch.exp(s) + t
        return torch.cat((second, first) if self.swapped else (first, second), 1), s


def checkerboard(size, parity):
    place = torch.arange(size)
    return ((place[:, None] + place + parity) % 2 == 0).float()[None, None]


class RealNvp(nn.Module):
    def __init__(self, width, blocks):
        super().__init__()
        self.couplings, channels, size = nn.ModuleList(), 1, 32
        for _ in range(2):
            for i in range(2):
                self.couplings.append(
                    Coupling(channels, checkerboard(size, i), False, width, blocks))
            channels, size = 4 * channels, size // 2
            for i in range(2):
                self.couplings.append(Coupling(channels, None, i == 1, width, blocks))
            channels //= 2

    def loss(self, x):
        total, h = 0.0, x
        for i, coupling in enumerate(self.couplings):
            if i % 4 == 2:
                h = F.pixel_unshuffle(h, 2)
            h, log_scale = coupling(h, False)
            total = total + log_scale.sum()
            if i % 4 == 3:
                out, kept = h.chunk(2, 1)
                out = out if i == 3 else h
                total = total - 0.5 * (out.square() + math.log(2 * math.pi)).sum()
                h = kept
        return -total / x.shape[0]

    def sample(self, z):
        h = z[:, 512:].reshape(-1, 8, 8, 8)
        for i in reversed(range(len(self.couplings))):
            if i == 3:
                h = torch.cat((z[:, :512].reshape(-1, 2, 16, 16), h), 1)
            h, _ = self.couplings[i](h, True)
            if i % 4 == 2:
                h = F.pixel_shuffle(h, 2)
        return h


# ---- Glow ----

def small_layer(channels, out):
    """A prior, or the last layer of a coupling net: small at first, so that samples stay finite."""
    layer = nn.Conv2d(channels, out, 3, padding=1)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter *= 0.1
    return layer


class FlowStep(nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        self.log_scale = nn.Parameter(0.1 * torch.randn(channels, 1, 1))
        self.shift = nn.Parameter(0.1 * torch.randn(channels, 1, 1))
        self.mixing = nn.Parameter(torch.linalg.qr(torch.randn(channels, channels))[0])
        self.net = nn.Sequential(
            nn.Conv2d(channels // 2, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 1),
            nn.ReLU(), small_layer(width, channels))

    def moves(self, seen):
        scale, shift = self.net(seen).chunk(2, 1)
        return torch.sigmoid(scale + 2), shift

    def forward(self, x):
        normed = (x + self.shift) * torch.exp(self.log_scale)
        mixed = F.conv2d(normed, self.mixing[:, :, None, None])
        first, second = mixed.chunk(2, 1)
        scale, shift = self.moves(first)
        places = x.numel() // x.shape[1]
        total = (self.log_scale.sum() + torch.linalg.slogdet(self.mixing)[1]) * places
        return torch.cat((first, (second + shift) * scale), 1), total + torch.log(scale).sum()

    def inverse(self, y):
        first, second = y.chunk(2, 1)
        scale, shift = self.moves(first)
        mixed = torch.cat((first, second / scale - shift), 1)
        back = torch.linalg.inv(self.mixing)[:, :, None, None]
        return F.conv2d(mixed, back) * torch.exp(-self.log_scale) - self.shift


class Glow(nn.Module):
    levels = 3

    def __init__(self, width, steps):
        super().__init__()
        self.top = nn.Parameter(0.1 * torch.randn(32, 4, 4))
        self.steps, self.priors, channels = nn.ModuleList(), nn.ModuleList(), 1
        for level in range(self.levels):
            channels *= 4
            self.steps.extend(FlowStep(channels, width) for _ in range(steps))
            if level + 1 < self.levels:
                channels //= 2
                self.priors.append(small_layer(channels, 2 * channels))

    def level(self, at):
        count = len(self.steps) // self.levels
        return self.steps[at * count:(at + 1) * count]

    def loss(self, x):
        total, h = 0.0, x
        for at in range(self.levels):
            h = F.pixel_unshuffle(h, 2)
            for step in self.level(at):
                h, log_det = step(h)
                total = total + log_det
            if at + 1 < self.levels:
                h, out = h.chunk(2, 1)
                mean, log_deviation = self.priors[at](h).chunk(2, 1)
                total = total + log_normal(out, mean, 2 * log_deviation)
        mean, log_deviation = self.top.chunk(2, 0)
        return -(total + log_normal(h, mean, 2 * log_deviation)) / x.shape[0]

    def sample(self, batch, noise):
        def draw(mean, log_deviation, *shape):
            return mean + torch.exp(log_deviation) * noise.normal(*shape)

        h = draw(*self.top.chunk(2, 0), batch, 16, 4, 4)
        for at in reversed(range(self.levels)):
            if at + 1 < self.levels:
                h = torch.cat((h, draw(*self.priors[at](h).chunk(2, 1), *h.shape)), 1)
            for step in reversed(self.level(at)):
                h = step.inverse(h)
            h = F.pixel_shuffle(h, 2)
        return h


def make(kind, small):
    if kind == "realnvp":
        return RealNvp(4, 1) if small else RealNvp(64, 4)
    return Glow(4, 1) if small else Glow(128, 8)


def trained(kind, small):
    module = make(kind, small)
    return workload.Training(module, {"x": torch.randn(2 if small else 32, 1, 32, 32)},
                             lambda module, inputs, noise: module.loss(inputs["x"]),
                             workload.adam(module, 1e-4))


def sampled(kind, small):
    batch = 2 if small else 64
    if kind == "realnvp":
        return workload.Sampling(
            make(kind, small), lambda module, _, noise: module.sample(noise.normal(batch, 1024)))
    return workload.Sampling(make(kind, small),
                             lambda module, _, noise: module.sample(batch, noise))


WORKLOADS = {"realnvp": lambda small: trained("realnvp", small),
             "realnvp_sample64": lambda small: sampled("realnvp", small),
             "glow": lambda small: trained("glow", small),
             "glow_sample64": lambda small: sampled("glow", small)}
