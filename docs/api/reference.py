#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds the reference of the public headers, by Doxygen, into build/docs/api.

Fails if it has anything to complain about: above all, of a public name that nobody says a word on.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from filter import Speaker, filtered, words

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "build/docs/api"


def public_headers(root: pathlib.Path) -> list[str]:
    return [path.relative_to(root).as_posix() for folder in ("reactor", "net", "streams")
            for path in sorted((root / folder).rglob("*.hpp"))
            if path.read_text(encoding="utf-8").startswith("// Public.")]


def words_that_nothing_needs(root: pathlib.Path) -> list[str]:
    used: set[str] = set()
    for header in public_headers(root):
        speaker = Speaker()
        filtered((root / header).read_text(encoding="utf-8"), speaker)
        used |= speaker.used
    return [f"docs/api/words.txt: nothing needs {name}" for name in words() if name not in used]


def configuration(root: pathlib.Path, headers: pathlib.Path, output: pathlib.Path) -> str:
    return ((root / "docs/api/Doxyfile").read_text(encoding="utf-8") +
            f"INPUT = {root}/docs/api/mainpage.dox {headers}\nRECURSIVE = YES\n"
            f"STRIP_FROM_PATH = {headers}\nSTRIP_FROM_INC_PATH = {headers}\n"
            f"OUTPUT_DIRECTORY = {output.parent}\nHTML_OUTPUT = {output.name}\n")


def build(root: pathlib.Path = ROOT, output: pathlib.Path = OUTPUT) -> list[str]:
    """Returns what Doxygen complains about."""
    output.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(output, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        for header in public_headers(root):  # Named as programs include them: weir/net/server.hpp
            path = pathlib.Path(folder, "weir", header)
            path.parent.mkdir(parents=True, exist_ok=True)
            text = (root / header).read_text(encoding="utf-8")
            path.write_text("\n".join(filtered(text, Speaker())) + "\n", encoding="utf-8")
        result = subprocess.run(
            ["doxygen", "-"], input=configuration(root, pathlib.Path(folder), output), cwd=root,
            capture_output=True, text=True, check=False)
    warnings = [re.sub(rf"{folder}/weir/|{root}/", "", line)
                for line in result.stderr.splitlines() if line]
    if result.returncode != 0:
        warnings.append(f"doxygen: exit status {result.returncode}")
    return warnings


if __name__ == "__main__":
    complaints = build() + words_that_nothing_needs(ROOT)
    for complaint in complaints:
        print(complaint)
    print(f"{OUTPUT.relative_to(ROOT)}/index.html: {len(public_headers(ROOT))} headers, "
          f"{len(complaints)} warnings")
    sys.exit(1 if complaints else 0)
