"""Makes tests/golden/text/: small language models and tokenizers as other programs write them, with
the tokens and logits that those programs compute.

    python3 tests/golden/make_text_golden.py     (needs: pip install torch transformers tokenizers
                                                  sentencepiece gguf safetensors numpy)

    byte_level/       tokenizers: byte-level BPE (tokenizer.json, vocab.json, merges.txt)
    sentencepiece/    sentencepiece: BPE with byte fallback (.model); the same converted to
                      tokenizer.json (tokenizers) and to llama2.c's tokenizer.bin
    gpt2/ llama/ mistral/   transformers: config.json and safetensors (llama: shards, BF16)
    llama.gguf gpt2.gguf    gguf: tensors of every type, tokenizer metadata
    llama.bin         llama2.c's format
    strings.json      odd strings and what each library makes of them
    logits.safetensors      tokens.NAME (T) and logits.NAME (T, every seventh of the vocabulary)
    corpus.txt        the text that the tokenizers were trained on
"""

import io
import json
import pathlib
import random
import shutil
import struct

import gguf
import numpy as np
import sentencepiece
import tokenizers
import torch
import transformers
from safetensors.numpy import save_file
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers.convert_slow_tokenizer import generate_merges

FOLDER = pathlib.Path(__file__).resolve().parent / "text"
VOCABULARY = 400  # of the tokenizers and of the models that come with one
SMALL_VOCABULARY = 120
END = "<|endoftext|>"
TOKENS = 12
COLUMN_STEP = 7

CORPUS = """\
The tokenizer reads the text from left to right, and there it finds what it has seen before: the
same words, the same endings, the same little pauses between them. It doesn't know what they mean.
It's enough that "the" follows "in" and that "ing" follows almost anything that somebody is doing.
We've counted the pairs; they're merged one after the other, the most frequent first, until there is
nothing left that occurs twice. In 1994 the idea compressed files, in 2015 it translated sentences,
and by 2019 it wrote 40 GB of them.

    for (int i = 0; i < 100; ++i) {
        total += values[i] * weights[i];    // the sum of products
    }

Größere Wörter werden zerlegt: Straßenbahnhaltestelle, Überraschung, Donaudampfschifffahrt. Les mots
sont coupés où il faut, même là-bas, à côté de l'été dernier. El niño comió piñas mañana. Ночью
тихо, и слова идут одно за другим, слова идут домой. 文字は小さな部品に分けられる。文字は 文字。
Numbers such as 3.14159, 2,718 and 1,000,000 come apart too, and so do dates: 2001-02-03, 04:05:06.
The tokens of the tokenizer are the tokens that the text is made of, the text of the tokens.
What the model says next is what followed before; what nobody said before, the model says rarely.
"""

ODD = [
    "", " ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", "\t\t x", " \n ", "a", " a", "a ", " a ", "  a  b  ",
    "Hello world", "hello  world", "Hello, world!", "don't", "DON'T", "I'll we've they're it's I'd I'm",
    "'s't're", "'S 'T", "don’t", "the the the", "thethethe", "tokenization", "the tokenizer's tokens",
    "1", "12345678901234567890", "3.14159", "1,000,000.00", "x1y2z3", "²³¹", "½ ⅓", "٣٤٥", "Ⅷ", "１２３",
    "Größe", "Gro\u0308ße", "naïve café", "ÀÉÎÕÜ", "Ночью тихо", "文字は小さな部品", "한국어", "עברית",
    "العربية", "हिन्दी", "ไทย", "🙂", "👩‍👩‍👧‍👦", "🇩🇪🇫🇷", "👍🏽 ok", "a\u200bb", "a\u00a0b", "\u3000x",
    "\u2028", "a\u0085b", "\u180ex y", "\ufeffstart", "\ufffd", "\u00ad", "e\u0301\u0301\u0301", "\u202eabc",
    "\x00", "a\x00b", "\x01\x02\x1f", "\x1c\x1d x", "\x7f", "\x0b\x0c", "\ue000", "\U0010ffff", "\U000e0001",
    "▁", "▁the", "the▁the", "▁▁", " ▁ ", "<s>", "</s>", "<unk>", "a<s>b", "<0x41>", "<0x0A>", "<0xZZ>", END,
    "a" + END + "b", END + END, " " + END + " ", "<|endoftext|", "<|endoftext|>>", "a" * 100, " " * 50,
    "\n" * 20, "ab" * 60, "(((((", "!!!???", "--- --- ---", "_snake_case_", "CamelCaseWord", "http://x.org/?q=a&b=1#c",
    "C:\\path\\file.txt", "{\"key\": [1, 2.5e-3, null]}", "if (a<b && c>=d) { return !x; }", "\\n \\t", "'''\"\"\"```",
    "    indented\n\tmore\n  less\n", "trailing \n", "x \n\n y", "a  \n  b", "f(x)=x^2", "€100 £5 ¥7", "±≤≥≠∞", "→←",
    "İıſK", "ǅ ŉ ﬁ", "𝔘𝔫𝔦", "mañana piñas", "l'été", "文字 文字。文字", "The text of the tokens is the text.\n",
]


