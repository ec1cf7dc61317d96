#!/usr/bin/env python3
"""Opens a run of genera-text in PyTorch and compares what both say of a few lines.

    python3 zoo/text/pytorch_check.py PATH/TO/genera-text RUN      # gpt, llama, lstm or gru

The checkpoint is safetensors: `torch` and `safetensors` from PyPI read it. The models below are written
with torch.nn alone. The logits of each line's tokens must give the same -log p within 1e-5 of a nat per
token.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import torch
from safetensors import safe_open
from torch.nn import functional as F

LINES = ["To be, or not", "the king sees", "And God said"]  # shorter than any context


def norm(w, name, x):
    if name + ".bias" in w:
        return F.layer_norm(x, x.shape[-1:], w[name + ".weight"], w[name + ".bias"])
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5) * w[name + ".weight"]


def linear(w, name, x):
    return F.linear(x, w[name + ".weight"], w.get(name + ".bias"))


def rotate(x):
    """x (H,T,D): the pairs (i, i + D/2)."""
    half = x.shape[-1] // 2
    angle = torch.arange(x.shape[1])[:, None] * 10000.0 ** (-torch.arange(half) / half)
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()], -1)


def transformer(w, settings, tokens):
    heads, window = int(settings["heads"]), int(settings["window"])
    kv_heads = int(settings["kv-heads"]) or heads
    x = w["embedding.weight"][tokens]
    if "positions.weight" in w:
        x = x + w["positions.weight"][: len(tokens)]
    width = x.shape[1] // heads
    distance = torch.arange(len(tokens))[:, None] - torch.arange(len(tokens))
    sees = (distance >= 0) & ((distance < window) if window else True)
    for i in range(sum(name.endswith(".projection.weight") for name in w)):
        block = f"blocks.{i}."
        qkv = linear(w, block + "attention", norm(w, block + "attention_norm", x))
        q, k, v = qkv.split([heads * width, kv_heads * width, kv_heads * width], 1)
        q, k, v = (part.unflatten(1, (-1, width)).transpose(0, 1) for part in (q, k, v))
        if "positions.weight" not in w:
            q, k = rotate(q), rotate(k)
        k, v = (part.repeat_interleave(heads // kv_heads, 0) for part in (k, v))
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=sees)
        x = x + linear(w, block + "projection", attended.transpose(0, 1).flatten(1))
        inner = linear(w, block + "up", norm(w, block + "mlp_norm", x))
        if settings["model"] == "llama":
            gate, up = inner.chunk(2, 1)
            inner = F.silu(gate) * up
        else:
            inner = F.gelu(inner)
        x = x + linear(w, block + "down", inner)
    return F.linear(norm(w, "norm", x), w.get("output.weight", w["embedding.weight"]))


def recurrent(w, settings, tokens):
    x = w["embedding.weight"][tokens]
    layers = sum(name.endswith("recurrent.weight") for name in w)
    for i in range(layers):
        layer = f"layers.{i}."
        weight, own = w[layer + "input.weight"], w[layer + "recurrent.weight"]
        kind = torch.nn.LSTM if settings["model"] == "lstm" else torch.nn.GRU
        network = kind(weight.shape[1], own.shape[1])
        with torch.no_grad():
            network.weight_ih_l0.copy_(weight)
            network.weight_hh_l0.copy_(own)
            network.bias_ih_l0.copy_(w[layer + "input.bias"])
            network.bias_hh_l0.zero_()
            if settings["model"] == "gru":
                network.bias_hh_l0[-own.shape[1]:] = w[layer + "candidate_bias"]
            x = network(x)[0]
    return linear(w, "output", x)


def main():
    program, run = sys.argv[1], pathlib.Path(sys.argv[2])
    lines = (run / "config.toml").read_text().splitlines()
    settings = {name.strip(): value.strip().strip('"') for name, value in (line.split("=", 1) for line in lines)}
    with safe_open(run / "checkpoints/best.safetensors", "pt") as file:
        w = {name: file.get_tensor(name) for name in file.keys()}
        characters = json.loads(file.metadata()["tokenizer"])["characters"]
    known = [line for line in LINES if all(c in characters for c in line)]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as text:
        text.write("\n".join(known) + "\n")
        text.flush()
        output = subprocess.run([program, "score", run, text.name, "--json"], check=True, stdout=subprocess.PIPE)
    scores = [json.loads(line)["log_likelihood"] for line in output.stdout.decode().splitlines()]
    assert known and len(scores) == len(known), "no line that the model knows the characters of"
    worst = 0
    for line, ours in zip(known, scores):
        tokens = torch.tensor([characters.index(c) for c in "\n" + line])
        model = recurrent if settings["model"] in ("lstm", "gru") else transformer
        with torch.no_grad():
            logits = model(w, settings, tokens[:-1]).double()
            theirs = -F.cross_entropy(logits, tokens[1:], reduction="sum").item()
        worst = max(worst, abs(ours - theirs) / len(line))
        print(f"{line!r}: genera {ours:.6f}, PyTorch {theirs:.6f} nats")
    print(f"largest difference {worst:.1e} nats per token")
    sys.exit(worst > 1e-5)


if __name__ == "__main__":
    main()
