# SPDX-License-Identifier: MIT
"""Makes scripts: random ones from a seed, and all short ones."""

import itertools
import random

LARGE = 64 * 1024
LIMITS = (1, 2, 3, 4, 5, 16) * 2 + (LARGE,)

# Of ten operations, all scripts up to this length.
EXHAUSTIVE = ("feed a", "feed ab", "feed b\\nab", "eof", "exception", "read 1", "readexactly 2",
              "readuntil ab", "readline", "cancel")
EXHAUSTIVE_LENGTH = 5
EXHAUSTIVE_LIMITS = (1, 2, 3)

FEEDS = ["feed a"] * 5 + ["feed b"] * 5 + ["feed ab"] * 5 + ["feed \\n"] * 4 + ['feed ""']
READS = ["read 1"] * 3 + ["read -1"] * 2 + ["read 0", "read 3", "read 100"] + \
    ["readexactly 2"] * 3 + ["readexactly 0", "readexactly 7", "readexactly 40", "readexactly -1"]
SEARCHES = ["readuntil a", "readuntil b"] + ["readuntil ab"] * 4 + ["readuntil aba"] + \
    ["readuntil aa", "readuntil \\n"] + ["readline"] * 5
SETS = ["readuntil a|b", "readuntil ab|b", "readuntil aba|b\\n", "readuntil ba|\\n",
        "readuntil ab|a", "readuntil abab|ba", "readuntil aa|bb|\\n"]
WRONG = ['readuntil ""', "readuntil ()", 'readuntil ""|a']
ENDS = ["eof"] * 4 + ["exception"] * 3 + ["exception incomplete"]
CANCELS = ["cancel"] * 3 + ["cancel last"]
LARGE_FEEDS = ["feed a*65535", "feed a*65536", "feed a*65537", "feed ab*33000", "feed b*131073",
               "feed ab"] + ["feed \\n"] * 3
LARGE_READS = ["read 65536", "read 100000", "readexactly 65537", "readexactly 150000"]


class Generator:
    def __init__(self, seed):
        self.dice = random.Random(seed)

    def script(self):
        """Header and operations. One in twelve scripts has a set of separators."""
        dice = self.dice
        limit = dice.choice(LIMITS)
        lent = dice.random() < 0.4  # The bytes are lent, as transports do it; see README.md.
        one_separator = dice.random() < 0.4
        with_sets = dice.random() < 0.12
        searches = SETS * 2 + SEARCHES + WRONG if with_sets else SEARCHES + WRONG[:1]
        if one_separator:
            searches = [dice.choice(searches)]
        reads = READS if dice.random() < 0.85 else [dice.choice(READS)]  # Two of one kind, too.
        pauses = dice.choice((0.0, 0.25, 0.6))  # How often the next operation follows at once.
        script = ["limit %d%s" % (limit, " lent" if lent else "")]
        for _ in range(dice.randint(2, 13)):
            line = self.operation(limit, reads, searches)
            if pauses and dice.random() < pauses:
                line += " &"
            script.append(line)
        return script

    def operation(self, limit, reads, searches):
        dice = self.dice
        what = dice.random()
        if what < 0.40:
            if limit == LARGE and dice.random() < 0.4:
                return dice.choice(LARGE_FEEDS)
            if dice.random() < 0.25:
                return "feed " + "".join(dice.choices(("a", "b", "\\n"), (4, 4, 1),
                                                      k=dice.randint(3, 9)))
            return dice.choice(FEEDS)
        if what < 0.63:
            return dice.choice(searches)
        if what < 0.81:
            if limit == LARGE and dice.random() < 0.3:
                return dice.choice(LARGE_READS)
            return dice.choice(reads)
        return dice.choice(CANCELS if what < 0.91 else ENDS)

    def batch(self, count):
        return [self.script() for _ in range(count)]


def exhaustive(limit, first, length=EXHAUSTIVE_LENGTH):
    """All scripts of the full length that begin with one operation.

    The shorter ones are their beginnings: traces are compared after every operation.
    """
    header = "limit %d" % limit
    for rest in itertools.product(EXHAUSTIVE, repeat=length - 1):
        yield [header, first, *rest]


def interleaved(limit, first):
    """All that are one shorter, with and without a pass after each operation."""
    header = "limit %d" % limit
    for rest in itertools.product(EXHAUSTIVE, repeat=2):
        for marks in itertools.product(("", " &"), repeat=3):
            lines = [line + mark for line, mark in zip((first, *rest), marks)]
            for last in EXHAUSTIVE:
                yield [header, *lines, last]