def odd_strings():
    """ODD and some that chance puts together."""
    chance = random.Random(20240607)
    alphabets = ["ab \n", "the tokens ", "aé文🙂 ", " \t\n\r\u00a0\u2003x", "'sdtmlrve ", "0123.,- ",
                 "▁ a<s>", "\u0300\u0301a\u200d"]
    made = ["".join(chance.choice(alphabet) for _ in range(chance.randint(1, 40)))
            for alphabet in alphabets for _ in range(5)]
    return ODD + made


# ---- Tokenizers ----

def byte_level():
    """Byte-level BPE with GPT-2's pre-split."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY - 1, min_frequency=2,
                                  show_progress=False, special_tokens=[],
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator([CORPUS], trainer)
    tokenizer.add_special_tokens([END])
    folder = FOLDER / "byte_level"
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    tokenizer.model.save(str(folder))
    return tokenizer


def sentence_piece():
    """BPE with byte fallback as Llama's tokenizer was trained."""
    folder = FOLDER / "sentencepiece"
    folder.mkdir()
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS.splitlines()), model_writer=model, model_type="bpe",
        vocab_size=VOCABULARY, byte_fallback=True, character_coverage=0.98, split_digits=True,
        normalization_rule_name="identity", remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True, num_threads=1, minloglevel=2)
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def as_tokenizers(processor, metaspace):
    """The same for `tokenizers`, as Llama's tokenizer.json has it: of old or with Metaspace."""
    vocabulary = [processor.id_to_piece(i) for i in range(processor.vocab_size())]
    ids = {piece: i for i, piece in enumerate(vocabulary)}
    scores = {piece: processor.get_score(i) for piece, i in ids.items()}
    reserved = [p for p, i in ids.items() if i < 3 or processor.is_byte(i)]
    merges = generate_merges(ids, scores, reserved)
    tokenizer = tokenizers.Tokenizer(models.BPE(ids, merges, unk_token="<unk>", fuse_unk=True,
                                                byte_fallback=True))
    if metaspace:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", prepend_scheme="first", split=False)
        tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(),
                                               decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    else:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"),
                                                     normalizers.Replace(" ", "▁")])
        tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(),
                                               decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.add_special_tokens([tokenizers.AddedToken(t, normalized=False, special=True)
                                  for t in ("<unk>", "<s>", "</s>")])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    name = "metaspace.json" if metaspace else "tokenizer.json"
    tokenizer.save(str(FOLDER / "sentencepiece" / name), pretty=False)
    return tokenizer


def write_llama2c_tokenizer(processor):
    """As tokenizer.py of https://github.com/karpathy/llama2.c exports it."""
    pieces = []
    for i in range(processor.vocab_size()):
        piece = processor.id_to_piece(i)
        piece = {1: "\n<s>\n", 2: "\n</s>\n"}.get(i, piece).replace("▁", " ").encode()
        pieces.append((piece, processor.get_score(i)))
    with open(FOLDER / "sentencepiece" / "tokenizer.bin", "wb") as out:
        out.write(struct.pack("I", max(len(piece) for piece, _ in pieces)))
        for piece, score in pieces:
            out.write(struct.pack("fI", score, len(piece)) + piece)


