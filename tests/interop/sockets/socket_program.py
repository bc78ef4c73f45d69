# SPDX-License-Identifier: MIT
"""The language of README.md: what a program is, how its text is read, which variants it has."""

import dataclasses
import itertools
import re

STYLES = ("protocol", "streams")
KINDS = ("tcp", "unix")
ROLES = {"c": "client", "s": "server"}

# How many numbers an action takes; None: one or more.
ACTIONS = {
    "write": 1, "writelines": None, "write_eof": 0, "close": 0, "abort": 0, "reset": 0,
    "pause_reading": 0, "resume_reading": 0, "limits": 2, "stop": 0, "consume": 0, "take": 1,
    "drain": 0, "wait_closed": 0,
}
CONDITIONS = {
    "received": 1, "arrived": 1, "eof": 0, "ended": 0, "lost": 0, "paused": 0, "writable": 0,
    "idle": 0,
}
OPTIONS = ("idle", "eof-close", *STYLES)
FACTS = ("calls", "received", "crc", "end", "lost", "paused", "alternates", "outcomes", "closing",
         "busy", "reports")
STREAMS_ONLY = {"drain", "wait_closed"}


class ProgramError(Exception):
    """A program that makes no sense; the text says where."""


@dataclasses.dataclass
class Step:
    role: str  # client or server
    verb: str  # do, until or kill
    text: str

    def __str__(self):
        return f"{self.role[0]} {self.text if self.verb == 'do' else f'{self.verb} {self.text}'}"


@dataclasses.dataclass
class Program:
    name: str
    steps: list = dataclasses.field(default_factory=list)
    options: dict = dataclasses.field(default_factory=lambda: {"client": set(), "server": set()})
    varies: dict = dataclasses.field(default_factory=lambda: {"client": set(), "server": set()})
    kinds: tuple = KINDS

    def styles_of(self, role):
        """protocol, streams or both: what the actions of this side leave open."""
        named = self.options[role] & set(STYLES)
        words = {action.split()[0] for step in self.steps
                 if step.role == role and step.verb == "do" for action in step.text.split(";")}
        if words & STREAMS_ONLY:
            named.add("streams")
        if "eof-close" in self.options[role]:
            named.add("protocol")
        if len(named) > 1:
            raise ProgramError(f"{self.name}: no style can do all that the {role} is to do")
        return tuple(named) or STYLES

    def variants(self):
        """Every (kind of socket, style of the client, style of the server)."""
        return list(itertools.product(self.kinds, self.styles_of("client"),
                                      self.styles_of("server")))

    def __str__(self):
        lines = [f"program: {self.name}"]
        if self.kinds != KINDS:
            lines.append(f"  on {' '.join(self.kinds)}")
        for role, options in self.options.items():
            lines += [f"  {role} {option}" for option in sorted(options)]
        for role, facts in self.varies.items():
            lines += [f"  {role} varies {fact}" for fact in sorted(facts - {"crc"})]
        return "\n".join(lines + [f"  {step}" for step in self.steps])


def check_words(where, table, words):
    for name, *numbers in words:
        if name not in table:
            raise ProgramError(f"{where}: what is {name!r}?")
        wanted = table[name]
        if len(numbers) != wanted if wanted is not None else not numbers:
            raise ProgramError(f"{where}: {name} takes {wanted} numbers, not {len(numbers)}")
        if not all(number.isdigit() for number in numbers):
            raise ProgramError(f"{where}: {name} takes numbers only")


def parse_line(program, where, line):
    first, _, rest = line.partition(" ")
    rest = re.sub(r"\s+", " ", rest.strip())
    if first == "on":
        program.kinds = tuple(rest.split())
        if not set(program.kinds) <= set(KINDS):
            raise ProgramError(f"{where}: sockets are {' or '.join(KINDS)}")
    elif first in program.options and rest.startswith("varies "):
        fact = rest.removeprefix("varies ")
        if fact not in FACTS:
            raise ProgramError(f"{where}: there is no fact {fact!r}")
        program.varies[first] |= {fact, "crc"} if fact == "received" else {fact}
    elif first in program.options:
        if rest not in OPTIONS:
            raise ProgramError(f"{where}: {first}s have no option {rest!r}")
        program.options[first].add(rest)
    elif first in ROLES and rest == "kill":
        program.steps.append(Step(ROLES[first], "kill", ""))
    elif first in ROLES and rest.startswith("until "):
        condition = rest.removeprefix("until ")
        check_words(where, CONDITIONS, [condition.split()])
        program.steps.append(Step(ROLES[first], "until", condition))
    elif first in ROLES:
        check_words(where, ACTIONS, [action.split() for action in rest.split(";")])
        program.steps.append(Step(ROLES[first], "do", rest))
    else:
        raise ProgramError(f"{where}: what is {line!r}?")


def parse(text, source="text"):
    """All programs of a text."""
    programs = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.partition("#")[0].strip()
        if line.startswith("program:"):
            programs.append(Program(line.removeprefix("program:").strip()))
        elif line and not programs:
            raise ProgramError(f"{source}:{number}: a program begins with 'program: NAME'")
        elif line:
            parse_line(programs[-1], f"{source}:{number}", line)
    names = [program.name for program in programs]
    for program in programs:
        program.styles_of("client"), program.styles_of("server")
        if names.count(program.name) > 1:
            raise ProgramError(f"{source}: two programs are called {program.name!r}")
    return programs
