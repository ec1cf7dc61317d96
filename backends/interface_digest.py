"""Writes a digest of all that the library and its modules must have in common, as a C++ constant: interface_digest.py TARGET DEPFILE ROOT WORD...

These are the headers of the engine and of what all backends share, which lay out the structures, and the words: version and compiler.
"""
import hashlib
import pathlib
import sys

target, depfile, root = map(pathlib.Path, sys.argv[1:4])
headers = sorted([path for kind in ('*.h', '*.def') for path in (root / 'engine').rglob(kind)] + list((root / 'backends').glob('*.h')))
digest = hashlib.sha256('\n'.join(sys.argv[4:]).encode())
for header in headers:
    digest.update(f'\n{header.relative_to(root)}\n'.encode() + header.read_bytes())
target.write_text('#include "backends/module.h"\n\n'
                  f'namespace genera {{\nconst char interface_digest[] = "{digest.hexdigest()[:32]}";\n}}\n')
depfile.write_text(f'{target}: ' + ' '.join(str(header).replace(' ', '\\ ') for header in headers) + '\n')
