"""Writes a text file as a C++ raw string literal: embed.py SOURCE TARGET."""
import pathlib
import sys

source, target = map(pathlib.Path, sys.argv[1:])
target.write_text('R"glsl(' + source.read_text() + ')glsl"\n')
