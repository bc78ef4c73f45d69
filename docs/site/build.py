#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds the site of docs/ into build/docs/site. ./dev docs --help says the rest.

The generator sees a copy of the pages, in build/docs/pages. There, links to files outside docs/
lead to pages that show these files, so the site is whole without the repository; blocks of code
say which file they are from; and the diagrams stand in the page, so that they take its colours.
"""

import json
import os
import pathlib
import posixpath
import re
import shutil
import subprocess
import sys
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "docs/site"
sys.path.insert(0, str(ROOT / "tests/lint"))

import md  # noqa: E402

TOP = {"README.md": "about.md", "CONTRIBUTING.md": "contributing.md",
       "CHANGELOG.md": "changelog.md"}
NOT_SHOWN = {".git", "build", "__pycache__"}
LANGUAGES = {".cpp": "cpp", ".hpp": "cpp", ".py": "python", ".build": "meson", ".yml": "yaml",
             ".md": "markdown", ".c": "c", ".json": "json"}
INLINE_SVG = re.compile(r"^!\[([^\]]*)\]\(([^)\s]+\.svg)\)\s*$")
MARKDOWN_LINK = re.compile(r"(\]\()([^)\s]+)((?:\s+\"[^\"]*\")?\))")
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
DIAGRAM = 'class="diagram"'  # An SVG that begins so takes the colours of the text around it.


class SiteError(Exception):
    """Something that the pages must not have."""


def place_of(path: str) -> str:
    """Where a file or folder of the repository stands among the copied pages."""
    if path in TOP:
        return TOP[path]
    if path.startswith("docs/") and path.endswith((".md", ".svg", ".png")):
        return path.removeprefix("docs/")
    return f"source/{path}/README.md" if (ROOT / path).is_dir() else f"source/{path}.md"


class Pages:
    """The copies. What a page links to is copied as well."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.done: set[str] = set()
        self.queue: list[str] = []

    def copy_all(self) -> None:
        docs = [path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")]
        self.queue = sorted(docs) + list(TOP)
        while self.queue:
            path = self.queue.pop()
            if path not in self.done:
                self.done.add(path)
                self.copy(path)

    def copy(self, path: str) -> None:
        place = self.folder / place_of(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        source = ROOT / path
        if path.endswith((".svg", ".png")):
            shutil.copyfile(source, place)
        elif source.is_dir():
            place.write_text(self.listing(path), encoding="utf-8")
        elif path.endswith(".md"):
            place.write_text(self.page(path), encoding="utf-8")
        else:
            place.write_text(self.listed(path), encoding="utf-8")

    def listing(self, path: str) -> str:
        names = sorted(entry.name for entry in (ROOT / path).iterdir()
                       if entry.name not in NOT_SHOWN and entry.is_file())
        lines = [f"# {path}", ""]
        for name in names:
            lines.append(f"- {self.link(f'{path}/{name}', place_of(path), name)}")
        return "\n".join(lines) + "\n"

    def link(self, path: str, place: str, text: str) -> str:
        self.queue.append(path)
        there = posixpath.relpath(place_of(path), posixpath.dirname(place) or ".")
        return f"[{text}]({there})"

    def listed(self, path: str) -> str:
        """A page that shows a file."""
        language = LANGUAGES.get(pathlib.Path(path).suffix, "text")
        text = (ROOT / path).read_text(encoding="utf-8", errors="replace").rstrip("\n")
        return f"# {path}\n\n``````{language}\n{text}\n``````\n"

    def page(self, path: str) -> str:
        text = (ROOT / path).read_text(encoding="utf-8")
        lines = text.splitlines()
        titles: dict[int, str] = {}
        in_fences: set[int] = set()
        for fence in md.fences(text):
            in_fences.update(range(fence.line, fence.line + len(fence.body) + 2))
            titles[fence.line] = fence.target.partition("#")[0] if fence.kind == "code" else ""
        written = []
        for number, line in enumerate(lines, 1):
            if titles.get(number):
                line = f'{line.rstrip()} title="{titles[number]}"'
            elif number not in in_fences and not md.DIRECTIVE.match(line):
                line = self.prose(path, number, line)
            elif number not in in_fences:
                continue
            written.append(line)
        return "\n".join(written) + "\n"

    def prose(self, page: str, number: int, line: str) -> str:
        svg = INLINE_SVG.match(line)
        if svg:
            inline = self.inline_svg(page, *svg.groups())
            if inline:
                return inline
        pieces = []
        at = 0
        for span in md.CODE_SPAN.finditer(line):
            pieces += [self.relinked(page, line[at:span.start()]), span[0]]
            at = span.end()
        # A link whose text is a code span is cut in two by this; its target is in the later half.
        return "".join(pieces) + self.relinked(page, line[at:])

    def inline_svg(self, page: str, alternative: str, link: str) -> str:
        """The diagram itself; nothing if this is a picture with colours of its own."""
        path = ROOT / posixpath.normpath(posixpath.join(posixpath.dirname(page), link))
        text = path.read_text(encoding="utf-8")
        if DIAGRAM not in text.split(">", 1)[0]:
            return ""
        text = re.sub(r"<style>.*?</style>|<!--.*?-->", "", text, flags=re.DOTALL)
        text = re.sub(r"\s*\n\s*", "", text.strip())
        label = alternative.replace("&", "&amp;").replace('"', "&quot;")
        text = text.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
        return f'<figure class="diagram">{text}</figure>'

    def relinked(self, page: str, text: str) -> str:
        def new(match: re.Match) -> str:
            return match[1] + self.target(page, match[2]) + match[3]
        return MARKDOWN_LINK.sub(new, text)

    def target(self, page: str, link: str) -> str:
        path, hash_mark, anchor = link.partition("#")
        if ELSEWHERE.match(link) or not path:
            return link
        there = posixpath.normpath(posixpath.join(posixpath.dirname(page),
                                                  urllib.parse.unquote(path)))
        if not (ROOT / there).exists():
            raise SiteError(f"{page}: there is no {there}")
        if (ROOT / there / "README.md").is_file():
            there += "/README.md"  # What the forge shows of such a folder.
        self.queue.append(there)
        place = posixpath.dirname(place_of(page)) or "."
        return posixpath.relpath(place_of(there), place) + hash_mark + anchor


ENTRY = re.compile(r"^( +)- (glob: |\"[^\"]+\": )?(\S+\.md)$")


def configuration(pages: pathlib.Path, text: str) -> str:
    """The text of mkdocs.yml with every glob written out: what no other line names. Each page of
    docs/ must have its place in it."""
    entries = [ENTRY.match(line) for line in text.splitlines()]
    named = {entry[3] for entry in entries if entry and entry[2] != "glob: "}
    for path in sorted(named):
        if not (pages / path).is_file():
            raise SiteError(f"docs/site/mkdocs.yml: there is no {path}")
    lines: list[str] = []
    for line, entry in zip(text.splitlines(), entries):
        if entry and entry[2] == "glob: ":
            found = {path.relative_to(pages).as_posix() for path in pages.glob(entry[3])} - named
            named |= found
            # A README comes before the pages beside it.
            first = sorted(found, key=lambda path: path.replace("README.md", ""))
            lines += [f"{entry[1]}- {path}" for path in first]
            continue
        if lines and re.match(r"^  - .*:$", lines[-1]) and not line.startswith("      "):
            lines.pop()  # A section whose glob has found nothing.
        lines.append(line)
    everywhere = {path.relative_to(pages).as_posix() for path in pages.rglob("*.md")}
    lost = sorted(path for path in everywhere - named if not path.startswith("source/"))
    if lost:
        raise SiteError(f"docs/site/mkdocs.yml does not name {', '.join(lost)}")
    return "\n".join(lines) + "\n"


def finish_search(site: pathlib.Path) -> None:
    """Takes the shown files out of the index, and writes what a page on the disk searches with."""
    path = site / "search/search_index.json"
    index = json.loads(path.read_text(encoding="utf-8"))
    index["docs"] = [entry for entry in index["docs"]
                     if not entry["location"].startswith("source/")]
    path.write_text(json.dumps(index, separators=(",", ":")), encoding="utf-8")
    worker = next((site / "assets/javascripts/workers").glob("search.*.js"))
    code = worker.read_text(encoding="utf-8")
    text = (f"var __search = {{index: Promise.resolve({json.dumps(index)}), worker: "
            f"URL.createObjectURL(new Blob([{json.dumps(code)}], {{type: 'text/javascript'}}))}}\n")
    (site / "search_offline.js").write_text(text.replace("</", "<\\/"), encoding="utf-8")


def build(folder: pathlib.Path) -> pathlib.Path:
    """Builds the site in `folder`; returns where it is."""
    for name in ("pages", "theme", "site"):
        shutil.rmtree(folder / name, ignore_errors=True)
    pages = folder / "pages"
    pages.mkdir(parents=True)
    Pages(pages).copy_all()
    shutil.copyfile(HERE / "theme/book.css", pages / "book.css")
    (folder / "theme").mkdir()
    shutil.copyfile(HERE / "theme/main.html", folder / "theme/main.html")
    text = (HERE / "mkdocs.yml").read_text(encoding="utf-8")
    (folder / "mkdocs.yml").write_text(configuration(pages, text), encoding="utf-8")
    python_path = os.pathsep.join([str(HERE), str(ROOT / "tests/lint")])
    done = subprocess.run(
        ["mkdocs", "build", "--strict", "--quiet", "-f", folder / "mkdocs.yml"],
        env={**os.environ, "PYTHONPATH": python_path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SiteError(done.stdout + done.stderr)
    finish_search(folder / "site")
    return folder / "site"


if __name__ == "__main__":
    try:
        build(ROOT / "build/docs")
    except SiteError as error:
        sys.exit(f"docs: {error}")
