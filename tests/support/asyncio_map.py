# SPDX-License-Identifier: MIT
"""Reads docs/asyncio_map.md, CPython's asyncio and its tests; test_asyncio_map compares them.

Run as a program, it prints the names of the tests that CPython's installed test suite has, as
asyncio_tests.txt lists them.
"""

import ast
import asyncio
import builtins
import importlib
import inspect
import pathlib
import pkgutil
import re
import sys
import sysconfig

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAP = ROOT / "docs" / "asyncio_map.md"
UPSTREAM = ROOT / "tests" / "support" / "asyncio_tests.txt"
MODULES = ("test_streams", "test_selector_events", "test_buffered_proto", "test_transports",
           "test_server", "test_futures", "test_tasks")
REASONS = ("TLS", "proactor", "subprocess", "datagram", "pickling", "Python typing",
           "mock plumbing")

CASE = re.compile(r'\bTEST_CASE(?:_FIXTURE)?\(\s*(?:[\w:]+,\s*)?((?:"(?:[^"\\\n]|\\.)*"\s*)+)')
LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
PLACE = re.compile(r"`(\S+\.(?:cpp|py))`: (.+)")
CODE = re.compile(r"`([^`]+)`")
NAME = re.compile(r"(\w+)(?:\.(\w+))?(?:\(.*\))?")


def rows(title: str) -> list[list[str]]:
    """The cells of the tables under the heading `title`, without their headers."""
    text = MAP.read_text(encoding="utf-8")
    level = title.split()[0]
    section = re.split(rf"^#{{1,{len(level)}}} ", text.split(f"\n{title}\n", 1)[1], 1, re.M)[0]
    found, header = [], ""
    for line in section.splitlines():
        if line.startswith("|---"):
            found.remove(header)
        elif line.startswith("|"):
            header = [cell.strip() for cell in line.strip("|").split("|")]
            found.append(header)
    return found


# ---- CPython's tests


def installed_tests() -> dict[str, list[str]] | None:
    """Class.method of each module, in order; a class that only varies another adds nothing."""
    folder = pathlib.Path(sysconfig.get_path("stdlib")) / "test" / "test_asyncio"
    if sys.version_info[:2] != (3, 11) or not (folder / "test_tasks.py").exists():
        return None
    found = {}
    for module in MODULES:
        tree = ast.parse((folder / f"{module}.py").read_text(encoding="utf-8"))
        found[module] = [f"{case.name}.{method.name}"
                         for case in tree.body if isinstance(case, ast.ClassDef)
                         for method in case.body
                         if isinstance(method, (ast.FunctionDef, ast.AsyncFunctionDef))
                         and method.name.startswith("test")]
    return found


def listed_tests() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {module: [] for module in MODULES}
    for line in UPSTREAM.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            module, name = line.split()
            found[module].append(name)
    return found


def cases(path: pathlib.Path) -> set[str]:
    """The names of a test file's cases."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return set(re.findall(r"^\s+def (test\w+)\(", text, re.MULTILINE))
    return {re.sub(r"\\(.)", r"\1", "".join(LITERAL.findall(literals)))
            for literals in CASE.findall(text)}


# ---- weir's names


def header_words(line: str = r".+") -> set[str]:
    """The words of the headers' lines that look like `line`, without comments and texts."""
    words = set()
    for folder in ("reactor", "net", "streams"):
        for path in (ROOT / folder).rglob("*.hpp"):
            code = re.sub(r'//.*|"[^"\n]*"', "", path.read_text(encoding="utf-8"))
            for found in re.findall(rf"^{line}$", code, re.MULTILINE):
                words |= set(re.findall(r"\w+", found))
    return words


def declared() -> set[str]:
    """What the headers declare outside of classes: clang-format puts that in the first column."""
    return header_words(r"[\w\[].*")


# ---- asyncio's names


def public_names() -> set[str]:
    """`name`, `Class.member` and `loop.member` of the asyncio that is installed."""
    names = {name for name in asyncio.__all__ if not name.startswith("_")}
    for module in pkgutil.iter_modules(asyncio.__path__):
        if not module.name.startswith(("windows", "_")) and module.name != "__main__":
            exported = getattr(importlib.import_module(f"asyncio.{module.name}"), "__all__", ())
            names |= {name for name in exported
                      if not name.startswith("_") and hasattr(asyncio, name)}
    for name in list(names):
        thing = getattr(asyncio, name)
        if inspect.isclass(thing):
            owners = {member: owner_of(thing, member)
                      for member in dir(thing) if not member.startswith("_")}
            names |= {f"{owner}.{member}" for member, owner in owners.items() if owner}
    return names


def owner_of(cls: type, member: str) -> str | None:
    """The public class that first has a member; None for what asyncio has from elsewhere."""
    if issubclass(cls, asyncio.AbstractEventLoop):
        return "loop"
    owner = None
    for base in cls.__mro__:
        if member in vars(base):
            if hasattr(builtins, base.__name__):
                return None
            if getattr(asyncio, base.__name__, None) is base or owner is None:
                owner = base.__name__
    return owner if hasattr(asyncio, owner) else cls.__name__


def roots(name: str) -> set[str]:
    """A name of the table, and what else it stands for: the same member of its base classes."""
    owner, _, member = name.rpartition(".")
    cls = getattr(asyncio, owner, None)
    if not owner or not inspect.isclass(cls):
        return {name}
    return {f"{base.__name__}.{member}" for base in cls.__mro__}


def names_of(cell: str) -> list[str]:
    """The names of a first column, each with its owner."""
    found, owner = [], ""
    for code in CODE.findall(cell):
        name = NAME.fullmatch(code)
        if not name:
            continue  # A piece of Python, such as `async for line in reader`.
        first, member = name.groups()
        if member:
            owner = first
            found.append(f"{first}.{member}")
        elif first[0].isupper() and not first.isupper():
            owner = first
            found.append(first)
        else:
            found.append(f"{owner}.{first}" if owner else first)
    return found


def table_names() -> list[str]:
    return [name for cells in rows("## Names") for name in names_of(cells[0])]


def main() -> None:
    print("# CPython 3.11's tests, one a line: tests/support/asyncio_map.py printed them.")
    for module, names in (installed_tests() or sys.exit("needs libpython3.11-testsuite")).items():
        for name in names:
            print(module, name)


if __name__ == "__main__":
    main()
