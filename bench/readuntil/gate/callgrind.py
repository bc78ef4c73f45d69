# SPDX-License-Identifier: MIT
"""What callgrind has written: where the instructions went."""

import collections
import pathlib
import re
from dataclasses import dataclass, field

# Of a function: "fn=(12) name", later only "fn=(12)".
NAME = re.compile(r"(c?)fn=\((\d+)\)(?: (.+))?")


@dataclass
class Profile:
    """One dump, between two requests of the program."""

    label: str = ""
    total: int = 0
    own: collections.Counter = field(default_factory=collections.Counter)  # By function.
    # What calls from one function to another took, the callee's own calls included.
    calls: collections.Counter = field(default_factory=collections.Counter)


def read(path: pathlib.Path) -> Profile:
    profile = Profile()
    names: dict[str, str] = {}
    function = callee = ""
    after_call = False
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("desc: Trigger: Client Request: "):
            profile.label = line.split(": ", 3)[3]
        elif line.startswith("summary: "):
            profile.total = int(line.split()[1])
        elif match := NAME.match(line):
            called, number, name = match.groups()
            names.setdefault(number, name or number)
            if called:
                callee = names[number]
            else:
                function = names[number]
        elif line.startswith("calls="):
            after_call = True
        elif line[:1] in "+-*0123456789" and line:
            cost = int(line.split()[1]) if " " in line else 0
            if after_call:
                profile.calls[function, callee] += cost
                after_call = False
            else:
                profile.own[function] += cost
    return profile


def read_all(folder: pathlib.Path) -> list[Profile]:
    """The dumps of a run that were asked for, in their order."""
    paths = sorted(folder.glob("out.*"), key=lambda path: int(path.suffix[1:]))
    return [profile for profile in map(read, paths) if profile.label]


def inclusive(profile: Profile, is_callee) -> int:
    """What calls of such functions took in all, but for those that one of them made."""
    return sum(cost for (caller, callee), cost in profile.calls.items()
               if is_callee(callee) and not is_callee(caller))
