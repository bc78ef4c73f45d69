# SPDX-License-Identifier: MIT
"""Random programs, by seed. What a program does is random; that its outcome is not, is the work of
the barriers that are set here: nothing ends before what was sent has been received."""

import random

from socket_program import parse

OTHER = {"c": "s", "s": "c"}
BIG = 1_000_000  # More than the buffers of both kernels and both readers take.


class Generator:
    def __init__(self, seed):
        self.random = random.Random(f"sockets {seed}")
        self.lines = [f"program: random {seed}"]
        self.sent = {"c": 0, "s": 0}
        self.seen = {"c": 0, "s": 0}  # Of the other side's bytes, at the last barrier.
        self.stopped = {"c": False, "s": False}

    def say(self, side, text):
        self.lines.append(f"  {side} {text}")

    def text(self):
        for _ in range(self.random.randint(1, 6)):
            self.random.choice([self.write, self.write, self.toggle, self.flood, self.reads])(
                self.random.choice("cs"))
        for side in "cs":
            self.catch_up(side)
        ending = self.random.choice([self.close, self.close, self.half_close, self.abort,
                                     self.reset, self.kill, self.close_unsent, self.abort_unsent])
        ending(self.random.choice("cs"))
        return "\n".join(self.lines)

    # ---- In the middle

    def write(self, side):
        """Little enough never to pause, in several ways, in one step."""
        other = OTHER[side]
        room = 20_000 - (self.sent[side] - self.seen[other])
        actions = []
        for _ in range(self.random.randint(1, 4)):
            sizes = [self.random.choice([0, 1, 7, self.random.randint(1, 5000)])
                     for _ in range(self.random.randint(1, 4))]
            if sum(sizes) > room:
                break
            room -= sum(sizes)
            self.sent[side] += sum(sizes)
            if len(sizes) == 1:
                actions.append(f"write {sizes[0]}")
            else:
                actions.append("writelines " + " ".join(map(str, sizes)))
            if self.random.random() < 0.15:
                actions.append("drain")
        if actions:
            self.say(side, "; ".join(actions))
        if not self.stopped[other] and self.random.random() < 0.7:
            self.catch_up(other)

    def toggle(self, side):
        if self.stopped[side]:
            self.catch_up(side)
        else:
            self.catch_up(side)
            self.say(side, self.random.choice(["stop", "stop; stop", "stop; consume; stop"]))
            self.stopped[side] = True

    def flood(self, side):
        """More than fits, to a side that does not read; then it does, in steps."""
        other = OTHER[side]
        if not self.stopped[other]:
            self.toggle(other)
        drain = self.random.choice(["", "; drain", "; drain; write 100; drain"])
        self.say(side, f"write {BIG}{drain}")
        self.say(side, "until paused")
        self.sent[side] += BIG + (100 if "100" in drain else 0)
        if self.random.random() < 0.5:
            self.say(other, f"take {self.random.randint(1, 200_000)}")
            self.say(other, "until idle")
        self.catch_up(other)
        self.say(side, "until idle")
        self.say(side, "until writable")

    def reads(self, side):
        """A stopped side reads a part."""
        left = self.sent[OTHER[side]] - self.seen[side]
        if self.stopped[side] and left:
            self.say(side, f"take {self.random.randint(1, left)}")
            self.say(side, "until idle")
            self.catch_up(side)

    def catch_up(self, side):
        """`side` reads, and has everything that was sent to it."""
        if self.stopped[side]:
            self.say(side, "consume")
            self.stopped[side] = False
        self.say(side, f"until received {self.sent[OTHER[side]]}")
        self.seen[side] = self.sent[OTHER[side]]

    # ---- The end

    def last_words(self, side):
        """On a connection that is gone."""
        if self.random.random() < 0.5:
            words = ["write 1", "close", "abort", "write_eof", "drain", "wait_closed",
                     "writelines 1 2", "pause_reading", "resume_reading"]
            self.say(side, "; ".join(self.random.sample(words, self.random.randint(1, 4))))
            self.say(side, "until idle")

    def gone(self, *sides):
        for side in sides:
            self.say(side, "until lost")
        for side in sides:
            self.last_words(side)

    def closed_by(self, side, text):
        other = OTHER[side]
        self.say(side, text)
        self.say(other, "until eof")
        if self.random.random() < 0.3:
            self.say(other, "write_eof")
        self.say(other, "close")
        self.gone(side, other)

    def close(self, side):
        self.closed_by(side, self.random.choice(
            ["close", "close; close", "close; wait_closed", "close; drain", "close; write 5"]))

    def abort(self, side):
        self.closed_by(side, self.random.choice(["abort", "abort; close", "close; abort"]))

    def half_close(self, side):
        other = OTHER[side]
        size = self.random.choice([0, 10, 3000])
        self.sent[side] += size
        self.say(side, f"write {size}; write_eof" + self.random.choice(["", "; write 1"]))
        self.say(other, "until eof")
        self.write(other)
        self.catch_up(side)
        self.closed_by(other, self.random.choice(["close", "write_eof; close"]))

    def reset(self, side):
        self.lines.insert(1, "  on tcp")
        self.say(side, "reset")
        self.gone(side, OTHER[side])

    def kill(self, side):
        self.say(side, "kill")
        self.say(OTHER[side], "until eof")
        self.say(OTHER[side], "close")
        self.gone(OTHER[side])

    def unsent(self, side, text):
        other = OTHER[side]
        self.toggle(other)
        self.say(side, f"write {BIG}; {text}")
        self.say(side, "until paused")
        return other

    def close_unsent(self, side):
        other = self.unsent(side, self.random.choice(["close", "close; wait_closed", "write_eof"]))
        if self.lines[-2].endswith("write_eof"):
            self.say(other, "consume")
            self.say(other, "until eof")
            self.say(side, "until writable")
            self.closed_by(other, "close")
        else:
            self.say(other, "consume")
            self.say(other, "until eof")
            self.say(side, "until idle")
            self.say(other, "close")
            self.gone(side, other)

    def abort_unsent(self, side):
        name = {"c": "server", "s": "client"}[side]
        other = self.unsent(side, "write 1")
        self.lines.insert(1, f"  {name} varies received")
        self.say(side, "abort")
        self.say(side, "until lost")
        self.say(other, "consume")
        self.say(other, "until eof")
        self.say(other, "close")
        self.gone(other)


def program(seed):
    return parse(Generator(seed).text(), f"seed {seed}")[0]
