"""What the PyTorch side of a whole-model workload is made of; see bench/workload.h for ours."""

import json

import torch


class Noise:
    """The random draws of a step: fresh ones, or those of a recorded case, in their order."""

    def __init__(self, draws=None):
        self.draws = draws

    def normal(self, *shape):
        return torch.randn(shape) if self.draws is None else self._next(shape)

    def bernoulli(self, probability):
        """1 with this probability, else 0."""
        if self.draws is None:
            return torch.bernoulli(probability)
        return (self._next(probability.shape) < probability).float()

    def _next(self, shape):
        draw = self.draws.pop(0)
        assert draw.shape == tuple(shape), f"a draw of {tuple(draw.shape)}, not {tuple(shape)}"
        return draw


class Workload:
    """A model on fixed input. `module` has our states under our names; step(noise) does one step,
    all of it, and returns its loss or what it sampled."""

    inference = False

    def __init__(self, module, inputs=None):
        self.module, self.inputs = module, inputs or {}

    def compile(self, wrap):
        """Replaces the functions that are worth compiling by wrap(function)."""
        raise NotImplementedError

    def step(self, noise):
        raise NotImplementedError


class Training(Workload):
    """loss(module, inputs, noise), backward, clipping where `clip` is not 0, optimiser."""

    def __init__(self, module, inputs, loss, optimiser, clip=0.0):
        super().__init__(module, inputs)
        self.loss, self.optimiser, self.clip = loss, optimiser, clip

    def compile(self, wrap):
        self.loss = wrap(self.loss)

    def step(self, noise):
        loss = self.loss(self.module, self.inputs, noise)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if self.clip:
            torch.nn.utils.clip_grad_norm_(self.module.parameters(), self.clip)
        self.optimiser.step()
        return loss.detach()


class Sampling(Workload):
    """sample(module, inputs, noise) without gradients, by running statistics."""

    inference = True

    def __init__(self, module, sample, inputs=None):
        super().__init__(module.eval(), inputs)
        self.sample = sample

    def compile(self, wrap):
        self.sample = wrap(self.sample)

    def step(self, noise):
        with torch.no_grad():
            return self.sample(self.module, self.inputs, noise)


def adam(module, rate, betas=(0.9, 0.999)):
    return torch.optim.Adam(module.parameters(), lr=rate, betas=betas, fused=True)


def read_case(path):
    """{name: tensor} of a safetensors file."""
    kinds = {"F32": torch.float32, "F64": torch.float64, "I32": torch.int32}
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = bytearray(file.read())
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        tensors[name] = torch.frombuffer(data[begin:end], dtype=kinds[entry["dtype"]]).reshape(
            entry["shape"])
    return tensors


def part(case, prefix):
    return {name.removeprefix(prefix): value for name, value in case.items()
            if name.startswith(prefix)}


def results_of(workload, case):
    """What three steps give from a case's states, inputs and draws, each as our number: the mean
    square. An error unless the states are the same ones."""
    missing, unexpected = workload.module.load_state_dict(part(case, "state."), strict=False)
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise ValueError(f"states differ: only here {missing}, only there {unexpected}")
    for name, value in part(case, "input.").items():
        assert workload.inputs[name].shape == value.shape, name
        workload.inputs[name] = value.long() if value.dtype == torch.int32 else value
    draws = part(case, "draw.")
    results = []
    for _ in range(len(case["results"])):
        noise = Noise([draws[str(i)] for i in range(len(draws))])
        results.append(float(workload.step(noise).double().square().mean()))
        assert not noise.draws, f"{len(noise.draws)} draws are left"
    return results