def write_strings(level, processor, plain, metaspace):
    """The strings with their tokens and what those decode to."""
    cases = []
    for text in odd_strings():
        case = {"text": text}
        for name, tokenizer in (("byte_level", level), ("json", plain), ("metaspace", metaspace)):
            case[name] = tokenizer.encode(text, add_special_tokens=False).ids
            case[name + "_decoded"] = tokenizer.decode(case[name], skip_special_tokens=True)
        case["sentencepiece"] = processor.encode(text)
        case["sentencepiece_decoded"] = processor.decode(case["sentencepiece"])
        for key in [key for key in case if key.endswith("_decoded") and case[key] == text]:
            del case[key]  # what is not there is the text itself
        for name in ("json", "metaspace"):
            if case[name] == case["sentencepiece"]:
                del case[name]  # or SentencePiece's tokens
        cases.append(case)
    lines = [json.dumps(case, ensure_ascii=True, separators=(",", ":")) for case in cases]
    (FOLDER / "strings.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")


# ---- Models ----

def scattered(model, seed):
    """Weights far from those of a new model, so that each has a say in the logits."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape, generator=generator)
            is_gain = weight.dim() == 1 and not name.endswith("bias")
            weight.copy_(1 + 0.3 * noise if is_gain else 0.3 * noise)
    return model.eval()


def record(logits, name, model):
    """Notes what the model makes of some tokens."""
    tokens = np.random.default_rng(len(name)).integers(3, model.config.vocab_size, TOKENS)
    with torch.no_grad():
        values = model(torch.from_numpy(tokens[None])).logits[0]
    logits[f"tokens.{name}"] = tokens.astype(np.int32)
    logits[f"logits.{name}"] = values[:, ::COLUMN_STEP].contiguous().numpy().astype(np.float32)


def save(model, name, dtype, shard="1GB"):
    """Saves the weights in `dtype` and returns the model as it is read back."""
    model.to(dtype).save_pretrained(FOLDER / name, max_shard_size=shard)
    (FOLDER / name / "generation_config.json").unlink(missing_ok=True)
    return type(model).from_pretrained(FOLDER / name, dtype=torch.float32).eval()


def make_gpt2(width, vocabulary):
    return scattered(transformers.GPT2LMHeadModel(transformers.GPT2Config(
        vocab_size=vocabulary, n_positions=24, n_embd=width, n_layer=2, n_head=4,
        layer_norm_epsilon=1e-3, bos_token_id=vocabulary - 1, eos_token_id=vocabulary - 1)), 1)


LLAMA3 = {"rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0,
          "high_freq_factor": 4.0, "original_max_position_embeddings": 40}


def make_llama(width, hidden, tied, vocabulary, rope=None, head=None):
    return scattered(transformers.LlamaForCausalLM(transformers.LlamaConfig(
        vocab_size=vocabulary, max_position_embeddings=24, hidden_size=width, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, intermediate_size=hidden, rms_norm_eps=1e-3,
        head_dim=head,
        rope_parameters=rope or {"rope_type": "default", "rope_theta": 500.0},
        tie_word_embeddings=tied)), 2)


def make_mistral():
    return scattered(transformers.MistralForCausalLM(transformers.MistralConfig(
        vocab_size=SMALL_VOCABULARY, max_position_embeddings=24, hidden_size=16, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, head_dim=6, intermediate_size=24,
        sliding_window=4, rms_norm_eps=1e-3, tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 500.0})), 3)


def interleaved(weight, heads):
    """Rows of a query or key projection with the pairs (2i, 2i+1) of a head where Hugging Face has
    (i, i + D/2); as llama.cpp's converter does it."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


