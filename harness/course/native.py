"""What a compiled program uses, read from its file: functions of its libraries, packages of Go. Pure but for the read.

Rule 1: nothing is run. An ELF file (elf(5)) lists, for the dynamic linker, the functions that it wants from libraries.
Rule 2: a program of Go has no such list. But its runtime needs the name of each function that was linked, and the
linker leaves out what nobody calls: `net/http.(*Client).Do` is there if somebody may call it, stripped or not.
        A mark is not enough to be a program of Go, since anybody may put it into his own: those names have to be there,
        and what wants functions of a library is asked for them besides.
Rule 3: as forbidden.py, this teaches, it does not guard: whoever writes system calls in assembler gets by. What the
kernel can tell (threads, processes, open files) is measured from outside.

Standard library only: this travels into the student's node.
"""

from __future__ import annotations

import mmap
import os
import re
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

#: How an ELF file of 64 bits, least significant byte first, begins.
_ELF = b"\x7fELF\2\1"
#: What the linker of Go puts into every program (debug/buildinfo).
_GO = b"\xff Go buildinf:"
#: The name of a function of Go's runtime, and of how many a program has the names at least (the smallest: 1,500).
_RUNTIME, _LEAST = re.compile(rb"\0runtime\.[\w(*.]+\0"), 300
#: Types of segments, and tags of the dynamic section.
_LOAD, _DYNAMIC = 1, 2
_NEEDED, _STRTAB, _SYMTAB, _STRSZ = 1, 5, 6, 10
#: Bytes of a symbol; of what is looked at at most: segments, entries of the dynamic section, symbols.
_SYMBOL, _MOST = 24, 100_000
#: A larger program is not looked through.
_MOST_BYTES = 128_000_000


class Unreadable(Exception):
    """What a program uses cannot be known; the message says why."""


def used(path: Path, functions: Sequence[str], packages: Sequence[str]) -> list[str]:
    """Which of these a compiled program uses: functions of C's libraries, or, if it is Go's, packages.

    Empty for a file that is not a compiled program. Raises Unreadable.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return []
    with open(descriptor, "rb") as file:
        size = os.fstat(descriptor).st_size
        if file.read(len(_ELF)) != _ELF:
            return []
        if size > _MOST_BYTES:
            raise Unreadable(f"it has more than {_MOST_BYTES // 1_000_000} MB")
        with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as image:
            go = _is_go(image)
            names = packages if go else ()
            found = [name for name in names if re.search(rb"\0" + re.escape(name.encode()) + rb"\.[\w(]", image)]
            wanted = set(_wanted(image, go)) if functions else set()
            return found + [name for name in functions if name.encode() in wanted]


def _is_go(image: mmap.mmap) -> bool:
    if image.find(_GO) < 0:
        return False
    names: set[bytes] = set()
    at = 0
    while len(names) < _LEAST and (found := _RUNTIME.search(image, at)):
        names.add(found.group())
        at = found.end() - 1  # the zero that ends a name is where the next one begins
    return len(names) >= _LEAST


def _wanted(image: mmap.mmap, go: bool) -> Iterator[bytes]:
    """The names of the functions (and data) that the program wants from its libraries. Raises Unreadable.

    A program of Go needs no libraries.
    """
    try:
        segments = list(_segments(image))
        entries = [entry for kind, at, _, size in segments if kind == _DYNAMIC for entry in _entries(image, at, size)]
        tags = dict(entries)
        if _NEEDED not in tags and go:
            return
        if _NEEDED not in tags:
            raise Unreadable("it is linked statically, so that nobody sees what it uses. Link it as the compiler does")
        names = _place(segments, tags[_STRTAB])
        symbols = _place(segments, tags[_SYMTAB])
        # The names come after the symbols in what every linker writes; nothing else says how many there are.
        for number in range(min(max(0, names - symbols) // _SYMBOL, _MOST)):
            name, _, _, section = struct.unpack_from("<IBBH", image, symbols + number * _SYMBOL)
            if name and not section and name < tags[_STRSZ]:  # section 0: it is somebody else's
                start = names + name
                yield image[start : image.find(b"\0", start, start + 4096)]
    except (struct.error, KeyError, ValueError):
        raise Unreadable("its headers are not those of a program") from None


def _segments(image: mmap.mmap) -> Iterator[tuple[int, int, int, int]]:
    """(type, offset, address, size in the file) of each segment."""
    (table,) = struct.unpack_from("<Q", image, 32)
    size, count = struct.unpack_from("<HH", image, 54)
    for number in range(count):
        kind, _, at, address, _, length = struct.unpack_from("<IIQQQQ", image, table + number * size)
        yield kind, at, address, length


def _entries(image: mmap.mmap, at: int, size: int) -> Iterator[tuple[int, int]]:
    for number in range(min(size // 16, _MOST)):
        tag, value = struct.unpack_from("<QQ", image, at + number * 16)
        if not tag:
            return
        yield tag, value


def _place(segments: Sequence[tuple[int, int, int, int]], address: int) -> int:
    """Where in the file an address is."""
    for kind, at, start, size in segments:
        if kind == _LOAD and start <= address < start + size:
            return at + address - start
    raise ValueError("an address that is nowhere")
