# SPDX-License-Identifier: MIT
"""Gives the headings of the site the anchors that they have on the forge."""

import md


def slugify(heading: str, separator: str) -> str:
    return md.slug(heading)