LLAMA_TENSORS = {  # ours in GGUF: (Hugging Face's, type)
    "attn_norm": ("input_layernorm", "F32"), "attn_q": ("self_attn.q_proj", "Q8_0"),
    "attn_k": ("self_attn.k_proj", "Q4_0"), "attn_v": ("self_attn.v_proj", "BF16"),
    "attn_output": ("self_attn.o_proj", "Q8_0"), "ffn_norm": ("post_attention_layernorm", "F32"),
    "ffn_gate": ("mlp.gate_proj", "Q4_0"), "ffn_up": ("mlp.up_proj", "F16"),
    "ffn_down": ("mlp.down_proj", "Q8_0"),
}
GPT2_TENSORS = {
    "attn_norm": ("ln_1", "F32"), "attn_qkv": ("attn.c_attn", "Q8_0"),
    "attn_output": ("attn.c_proj", "F16"), "ffn_norm": ("ln_2", "F32"),
    "ffn_up": ("mlp.c_fc", "Q4_0"), "ffn_down": ("mlp.c_proj", "Q8_0"),
}


class GgufModel:
    """Writes weights in a type of GGUF, and puts what is left of them back into the model."""

    def __init__(self, path, architecture, model):
        self.writer = gguf.GGUFWriter(str(path), architecture)
        self.weights = dict(model.named_parameters())

    def add(self, name, source, kind, transposed=False, heads=0):
        weight = self.weights[source].detach().numpy()
        if transposed:
            weight = weight.T
        if heads:
            weight = interleaved(weight, heads)
        weight = np.ascontiguousarray(weight, dtype=np.float32)
        kind = gguf.GGMLQuantizationType[kind]
        stored = gguf.quants.quantize(weight, kind)
        self.writer.add_tensor(name, stored, raw_dtype=kind)
        back = gguf.quants.dequantize(stored, kind).reshape(weight.shape)
        if heads:
            back = back.reshape(heads, -1, 2, back.shape[1]).swapaxes(1, 2).reshape(back.shape)
        with torch.no_grad():
            self.weights[source].copy_(torch.from_numpy((back.T if transposed else back).copy()))

    def close(self):
        self.writer.write_header_to_file()
        self.writer.write_kv_data_to_file()
        self.writer.write_tensors_to_file()
        self.writer.close()


def add_sentence_piece(writer, processor):
    count = processor.vocab_size()
    kinds = [2 if processor.is_unknown(i) else 3 if processor.is_control(i) else
             6 if processor.is_byte(i) else 1 for i in range(count)]
    writer.add_tokenizer_model("llama")
    writer.add_token_list([processor.id_to_piece(i).encode() for i in range(count)])
    writer.add_token_scores([processor.get_score(i) for i in range(count)])
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)


def add_byte_level(writer, level):
    count = level.get_vocab_size()
    saved = json.loads(level.to_str())["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([level.id_to_token(i) for i in range(count)])
    writer.add_token_types([3 if i == count - 1 else 1 for i in range(count)])
    writer.add_token_merges([pair if isinstance(pair, str) else " ".join(pair) for pair in saved])
    writer.add_bos_token_id(count - 1)
    writer.add_eos_token_id(count - 1)


def write_llama_gguf(logits, processor):
    model = make_llama(32, 64, tied=False, vocabulary=VOCABULARY, rope=LLAMA3, head=8)
    file = GgufModel(FOLDER / "llama.gguf", "llama", model)
    writer = file.writer
    writer.add_context_length(24)
    writer.add_embedding_length(32)
    writer.add_block_count(2)
    writer.add_feed_forward_length(64)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-3)
    writer.add_rope_dimension_count(8)
    writer.add_rope_freq_base(500.0)
    writer.add_vocab_size(VOCABULARY)
    add_sentence_piece(writer, processor)
    file.add("token_embd.weight", "model.embed_tokens.weight", "Q8_0")
    file.add("output.weight", "lm_head.weight", "Q4_0")
    file.add("output_norm.weight", "model.norm.weight", "F32")
    plain = 500.0 ** -(np.arange(0, 8, 2) / 8)
    scaled = model.model.rotary_emb.inv_freq.numpy()
    assert 1.5 < (plain / scaled)[1] < 7.5, plain / scaled  # before it 1, after it 8
    writer.add_tensor("rope_freqs.weight", (plain / scaled).astype(np.float32))
    for layer in range(2):
        for ours, (theirs, kind) in LLAMA_TENSORS.items():
            heads = {"attn_q": 4, "attn_k": 2}.get(ours, 0)
            file.add(f"blk.{layer}.{ours}.weight", f"model.layers.{layer}.{theirs}.weight", kind,
                     heads=heads)
    file.close()
    record(logits, "llama.gguf", model)


