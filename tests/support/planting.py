# SPDX-License-Identifier: MIT
"""Plants a bug in a copy of one source and builds a program with it.

The program as it is built serves: only what has the bug is compiled again, and linked before it.
"""

import json
import pathlib
import re
import shlex
import subprocess
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Patch(NamedTuple):
    source: str  # The file, as seen from the root.
    old: str  # One place in it; blanks and line breaks do not count.
    new: str
    inside: str = ""  # The function, if the place is not the only one: how its definition begins.


class DoesNotApply(Exception):
    pass


class BuildFailed(Exception):
    pass


def function_of(text: str, patch: Patch) -> tuple[int, int]:
    """Where the definition that begins so lies: up to the brace in the first column."""
    starts = [match.start() for match in re.finditer(re.escape(patch.inside), text)]
    if len(starts) != 1:
        raise DoesNotApply(f"{patch.inside!r} is {len(starts)} times in {patch.source}")
    end = text.find("\n}", starts[0])
    if end < 0:
        raise DoesNotApply(f"{patch.inside!r} has no end")
    return starts[0], end


def planted(text: str, patch: Patch) -> str:
    """The source with the bug."""
    start, end = function_of(text, patch) if patch.inside else (0, len(text))
    tokens = re.findall(r"\w+|[^\w\s]", patch.old)
    pattern = re.compile(r"(?<!\w)" * tokens[0][0].isalnum() +
                         r"\s*".join(map(re.escape, tokens)) +
                         r"(?!\w)" * tokens[-1][-1].isalnum())
    found = pattern.findall(text[start:end])
    if len(found) != 1:
        where = f"{patch.inside!r} of {patch.source}" if patch.inside else patch.source
        raise DoesNotApply(f"{patch.old!r} is {len(found)} times in {where}: "
                           "follow the source, please")
    body = pattern.sub(lambda _: patch.new, text[start:end])
    return text[:start] + body + text[end:]


def planted_file(patch: Patch) -> str:
    return planted((ROOT / patch.source).read_text(encoding="utf-8"), patch)


def run(command: list[str], folder: pathlib.Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise BuildFailed(f"{shlex.join(command)}\n{done.stdout}{done.stderr}")


def with_files(command: list[str], source: pathlib.Path, output: pathlib.Path) -> list[str]:
    """A compiler's command for other files, without what it notes down for ninja."""
    words, changed = iter(command), []
    for word in words:
        if word in ("-MQ", "-MF"):
            next(words)
        elif word in ("-c", "-o"):
            changed += [word, str(source if word == "-c" else output)]
            next(words)
        elif word != "-MD":
            changed.append(word)
    return changed


def entry_of(folder: pathlib.Path, link: list[str], source: str) -> dict | None:
    """How `source` is compiled for the program of this link command; None if it is not."""
    entries = [entry for entry in
               json.loads((folder / "compile_commands.json").read_text(encoding="utf-8"))
               if (folder / entry["file"]).resolve() == ROOT / source]
    for entry in entries:
        library = entry["output"].split(".p/")[0]
        if entry["output"] in link or library in link or \
                (library.endswith(".a") and "libweir.a" in link):  # Which has all of them.
            return entry
    return None


def link_command(folder: pathlib.Path, target: str) -> list[str]:
    commands = subprocess.run(["ninja", "-t", "commands", target], cwd=folder, capture_output=True,
                              check=True, text=True).stdout
    return shlex.split(commands.splitlines()[-1])


def build(folder: pathlib.Path, target: str, patch: Patch, work: pathlib.Path,
          compile_too: tuple[str, ...] = ()) -> pathlib.Path:
    """The program `target` as it is built in `folder`, with the bug; made in `work`.

    A bug in a header is compiled into the sources `compile_too`. Without optimisation nothing is
    inlined, and the linker takes the first copy of a function: the one with the bug, for all. Such
    a bug cannot change what a class looks like, for the rest of the program would not know.
    """
    is_header = patch.source.endswith(".hpp")
    overlay = work / "include"
    changed = overlay / (patch.source if patch.source.startswith("tests/")
                         else f"weir/{patch.source}") if is_header \
        else work / pathlib.Path(patch.source).name
    changed.parent.mkdir(parents=True, exist_ok=True)
    changed.write_text(planted_file(patch), encoding="utf-8")

    link = link_command(folder, target)
    output = link.index("-o") + 1
    link[output] = str(work / pathlib.Path(target).name)
    for source in compile_too if is_header else (patch.source,):
        entry = entry_of(folder, link, source)
        if entry is None:
            continue
        compiled = work / (source.replace("/", "_") + ".o")
        command = with_files(shlex.split(entry["command"]),
                             ROOT / source if is_header else changed, compiled)
        first_option = next(i for i, word in enumerate(command) if word.startswith("-"))
        if is_header:
            command[first_option:first_option] = [f"-I{overlay}"]
        run([*command, "-w", "-fdiagnostics-color=never"], folder)
        if entry["output"] in link:
            link.remove(entry["output"])
        link.insert(output + 1, str(compiled))  # A library's own is not asked for any more.
    run(link, folder)
    return work / pathlib.Path(target).name
