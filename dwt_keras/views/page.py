"""A page of HTML that needs nothing from elsewhere: its style, and elements with escaped text."""

from __future__ import annotations

import base64
import html
import io
import string
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_MIME = {".svg": "image/svg+xml", ".png": "image/png"}

# No script, no fonts, nothing to fetch; the policy says so to browsers.
_SKELETON = string.Template(
    """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>$title</title>
<link rel="icon" href="data:,">
<style>
:root {
  --text: #1a1a1a; --faint: #5f6368; --back: #ffffff; --card: #f5f6f8; --line: #d9dce1;
  --accent: #0072b2; --shade: 0, 114, 178; --good: #00724f; --bad: #b34700;
}
@media (prefers-color-scheme: dark) {
  :root {
    --text: #e8e8ea; --faint: #a6abb3; --back: #16181c; --card: #21242a; --line: #3a3f47;
    --accent: #6cb8ee; --shade: 86, 180, 233; --good: #4fd0a5; --bad: #ff9b5c;
  }
  /* White becomes dark, and hues stay; not of pictures, whose brightness says something. */
  figure:not(.picture) img { filter: invert(0.9) hue-rotate(180deg) brightness(1.25); }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 62rem; padding: 1.2rem; color: var(--text);
  background: var(--back); font: 1rem/1.5 system-ui, "DejaVu Sans", sans-serif;
}
h1 { font-size: 1.35rem; margin: 0 0 0.3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2.2rem 0 0.6rem; border-bottom: 1px solid var(--line); }
p { margin: 0.4rem 0; }
a { color: var(--accent); }
.faint { color: var(--faint); font-size: 0.9rem; }
.good { color: var(--good); }
.bad { color: var(--bad); }
.tiles { display: grid; gap: 0.7rem; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); }
.tile { background: var(--card); border-radius: 0.5rem; padding: 0.6rem 0.8rem; }
.tile b { display: block; font-size: 1.3rem; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.88rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.6rem; border-bottom: 1px solid var(--line); text-align: left; }
th { font-weight: 600; white-space: nowrap; }
td:first-child { min-width: 9rem; overflow-wrap: anywhere; }
.matrix td:first-child { min-width: 0; }
.right { text-align: right; white-space: nowrap; }
.matrix th, .matrix td { text-align: center; padding: 0.2rem 0.45rem; border: 0; }
figure { margin: 0.8rem 0; }
figure img { display: block; width: 100%; max-width: 46rem; height: auto; background: #fff; }
figcaption { color: var(--faint); font-size: 0.9rem; max-width: 46rem; margin-top: 0.3rem; }
.samples { display: grid; gap: 0.7rem;
  grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); }
.sample { background: var(--card); border-radius: 0.5rem; padding: 0.5rem; font-size: 0.82rem; }
.sample img { width: 100%; height: auto; image-rendering: pixelated; display: block; }
.settings { columns: 20rem; column-gap: 2rem; margin: 0; font-size: 0.88rem; }
.settings div { display: flex; gap: 0.6rem; justify-content: space-between;
  border-bottom: 1px solid var(--line); break-inside: avoid; }
.settings dt { color: var(--faint); }
.settings dd { margin: 0; overflow-wrap: anywhere; text-align: right; }
.settings .given dt, .settings .given dd { color: var(--text); font-weight: 600; }
pre { background: var(--card); border-radius: 0.5rem; padding: 0.7rem; overflow-x: auto;
  font-size: 0.85rem; }
@media print {
  :root { --text: #000; --faint: #444; --back: #fff; --card: #f3f3f3; --line: #bbb;
    --accent: #005a8c; --shade: 0, 114, 178; --good: #00563b; --bad: #8a3600; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  figure:not(.picture) img { filter: none; }
  figure img { max-height: 20cm; width: auto; max-width: 100%; }
  figure, .tile, .sample, tr, pre { break-inside: avoid; }
  h2 { break-after: avoid; }
  .scroll { overflow: visible; }
  pre { white-space: pre-wrap; }
}
</style>
</head>
<body>
$body
</body>
</html>
"""
)


def page(title: str, parts: Iterable[str]) -> str:
    """A whole page.

    Args:
        title: As text.
        parts: Elements; what is empty is left out.
    """
    return _SKELETON.substitute(title=html.escape(title), body="\n".join(filter(None, parts)))


