# SPDX-License-Identifier: MIT
"""The bugs of docs/bug_catalogue.md as patches of weir: ./dev mutants plants one after the other.

A bug is planted in one place: `old` stands once in the file, or in the function that begins with
`inside`. Each of the tests that name the bug runs, and one of them must notice. A bug of a header
is compiled into the files of these tests, and into `compile_too`, where the library uses it.
"""

import pathlib
import sys
from typing import NamedTuple

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from planting import Patch  # noqa: E402


class Bug(NamedTuple):
    bug: str  # B01
    patch: Patch
    compile_too: tuple[str, ...] = ()
    refused: bool = False  # The compiler notices.


def bug(name: str, source: str, old: str, new: str, inside: str = "",
        compile_too: tuple[str, ...] = (), refused: bool = False) -> Bug:
    return Bug(name, Patch(source, old, new, inside), compile_too, refused)


BUGS = (
    # 2.1 Loop, readiness, timers, wake-up
    # 2.2 Listening, accepting, connecting, DNS
    bug("B26", "net/listener.cpp",
        "retry_ = loop_.call_later(accept_retry_delay, [this] { watch(); });", ""),
    # 2.3 Writing and closing
    # 2.4 Reading, EOF, UDP
    # 2.7 Futures, coroutines, compilers
)
