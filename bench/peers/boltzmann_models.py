"""A Bernoulli restricted Boltzmann machine in PyTorch, by CD and PCD (bench/models/rbm.cpp)."""

import torch
from torch import nn

import workload

VISIBLE, HIDDEN = 784, 500


class Rbm(nn.Module):
    def __init__(self, batch, persistent):
        super().__init__()
        for name, value in (("w", 0.01 * torch.randn(VISIBLE, HIDDEN)),
                            ("visible_bias", torch.zeros(VISIBLE)),
                            ("hidden_bias", torch.zeros(HIDDEN))):
            self.register_parameter(name, nn.Parameter(value, requires_grad=False))
        if persistent:
            self.register_buffer("chains", torch.bernoulli(torch.full((batch, VISIBLE), 0.3)))

    def hidden(self, v):
        return torch.sigmoid(torch.addmm(self.hidden_bias, v, self.w))

    def visible(self, h):
        return torch.sigmoid(torch.addmm(self.visible_bias, h, self.w.t()))


class Divergence(workload.Workload):
    """One update after `steps` Gibbs steps from the data, or from the chains if they persist."""

    def __init__(self, small, steps, persistent):
        batch = 4 if small else 100
        super().__init__(Rbm(batch, persistent),
                         {"data": torch.bernoulli(torch.full((batch, VISIBLE), 0.3))})
        self.steps, self.persistent, self.rate = steps, persistent, 0.1 / batch

    def compile(self, wrap):
        self.update = wrap(self.update)

    def step(self, noise):
        with torch.no_grad():
            return self.update(self.module, self.inputs["data"], noise)

    def update(self, rbm, data, noise):
        up = rbm.hidden(data)
        v = rbm.chains if self.persistent else data
        h = rbm.hidden(v) if self.persistent else up
        for _ in range(self.steps):
            v = noise.bernoulli(rbm.visible(noise.bernoulli(h)))
            h = rbm.hidden(v)
        error = (data - v).square().mean()
        rbm.w.addmm_(data.t(), up, alpha=self.rate).addmm_(v.t(), h, alpha=-self.rate)
        rbm.visible_bias.add_((data - v).sum(0), alpha=self.rate)
        rbm.hidden_bias.add_((up - h).sum(0), alpha=self.rate)
        if self.persistent:
            rbm.chains.copy_(v)
        return error


WORKLOADS = {"rbm_cd1": lambda small: Divergence(small, 1, False),
             "rbm_pcd15": lambda small: Divergence(small, 15, True)}
