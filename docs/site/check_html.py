#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every link and anchor of a built site resolves, and no page loads anything from elsewhere."""

import html.parser
import pathlib
import re
import sys
import urllib.parse

LOADED = {("script", "src"), ("img", "src"), ("source", "src"), ("iframe", "src"),
          ("link", "href"), ("video", "src"), ("audio", "src"), ("object", "data")}
ELSEWHERE = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//|[a-z][a-z0-9+.-]*:", re.IGNORECASE)
CSS_URL = re.compile(r"url\(\s*['\"]?((?:https?:)?//[^)'\"]+)|"
                     r"@import\s+['\"]((?:https?:)?//[^'\"]+)")


class Page(html.parser.HTMLParser):
    """What a page links to, what it loads, and which anchors it has."""

    def __init__(self, text: str):
        super().__init__()
        self.links: list[tuple[int, str]] = []
        self.loads: list[tuple[int, str]] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        line = self.getpos()[0]
        for name, value in attributes:
            if value is None:
                continue
            if name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value)
            if (tag, name) in LOADED:
                self.loads.append((line, value))
            elif tag == "a" and name == "href":
                self.links.append((line, value))


class Site:
    """All pages below a folder."""

    def __init__(self, root: pathlib.Path):
        self.root = root
        self.errors: list[str] = []
        self.checked = 0
        # The page for what is not there is served from any place: its links are absolute.
        self.pages = {path: Page(path.read_text(encoding="utf-8"))
                      for path in sorted(root.rglob("*.html")) if path.name != "404.html"}

    def error(self, path: pathlib.Path, line: int, message: str) -> None:
        self.errors.append(f"{path.relative_to(self.root)}:{line}: {message}")

    def resolve(self, page: pathlib.Path, line: int, link: str) -> None:
        self.checked += 1
        path, _, anchor = link.partition("#")
        path = urllib.parse.unquote(path.partition("?")[0])
        target = (page.parent / path).resolve() if path else page
        if target.is_dir():
            target = target / "index.html"
        if not target.is_file():
            self.error(page, line, f"{link}: no such file")
        elif anchor and target.suffix == ".html":
            if urllib.parse.unquote(anchor) not in self.pages[target].anchors:
                self.error(page, line, f"{link}: no such anchor")

    def check(self) -> None:
        for path, page in self.pages.items():
            for line, link in page.links:
                if not ELSEWHERE.match(link):
                    self.resolve(path, line, link)
            for line, link in page.loads:
                if link.startswith("data:"):
                    continue
                if ELSEWHERE.match(link):
                    self.error(path, line, f"{link} is loaded from elsewhere")
                else:
                    self.resolve(path, line, link)
        for path in sorted(self.root.rglob("*.css")):
            for found in CSS_URL.findall(path.read_text(encoding="utf-8")):
                self.error(path, 1, f"{found[0] or found[1]} is loaded from elsewhere")


def main() -> int:
    site = Site(pathlib.Path(sys.argv[1]).resolve())
    site.check()
    for error in site.errors:
        print(error)
    if site.errors or not site.pages:
        print(f"{len(site.errors)} of the site's links do not resolve")
        return 1
    print(f"{len(site.pages)} pages, {site.checked} links and anchors: all resolve")
    return 0


if __name__ == "__main__":
    sys.exit(main())
