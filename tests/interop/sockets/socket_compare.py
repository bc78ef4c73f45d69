# SPDX-License-Identifier: MIT
"""What may differ between weir and CPython, and what else does."""

import dataclasses
import typing

REFERENCE = ("cpython", "cpython")
PAIRINGS = (REFERENCE, ("weir", "cpython"), ("cpython", "weir"), ("weir", "weir"))


@dataclasses.dataclass(frozen=True)
class Difference:
    """A fact of one side that is not what CPython against CPython says."""

    program: str
    variant: tuple
    pairing: tuple
    role: str
    fact: str
    expected: str | None
    got: str | None

    def implementation(self):
        return self.pairing[("client", "server").index(self.role)]

    def __str__(self):
        kind, client, server = self.variant
        return (f"{self.program}: {kind}, {self.pairing[0]} client with {client}, "
                f"{self.pairing[1]} server with {server}: {self.role}'s {self.fact}\n"
                f"    CPython  {self.expected}\n    here     {self.got}")


@dataclasses.dataclass(frozen=True)
class Allowed:
    """A difference that is meant. `row` is how its row in docs/asyncio_map.md begins."""

    name: str
    reason: str
    row: str
    explains: typing.Callable[[Difference], bool]


def outcomes(text):
    return text.split(" | ") if text else []


def writelines_text(difference):
    """Texts only, and only this one."""
    older = "writelines RuntimeError: Cannot call write() after write_eof()"
    newer = "writelines RuntimeError: Cannot call writelines() after write_eof()"
    return (difference.fact == "outcomes" and
            difference.expected.replace(older, newer) == difference.got)


def end_once(difference):
    return (difference.fact == "calls" and "eof eof" in difference.expected and
            difference.expected.replace("eof eof", "eof") == difference.got)


def late_send_error(difference):
    """One drain that CPython fails because write() just before it saw the error."""
    if difference.fact != "outcomes":
        return False
    expected, got = outcomes(difference.expected), outcomes(difference.got)
    changed = [pair for pair in zip(expected, got) if pair[0] != pair[1]]
    return len(expected) == len(got) and changed == [
        ("drain ConnectionResetError: Connection lost", "drain ok")]


# What CPython says of a loop, or of a function of its own, that it has set to None.
NULL_TEXTS = ("AttributeError: 'NoneType' object has no attribute",
              "writelines TypeError: 'NoneType' object is not callable")  # gh-136234, since 3.12


def calls_after_the_end(difference):
    """CPython's calls fail on what it has set to None; everything else is the same."""
    if difference.fact != "outcomes":
        return False
    expected = outcomes(difference.expected)
    rest = [each for each in expected if not any(text in each for text in NULL_TEXTS)]
    return len(rest) < len(expected) and rest == outcomes(difference.got)


DROPPED = "socket.send() raised exception."


def warned_once(difference):
    """All of CPython's warnings are one of weir's, which goes on with the peer and the cause."""
    return (difference.fact == "reports" and
            set(outcomes(difference.expected)) == {DROPPED} and
            difference.got.startswith(DROPPED + " Writes to ") and " | " not in difference.got)


def writelines_hangs(program, version):
    """Where CPython against CPython gets stuck: since 3.12 its writelines() has not looked at the
    high-water mark (gh-127655, mended in 3.12.9 and 3.13.2), and keeps an empty last piece for ever
    (gh-155888)."""
    return version >= (3, 12) and "writelines" in str(program)


def never(_difference):
    return False


ALLOWED = (
    Allowed("writelines-text", "weir's texts are those of CPython 3.12 and later",
            "`writelines` after `write_eof`", writelines_text),
    Allowed("end-once", "a level-triggered end would repeat for ever",
            "end of the stream", end_once),
    Allowed("late-send-error", "small writes leave together at the end of the event",
            "a send error", late_send_error),
    Allowed("calls-after-the-end", "CPython fails on its own null loop; weir does nothing",
            "`write`, `abort` after the end", calls_after_the_end),
    Allowed("warned-once", "the fifth write after the end warns for all, with peer and cause",
            '"socket.send() raised exception."', warned_once),
    Allowed("writelines-hangs", "from 3.12 on CPython's own writelines() gets stuck; not compared",
            "`writelines` past the high-water mark", never),
)


def allowed(difference):
    """The entry of the table that explains the difference, or None. CPython's side has no excuse:
    it is the same program as in the reference."""
    if difference.implementation() != "weir" or None in (difference.expected, difference.got):
        return None
    return next((entry for entry in ALLOWED if entry.explains(difference)), None)


def varying(runs):
    """{role: facts} that were not the same in all runs."""
    found = {}
    for facts in runs:
        for role, its in facts.items():
            first = runs[0][role]
            found.setdefault(role, set()).update(
                fact for fact in first.keys() | its.keys()
                if fact != "stuck" and first.get(fact) != its.get(fact))
    return found


def differences(program, variant, pairing, reference, facts, ignored):
    """What is different in one run; facts in `ignored` (by role) are not looked at."""
    found = []
    for role, its in facts.items():
        expected = reference[role]
        for fact in sorted((expected.keys() | its.keys()) - ignored.get(role, set())):
            if expected.get(fact) != its.get(fact):
                found.append(Difference(program.name, variant, pairing, role, fact,
                                        expected.get(fact), its.get(fact)))
    stuck = [difference for difference in found if difference.fact == "stuck"]
    return stuck or found  # A run that got stuck has no other facts.
