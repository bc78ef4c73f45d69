#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes all of weir into two files, weir.hpp and weir.cpp, for those who copy.

Headers and sources stand in them as they are, in the order in which they include one another; each
file of weir's is there once, without its own #include of weir's, each of the system's where it is
first needed. What meson.build picks by system, processor and sanitizer, #if picks here.
"""

import argparse
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("reactor", "net", "streams")
INCLUDE = re.compile(r"#include <(?:weir/(?P<ours>[^>]+)|(?P<system>[^>]+))>")
LEFT_OUT = re.compile(r"// SPDX-License-Identifier: MIT|#pragma once|// (Public\.|Internal: .*)")

# What is not always built, and when it is.
WHEN = {
    "reactor/poller/poller_epoll.cpp": "defined(__linux__)",
    "reactor/poller/wakeup_eventfd.cpp": "defined(__linux__)",
    "reactor/poller/wakeup_pipe.cpp": "!defined(__linux__)",
    "reactor/poller/poller_kqueue.cpp": "defined(__FreeBSD__) || defined(__APPLE__)",
    "reactor/pool_free_lists.cpp": "!defined(WEIR_SANITIZED)",
    "reactor/pool_malloc.cpp": "defined(WEIR_SANITIZED)",
    "reactor/poison_asan.cpp": "defined(WEIR_ADDRESS_SANITIZED)",
    "reactor/poison_none.cpp": "!defined(WEIR_ADDRESS_SANITIZED)",
    "streams/match_mask_avx2.cpp": "defined(__x86_64__)",
    "streams/match_mask_sse2.cpp": "defined(__x86_64__)",
    "streams/match_mask_neon.cpp": "defined(__aarch64__) && defined(__ARM_NEON)",
}
SANITIZERS = """\
// Is this compiled with a sanitizer? g++ says so with macros, clang when it is asked.
#if defined(__SANITIZE_ADDRESS__)
#define WEIR_ADDRESS_SANITIZED
#define WEIR_SANITIZED
#elif defined(__SANITIZE_THREAD__)
#define WEIR_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEIR_ADDRESS_SANITIZED
#define WEIR_SANITIZED
#elif __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define WEIR_SANITIZED
#endif
#endif
"""


class Amalgamation:
    def __init__(self, root: pathlib.Path = ROOT):
        self.root = root
        self.written: set[str] = set()  # Of weir's files, and of the system's headers.

    def text(self, path: str) -> str:
        return (self.root / path).read_text(encoding="utf-8")

    def files(self, suffix: str) -> list[str]:
        return [path.relative_to(self.root).as_posix() for folder in FOLDERS
                for path in sorted((self.root / folder).rglob(f"*{suffix}"))]

    def opening(self, name: str, what: str) -> str:
        version = re.search(r"version: '([^']+)'", self.text("meson.build"))[1]
        lines = self.text("LICENSE").splitlines()
        licence = "".join(f"// {line}".rstrip() + "\n" for line in lines)
        return (f"// {name} of weir {version}, one of two files: weir.hpp and weir.cpp.\n"
                f"// {what}\n// Made by ./dev amalgamate: change weir's own files instead.\n"
                f"//\n{licence}")

    def body(self, path: str) -> str:
        """A file, as it is, without what the two have once. Only what is always compiled may save
        others an #include."""
        lines = []
        for line in self.text(path).splitlines():
            include = INCLUDE.match(line)
            if include and (include["ours"] or include["system"] in self.written):
                continue
            if include and path not in WHEN:
                self.written.add(include["system"])
            if not LEFT_OUT.fullmatch(line):
                lines.append(line)
        text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")
        text = f"\n// ---- {path} {'-' * (91 - len(path))}\n\n{text}\n"
        if path in WHEN:
            text = f"\n#if {WHEN[path]}{text}\n#endif  // {WHEN[path]}\n"
        return text

    def with_headers(self, path: str) -> str:
        """The file, behind all that it includes and that is not there yet."""
        if path in self.written:
            return ""
        self.written.add(path)
        ours = [include["ours"] for include in INCLUDE.finditer(self.text(path))
                if include["ours"]]
        return "".join(self.with_headers(header) for header in ours) + self.body(path)

    def header(self) -> str:
        public = [path for path in self.files(".hpp") if self.text(path).startswith("// Public.")]
        return self.opening("weir.hpp", 'All that programs include; weir.cpp has the rest.') + \
            "#pragma once\n" + "".join(map(self.with_headers, public))

    def source(self) -> str:
        """To be called behind header()."""
        how = "Compile it with the program: g++ -std=c++20 app.cpp weir.cpp -pthread"
        return self.opening("weir.cpp", how) + '#include "weir.hpp"\n\n' + SANITIZERS + \
            "".join(map(self.with_headers, self.files(".cpp")))


def write(folder: pathlib.Path, root: pathlib.Path = ROOT) -> dict[str, int]:
    """Returns how many lines each of the two has."""
    folder.mkdir(parents=True, exist_ok=True)
    both = Amalgamation(root)
    texts = {"weir.hpp": both.header(), "weir.cpp": both.source()}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return {name: text.count("\n") for name, text in texts.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "build/amalgamation")
    folder = parser.parse_args().output
    lines = write(folder)
    print(f"{folder}: " + ", ".join(f"{name} ({count} lines)" for name, count in lines.items()))


if __name__ == "__main__":
    main()
