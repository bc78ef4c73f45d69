#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Pictures of three pages of the built site, light and dark, on a narrow and a wide screen.

They are for looking at: nothing is compared.
"""

import functools
import http.server
import pathlib
import subprocess
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
SITE = ROOT / "build/docs/site"
PICTURES = ROOT / "build/docs/screenshots"
PAGES = {"index": "index.html", "one_pass": "book/one_pass.html", "readuntil": "readuntil.html"}
SIZES = {360: 3000, 1440: 2400}  # Width and height, in pixels.
FRAME = """<!doctype html><meta charset="utf-8"><style>body {{ margin: 0 }}
iframe {{ border: 0; width: {0}px; height: {1}px }}</style><iframe src="/{2}"></iframe>"""
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--hide-scrollbars", "--virtual-time-budget=5000"]


class Handler(http.server.SimpleHTTPRequestHandler):
    """The site, and under /frame/WIDTH/HEIGHT/ each page of it in a frame of that size: a window
    cannot be as narrow as a telephone."""

    def do_GET(self):
        if not self.path.startswith("/frame/"):
            return super().do_GET()
        text = FRAME.format(*self.path.split("/", 4)[2:]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments):
        pass


def take(address: str, dark: bool, width: int, height: int, picture: pathlib.Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        scheme = ["--force-dark-mode"] if dark else []
        subprocess.run(["chromium", *FLAGS, *scheme, f"--user-data-dir={folder}",
                        f"--window-size={max(width, 500)},{height}", f"--screenshot={picture}",
                        address],
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=120, check=True)


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    handler = functools.partial(Handler, directory=str(SITE))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name, page in PAGES.items():
        for width, height in SIZES.items():
            for dark in (False, True):
                picture = PICTURES / f"{name}-{width}-{'dark' if dark else 'light'}.png"
                address = f"http://127.0.0.1:{server.server_port}/frame/{width}/{height}/{page}"
                take(address, dark, width, height, picture)
                print(picture.relative_to(ROOT))


if __name__ == "__main__":
    main()