def element(tag: str, content: str = "", **attributes: str) -> str:
    """An element with text in it.

    Args:
        tag: Its name.
        content: Text, which is escaped.
        **attributes: Values as text; an underscore behind a name (`class_`) is left out.
    """
    return wrap(tag, html.escape(content), **attributes)


def wrap(tag: str, *inside: str, **attributes: str) -> str:
    """An element with elements in it; see `element`."""
    opening = "".join(
        f' {name.rstrip("_")}="{html.escape(value)}"' for name, value in attributes.items()
    )
    return f"<{tag}{opening}>{''.join(inside)}</{tag}>"


def section(title: str, *inside: str) -> str:
    """A heading and what stands below it; nothing where that is empty."""
    content = "\n".join(filter(None, inside))
    return wrap("section", element("h2", title), content) if content else ""


def table(rows: Sequence[Sequence[str]], right_from: int, links: Sequence[str | None] = ()) -> str:
    """A table that scrolls by itself on a narrow screen.

    Args:
        rows: Text; the first row is the heading.
        right_from: Index of the first column that is set to the right.
        links: For each row below the heading where its first cell leads, or None.
    """

    def line(row: Sequence[str], tag: str, link: str | None = None) -> str:
        cells = []
        for column, text in enumerate(row):
            inside = html.escape(text)
            if link is not None and not column:
                inside = element("a", text, href=link)
            cells.append(wrap(tag, inside, **_side(column >= right_from)))
        return wrap("tr", *cells)

    head = wrap("thead", line(rows[0], "th"))
    targets = [*links, *[None] * (len(rows) - 1 - len(links))]
    body = [line(row, "td", link) for row, link in zip(rows[1:], targets, strict=True)]
    whole = wrap("table", head, wrap("tbody", *body))
    return wrap("div", whole, class_="scroll", tabindex="0")


def _side(right: bool) -> dict[str, str]:
    return {"class_": "right"} if right else {}


def tiles(values: Sequence[tuple[str, str, str]]) -> str:
    """Figures in large print: what it is, the figure, and what to add."""
    return wrap(
        "div",
        *(
            wrap(
                "div",
                element("span", name, class_="faint"),
                element("b", value),
                element("span", more, class_="faint"),
                class_="tile",
            )
            for name, value, more in values
        ),
        class_="tiles",
    )


def figure(data: bytes, suffix: str, caption: str, *, is_picture: bool = False) -> str:
    """A drawing or picture with its caption, which is its alternative text too.

    Args:
        data: The file's bytes.
        suffix: ".svg" or ".png".
        caption: As text.
        is_picture: Whether its brightness says something, so that it keeps it on a dark page.
    """
    image = f'<img src="{_address(data, suffix)}" alt="{html.escape(caption)}">'
    attributes = {"class_": "picture"} if is_picture else {}
    return wrap("figure", image, element("figcaption", caption), **attributes)


def sample(values: Array, text: str) -> str:
    """One input of a network as a small picture: an image, or a signal as a line.

    Args:
        values: Of shape (height, width, channels) with 1, 3 or 4 channels, within 0 and 1; else
            (..., channels) is drawn as one line, channel after channel.
        text: Its alternative text.
    """
    if values.ndim == 3 and values.shape[2] in (1, 3, 4):
        # Here, as pages without pictures need not wait for it.
        from matplotlib import image

        stream = io.BytesIO()
        pixels = np.clip(values, 0.0, 1.0)
        pixels = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
        image.imsave(stream, pixels, format="png")
        return f'<img src="{_address(stream.getvalue(), ".png")}" alt="{html.escape(text)}">'
    line = values.reshape(-1, values.shape[-1]).T.reshape(-1) if values.ndim > 1 else values
    low, high = float(line.min()), float(line.max())
    heights = 38 - 36 * (line - low) / ((high - low) or 1.0)
    places = np.linspace(1, 99, len(line))
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(places, heights, strict=True))
    return (
        f'<svg viewBox="0 0 100 40" role="img" aria-label="{html.escape(text)}">'
        f'<polyline points="{points}" fill="none" stroke="currentColor"/></svg>'
    )


def _address(data: bytes, suffix: str) -> str:
    return f"data:{_MIME[suffix]};base64,{base64.b64encode(data).decode('ascii')}"