def write_gpt2_gguf(logits, level):
    model = make_gpt2(32, VOCABULARY)
    file = GgufModel(FOLDER / "gpt2.gguf", "gpt2", model)
    writer = file.writer
    writer.add_context_length(24)
    writer.add_embedding_length(32)
    writer.add_block_count(2)
    writer.add_feed_forward_length(128)
    writer.add_head_count(4)
    writer.add_layer_norm_eps(1e-3)
    add_byte_level(writer, level)
    file.add("token_embd.weight", "transformer.wte.weight", "Q8_0")
    file.add("position_embd.weight", "transformer.wpe.weight", "F32")
    file.add("output_norm.weight", "transformer.ln_f.weight", "F32")
    file.add("output_norm.bias", "transformer.ln_f.bias", "F32")
    for layer in range(2):
        for ours, (theirs, kind) in GPT2_TENSORS.items():
            source = f"transformer.h.{layer}.{theirs}"
            file.add(f"blk.{layer}.{ours}.weight", source + ".weight", kind,
                     transposed="norm" not in ours)
            file.add(f"blk.{layer}.{ours}.bias", source + ".bias", "F32")
    file.close()
    record(logits, "gpt2.gguf", model)


def write_llama2c(logits):
    """As export.py of llama2.c writes it (legacy_export)."""
    model = make_llama(16, 24, tied=True, vocabulary=SMALL_VOCABULARY)
    model.config.rope_parameters["rope_theta"] = 10000.0
    model.config.rms_norm_eps = 1e-5
    weights = {name: weight.detach().numpy() for name, weight in model.named_parameters()}
    model = transformers.LlamaForCausalLM(model.config)
    model.load_state_dict({name: torch.from_numpy(w.copy()) for name, w in weights.items()}, strict=False)
    model.tie_weights()
    model.eval()

    def of_layers(name, heads=0):
        for layer in range(2):
            weight = weights[f"model.layers.{layer}.{name}.weight"]
            yield interleaved(weight, heads) if heads else weight

    parts = [weights["model.embed_tokens.weight"], *of_layers("input_layernorm"),
             *of_layers("self_attn.q_proj", 4), *of_layers("self_attn.k_proj", 2),
             *of_layers("self_attn.v_proj"), *of_layers("self_attn.o_proj"),
             *of_layers("post_attention_layernorm"), *of_layers("mlp.gate_proj"),
             *of_layers("mlp.down_proj"), *of_layers("mlp.up_proj"), weights["model.norm.weight"]]
    angles = np.outer(np.arange(24), 10000.0 ** -(np.arange(0, 4, 2) / 4))
    with open(FOLDER / "llama.bin", "wb") as out:
        out.write(struct.pack("iiiiiii", 16, 24, 2, 4, 2, SMALL_VOCABULARY, 24))
        for part in [*parts, np.cos(angles), np.sin(angles)]:
            out.write(np.ascontiguousarray(part, dtype=np.float32).tobytes())
    record(logits, "llama.bin", model)


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    (FOLDER / "corpus.txt").write_text(CORPUS)
    level, processor = byte_level(), sentence_piece()
    plain, metaspace = as_tokenizers(processor, False), as_tokenizers(processor, True)
    write_llama2c_tokenizer(processor)
    write_strings(level, processor, plain, metaspace)
    logits = {}
    record(logits, "gpt2", save(make_gpt2(16, SMALL_VOCABULARY), "gpt2", torch.float32))
    record(logits, "llama", save(make_llama(16, 20, tied=False, vocabulary=VOCABULARY, rope=LLAMA3, head=8), "llama", torch.bfloat16, "16KB"))
    record(logits, "mistral", save(make_mistral(), "mistral", torch.float16))
    write_llama_gguf(logits, processor)
    write_gpt2_gguf(logits, level)
    write_llama2c(logits)
    save_file(logits, FOLDER / "logits.safetensors")


if __name__ == "__main__":
    main()
