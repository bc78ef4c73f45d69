#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What belongs to one file stays there: system headers, and #if.

Everything else that differs from system to system is a file of its own, which the build picks.
"""

import fnmatch
import re

from tree import Tree, main

# Headers, and the only files of the library that may include them.
SOCKETS = ["net/*", "reactor/kernel_posix.cpp", "reactor/sim/*"]
CONFINED = {
    "sys/epoll.h": ["reactor/poller/poller_epoll.cpp"],
    "sys/event.h": ["reactor/poller/poller_kqueue.cpp"],
    "poll.h": ["reactor/poller/poller_poll.cpp"],
    "sys/poll.h": [],
    "sys/select.h": [],
    "sys/eventfd.h": ["reactor/poller/wakeup_eventfd.cpp"],
    "openssl/*": ["net/tls_engine_openssl.cpp"],
    "*intrin.h": ["streams/match_mask_*.cpp"],
    "arm_neon.h": ["streams/match_mask_neon.cpp"],
    "sys/socket.h": SOCKETS,
    "sys/un.h": SOCKETS,
    "netdb.h": SOCKETS,
    "netinet/*": SOCKETS,
    "arpa/*": SOCKETS,
}

# The only files that may ask which system or processor this is.
CONDITIONAL = ["reactor/poller/poller_default.cpp", "reactor/kernel_posix.cpp",
               "streams/match_mask.cpp"]


def matches_any(path: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def check_line(tree: Tree, path: str, number: int, line: str) -> None:
    include = re.match(r"\s*#\s*include\s*<([^>]+)>", line)
    for header, places in CONFINED.items() if include else ():
        if fnmatch.fnmatchcase(include[1], header) and not matches_any(path, places):
            only = ", ".join(places) or "no file"
            tree.error(path, number, f"<{include[1]}> belongs in {only}")
    if re.match(r"\s*#\s*(if|ifdef|ifndef|elif|else)\b", line) and path not in CONDITIONAL:
        tree.error(path, number, "no #if here: give each system a file, and let the build pick")


def check(tree: Tree, paths: list[str]) -> None:
    for path in tree.library():
        for number, line in tree.lines(path):
            check_line(tree, path, number, line)


if __name__ == "__main__":
    main(check, __doc__)
