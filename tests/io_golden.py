#!/usr/bin/env python3
"""Writes tests/io_golden.h: small files made by NumPy, safetensors, gguf and Pillow, for the reader tests.

Needs the packages numpy, safetensors, gguf and pillow; the tests themselves need none of them.
Usage: python3 tests/io_golden.py > tests/io_golden.h
"""
import gzip
import io
import tempfile

import gguf as ggml
import numpy as np
import safetensors.numpy
from PIL import Image, PngImagePlugin

ramp = np.arange(24, dtype=np.float32).reshape(2, 3, 4) - 5


def npy(array):
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def npz(save, **arrays):
    out = io.BytesIO()
    save(out, **arrays)
    return out.getvalue()


def png(image, **options):
    out = io.BytesIO()
    image.save(out, "PNG", **options)
    return out.getvalue()


def idx(array, code):
    big = array.astype(array.dtype.newbyteorder(">"))
    shape = np.array(array.shape, dtype=">u4")
    return bytes([0, 0, code, array.ndim]) + shape.tobytes() + big.tobytes()


blocks = np.random.default_rng(1).standard_normal((3, 64)).astype(np.float32)


def gguf(**tensors):
    """Tensors NAME=(values, type) and metadata of every kind."""
    with tempfile.NamedTemporaryFile() as file:
        writer = ggml.GGUFWriter(file.name, "test")
        for kind, value in (("uint8", 255), ("int8", -1), ("uint16", 65535), ("int16", -2),
                            ("uint32", 4294967295), ("int32", -3), ("uint64", 1 << 62),
                            ("int64", -4), ("float32", 0.5), ("float64", -0.25), ("bool", True),
                            ("string", "Zoë")):
            getattr(writer, "add_" + kind)("test." + kind, value)
        writer.add_array("test.strings", ["a", "", "Zoë"])
        writer.add_array("test.floats", [0.5, -1.5])
        writer.add_array("test.integers", [1, -2])
        for name, (values, kind) in tensors.items():
            if values.dtype.kind == "i" or kind == "F64":
                writer.add_tensor(name, values)
                continue
            kind = ggml.GGMLQuantizationType[kind]
            writer.add_tensor(name, ggml.quants.quantize(values, kind), raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return open(file.name, "rb").read()


def as_stored(kind):
    kind = ggml.GGMLQuantizationType[kind]
    return ggml.quants.dequantize(ggml.quants.quantize(blocks, kind), kind).astype(np.float32)


pixels = (np.arange(5 * 7 * 3) * 37 % 256).astype(np.uint8).reshape(5, 7, 3)
grey = pixels[:, :, 0].copy()
palette = Image.fromarray(grey % 4, "P")
palette.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90, 255, 0, 128])
info = PngImagePlugin.PngInfo()
info.add_text("recipe", "genera-vae sample --seed 7")
info.add_itxt("author", "Zoë")
info.add_text("long", "abc" * 200, zip=True)

files = {
    "gguf": gguf(weight=(ramp, "F32"), half=(ramp[0], "F16"), brain=(ramp[1], "BF16"),
                 double=(np.float64([[-2.5, 3]]), "F64"), count=(np.int32([7, -8]), "I32"),
                 label=(np.int64([[3], [-1]]), "I64"), byte_blocks=(blocks, "Q8_0"),
                 nibble_blocks=(blocks, "Q4_0")),
    "npy_of_gguf_byte_blocks": npy(as_stored("Q8_0")),
    "npy_of_gguf_nibble_blocks": npy(as_stored("Q4_0")),
    "npy_f32": npy(ramp),
    "npy_f64_scalar": npy(np.float64(-2.5)),
    "npy_f16_fortran": npy(np.asfortranarray(ramp.astype(np.float16))),
    "npy_f32_fortran_swapped": npy(np.asfortranarray(ramp).astype(">f4")),
    "npy_i32_swapped": npy(np.array([1, -2, 300000], dtype=">i4")),
    "npy_i64_empty": npy(np.zeros((3, 0, 2), dtype=np.int64)),
    "npy_u8": npy(np.array([[1, 2], [254, 255]], dtype=np.uint8)),
    "npy_u32": npy(np.array([0, 4294967295], dtype=np.uint32)),
    "npy_bool": npy(np.array([True, False, True])),
    "npy_object": npy(np.array([None, "x"], dtype=object)),
    "npy_struct": npy(np.zeros(2, dtype=[("a", "<f4"), ("b", "<i4")])),
    "npy_i16": npy(np.zeros(2, dtype=np.int16)),
    "npz_stored": npz(np.savez, weight=ramp, label=np.array([3, 1], dtype=np.int64)),
    "npz_deflated": npz(np.savez_compressed, zeros=np.zeros((50, 40)), label=np.array([True])),
    "idx_u8": idx(grey, 0x08),
    "idx_i32": idx(np.array([1, -2, 300000], dtype=np.int32), 0x0C),
    "idx_f32": idx(ramp, 0x0D),
    "idx_f64": idx(ramp.astype(np.float64), 0x0E),
    "idx_u8_gz": gzip.compress(idx(grey, 0x08), mtime=0),
    "idx_i16": idx(np.zeros(2, dtype=np.int16), 0x0B),
    "safetensors": safetensors.numpy.save(
        {
            "weight": ramp,
            "half": ramp.astype(np.float16),
            "double": np.float64([0.5]).reshape(()),
            "label": np.array([3, -1], dtype=np.int64),
            "count": np.array([[7], [-8]], dtype=np.int32),
            "bytes": np.array([1, 255], dtype=np.uint8),
            "wide": np.array([4294967295], dtype=np.uint32),
            "mask": np.array([True, False, True]),
            "empty": np.zeros((0, 3), dtype=np.float32),
        },
        metadata={"note": 'Zoë "quoted"\n'},
    ),
    "png_grey": png(Image.fromarray(grey)),
    "png_rgb": png(Image.fromarray(pixels), pnginfo=info),
    "png_rgba": png(Image.fromarray(pixels).convert("RGBA")),
    "png_grey_alpha": png(Image.fromarray(grey).convert("LA")),
    "png_grey16": png(Image.fromarray(grey.astype(np.uint16) * 256 + 7)),
    "png_bits": png(Image.fromarray(grey > 100)),
    "png_palette": png(palette),
    "png_palette_transparent": png(palette, transparency=2),
}

print("// Made by tests/io_golden.py with NumPy, safetensors, gguf and Pillow: do not edit.")
print("#pragma once\n\n// clang-format off\nnamespace golden {")
for name, data in files.items():
    # A literal of hexadecimal digits, cut into lines.
    lines = [data.hex()[i : i + 96] for i in range(0, 2 * len(data), 96)]
    print(f"inline constexpr const char* {name} =")
    print("\n".join(f'    "{line}"' for line in lines) + ";")
print("}  // namespace golden\n// clang-format on")
