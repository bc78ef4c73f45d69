# SPDX-License-Identifier: MIT
"""The scripts and traces of README.md: how they are read, and how a trace writes what it saw.

Runs on CPython 3.7 and later, as all that the CPython runner imports.
"""

import zlib

DONE = "done"  # The last line of a batch, of scripts and of traces.
LONG_BYTES = 40  # More than that, and a trace gives the size and a checksum.

WAITING_TEXT = "%s() called while another coroutine is already waiting for incoming data"
FOUND_TEXT = "Separator is found, but chunk is longer than limit"
NOT_FOUND_TEXT = "Separator is not found, and chunk exceed the limit"


def unescaped(text):
    """The bytes of a word: \\n is a newline, "" is nothing, x*3 is xxx."""
    word, star, times = text.partition("*")
    data = b"" if word == '""' else word.replace("\\n", "\n").encode("ascii")
    return data * int(times) if star else data


def shown(data):
    """Bytes as a trace has them."""
    if len(data) > LONG_BYTES:
        return "%d bytes, adler32 %d" % (len(data), zlib.adler32(data))
    return "'%s'" % bytes(data).decode("ascii").replace("\n", "\\n")


class Operation:
    """One line of a script."""

    __slots__ = ("at_once", "kind", "argument")

    def __init__(self, line):
        self.at_once = line.endswith(" &")  # The next operation follows without a pass between.
        kind, _, word = (line[:-2] if self.at_once else line).partition(" ")
        self.kind = kind
        self.argument = word
        if kind == "feed":
            self.argument = unescaped(word)
        elif kind in ("read", "readexactly"):
            self.argument = int(word)
        elif kind == "readuntil":
            self.argument = separators_of(word)


def separators_of(word):
    """bytes for one separator, a tuple for a set of them."""
    if word == "()":
        return ()
    if "|" in word:
        return tuple(unescaped(part) for part in word.split("|"))
    return unescaped(word)


class Parser:
    """Lines to operations; the same line is parsed once."""

    def __init__(self):
        self._known = {}

    def operation(self, line):
        found = self._known.get(line)
        if found is None:
            if len(self._known) > 100000:
                self._known.clear()
            found = self._known[line] = Operation(line)
        return found


def has_set(script):
    """Whether the script looks for several separators: CPython 3.13 and later can."""
    return any(line.startswith("readuntil ") and ("|" in line or "()" in line) for line in script)


def limit_of(header):
    return int(header.split()[1])


def state_line(buffer, paused, at_eof, flow, waiting, news):
    """One line of a trace."""
    return "%s%s%s flow=%s waiting=%s%s" % (
        shown(buffer),
        " paused" if paused else "",
        " at_eof" if at_eof else "",
        flow,
        ",".join(map(str, waiting)),
        "".join(news),
    )


def split_scripts(lines):
    """Lists of lines, each from its `limit` on."""
    scripts = []
    for line in lines:
        if line.startswith("limit "):
            scripts.append([line])
        else:
            scripts[-1].append(line)
    return scripts
