# SPDX-License-Identifier: MIT
"""The steps, their checks, and what comes out when a program is put through them.

NN_name/check.py has a list CHECKS of functions; each takes `run`, starts the program with it, and
raises Hint when something is wrong:

    def a_line_comes_back(run):
        server = run()               # run("30") gives the program an argument
        client = server.connect()
        expect(client.ask(b"hello\\n") == b"hello\\n", "silent", "...")

CHECKS of a step hold for all later steps as well, up to the last step that LAST_STEP names for a
function. EXERCISE is the list for the exercise; its hints are the names of the folders
exercise/wrong_*, and "start".
"""

import dataclasses
import functools
import importlib.util
import pathlib

from program import TUTORIAL, CompileError, compile_program, sources
from server import Hint, Server


@dataclasses.dataclass
class Outcome:
    """Of a program that was checked. Passed if `name` is empty."""

    passed: int  # How many checks, before the first that failed.
    name: str = ""  # Of the hint; "compiler" if there is no program.
    what: str = ""  # Which check failed, in words.
    text: str = ""


class Step:
    """One folder of the tutorial."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.number = int(folder.name[:2])
        self.title = folder.name[3:].replace("_", " ")

    @functools.cached_property
    def module(self):
        spec = importlib.util.spec_from_file_location(f"check_{self.number}",
                                                      self.folder / "check.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def checks(self) -> list:
        """Its own checks, and those of the earlier steps that hold for it."""
        return [check for step in all_steps() if step.number <= self.number
                for check in step.module.CHECKS
                if getattr(step.module, "LAST_STEP", {}).get(check, self.number) >= self.number]

    def variants(self) -> dict[str, pathlib.Path]:
        """The folders of its exercise: start, solution, wrong_…"""
        return {path.name: path for path in sorted((self.folder / "exercise").iterdir())
                if path.is_dir()}

    def files(self, variant: str = "") -> dict[str, pathlib.Path]:
        """The sources of the step, or of its exercise in some state."""
        files = sources(self.folder)
        if variant:
            files.update(sources(self.folder / "exercise"))
            files.update(sources(self.variants()[variant]))
        return files


@functools.cache
def all_steps() -> tuple[Step, ...]:
    return tuple(Step(path) for path in sorted(TUTORIAL.glob("[0-9][0-9]_*"))
                 if (path / "check.py").exists())


def in_words(check) -> str:
    return check.__name__.replace("_", " ")


def put_through(files: dict[str, pathlib.Path], checks: list, flags: list[str]) -> Outcome:
    """Compiles a program and runs the checks on it, until one fails."""
    try:
        program = compile_program(files, flags)
    except CompileError as error:
        return Outcome(0, "compiler", "it compiles", str(error))
    for passed, check in enumerate(checks):
        servers: list[Server] = []

        def run(*arguments: str) -> Server:
            servers.append(Server(program, list(arguments)))
            return servers[-1]

        try:
            check(run)
        except Hint as hint:
            ends = [server.obituary() for server in servers]
            text = "\n".join([hint.text, *filter(None, ends)])
            return Outcome(passed, hint.name, in_words(check), text)
        finally:
            for server in servers:
                server.stop()
    return Outcome(len(checks))


# ---- The proof


@dataclasses.dataclass
class Claim:
    """What must come out when one program of the tutorial is checked."""

    step: Step
    variant: str  # Of the exercise; "" is the step itself.
    hint: str  # The one that it must fail with; "" if it must pass.

    def in_words(self) -> str:
        program = self.variant.replace("_", " ") or "program"
        how = f"fails with the hint {self.hint}" if self.hint else "passes"
        return f"step {self.step.number}: its {program} {how}"

    def violation(self, flags: list[str]) -> str:
        """Checks it: empty if it is true, else what happened."""
        checks = self.step.module.EXERCISE if self.variant else self.step.checks()
        outcome = put_through(self.step.files(self.variant), checks, ["-Werror", *flags])
        if outcome.name == self.hint:
            return ""
        if not outcome.name:
            return "it passes"
        return f"it fails with the hint {outcome.name}: {outcome.what}\n{outcome.text}"


def claims() -> list[Claim]:
    found = []
    for step in all_steps():
        found.append(Claim(step, "", ""))
        for variant in step.variants():
            hint = "" if variant == "solution" else variant.removeprefix("wrong_")
            found.append(Claim(step, variant, hint))
    return found
