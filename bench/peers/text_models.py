"""GPT (Radford et al., 2019) and an LSTM over characters in PyTorch, as bench/models/gpt.cpp and
lstm.cpp."""

import typing

import torch
import torch.nn.functional as F
from torch import nn

import workload


class Sizes(typing.NamedTuple):
    layers: int
    heads: int
    width: int
    context: int
    symbols: int
    batch: int


TINY = Sizes(2, 2, 16, 8, 17, 2)
CHAR_A = Sizes(4, 4, 128, 64, 65, 12)
CHAR_B = Sizes(6, 6, 384, 256, 65, 16)
GPT2 = Sizes(12, 12, 768, 1024, 50257, 1)


class Block(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.heads, width = sizes.heads, sizes.width
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.mix = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def parts(self, x):
        """Queries, keys and values (B,H,T,D/H) of x (B,T,D)."""
        batch, length, width = x.shape
        return (part.view(batch, length, self.heads, width // self.heads).transpose(1, 2)
                for part in self.qkv(self.norm1(x)).chunk(3, -1))

    def feed(self, x, seen):
        h = x + self.mix(seen.transpose(1, 2).reshape(x.shape))
        return h + self.down(F.gelu(self.up(self.norm2(h)), approximate="tanh"))

    def forward(self, x):
        return self.feed(x, F.scaled_dot_product_attention(*self.parts(x), is_causal=True))

    def decode(self, x, position, length, mask, cache):
        """x (1,1,D); cache: keys and values (1,H,context,D/H), `length` of them seen."""
        query, *new = self.parts(x)
        for kept, now in zip(cache, new):
            kept.index_copy_(2, position, now)
        keys, values = (kept[:, :, :length] for kept in cache)
        return self.feed(x, F.scaled_dot_product_attention(query, keys, values, attn_mask=mask))


class Gpt(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.symbols = nn.Embedding(sizes.symbols, sizes.width)
        self.positions = nn.Embedding(sizes.context, sizes.width)
        self.blocks = nn.ModuleList(Block(sizes) for _ in range(sizes.layers))
        self.norm = nn.LayerNorm(sizes.width)
        for table in (self.symbols, self.positions):
            nn.init.normal_(table.weight, 0, 0.02)

    def forward(self, symbols):
        h = self.symbols(symbols) + self.positions.weight[:symbols.shape[1]]
        for block in self.blocks:
            h = block(h)
        return F.linear(self.norm(h), self.symbols.weight)

    def decode(self, symbol, position, length, mask, caches):
        h = (self.symbols(symbol) + self.positions(position))[None]
        for block, cache in zip(self.blocks, caches):
            h = block.decode(h, position, length, mask, cache)
        return F.linear(self.norm(h), self.symbols.weight)[0, 0]


def symbol_loss(module, inputs, _noise):
    logits = module(inputs["x"])
    return F.cross_entropy(logits.flatten(0, -2), inputs["y"].flatten())


def trained_gpt(sizes):
    module = Gpt(sizes)
    matrices = [p for p in module.parameters() if p.dim() >= 2]
    others = [p for p in module.parameters() if p.dim() < 2]
    optimiser = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}],
        lr=1e-3, betas=(0.9, 0.99), fused=True)
    text = torch.randint(sizes.symbols, (sizes.batch, sizes.context + 1))
    inputs = {"x": text[:, :-1].contiguous(), "y": text[:, 1:].contiguous()}
    return workload.Training(module, inputs, symbol_loss, optimiser, clip=1.0)


class Decoding(workload.Workload):
    """Greedy decoding of `count` symbols after symbol 0. Eager mode sees just what is there;
    compiled, whole blocks of the cache, so that few compilations serve all lengths."""

    inference = True
    block = 64

    def __init__(self, sizes, count):
        super().__init__(Gpt(sizes).eval())
        self.sizes, self.count, self.compiled = sizes, count, False
        shape = (1, sizes.heads, sizes.context, sizes.width // sizes.heads)
        self.caches = [(torch.zeros(shape), torch.zeros(shape)) for _ in range(sizes.layers)]

    def compile(self, wrap):
        self.compiled = True
        self.one = wrap(self.one)

    def one(self, module, symbol, position, length, caches):
        mask = (torch.arange(length) <= position)[None] if self.compiled else None
        logits = module.decode(symbol, position, length, mask, caches)
        return logits.argmax(0, keepdim=True), logits.max(), position + 1

    def step(self, _noise):
        with torch.no_grad():
            symbol, position = torch.zeros(1, dtype=torch.long), torch.zeros(1, dtype=torch.long)
            for at in range(self.count):
                blocks = min(self.sizes.context, (at // self.block + 1) * self.block)
                length = blocks if self.compiled else at + 1
                symbol, certainty, position = self.one(
                    self.module, symbol, position, length, self.caches)
            return certainty


class CharacterLstm(nn.Module):
    def __init__(self, symbols, features, width):
        super().__init__()
        self.table = nn.Embedding(symbols, features)
        self.lstm = nn.LSTM(features, width, num_layers=2)
        self.output = nn.Linear(width, symbols)

    def forward(self, symbols):
        return self.output(self.lstm(self.table(symbols))[0])


def trained_lstm(small):
    module = CharacterLstm(65, 8 if small else 128, 16 if small else 512)
    text = torch.randint(65, (5, 2) if small else (65, 32))
    inputs = {"x": text[:-1].contiguous(), "y": text[1:].contiguous()}
    return workload.Training(module, inputs, symbol_loss, workload.adam(module, 1e-3), clip=1.0)


WORKLOADS = {
    "gpt_char_a": lambda small: trained_gpt(TINY if small else CHAR_A),
    "gpt_char_b": lambda small: trained_gpt(TINY if small else CHAR_B),
    "gpt_decode_b": lambda small: Decoding(*(TINY, 4) if small else (CHAR_B, 64)),
    "gpt_decode_124m": lambda small: Decoding(*(TINY, 4) if small else (GPT2, 16)),
    "lstm_char": trained_lstm,
}
