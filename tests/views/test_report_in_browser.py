"""The page of a run in a real browser: nothing fetched, nothing wrong, nothing too wide."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# A system's browser; Playwright's own where it has been downloaded.
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        place = next(filter(None, map(shutil.which, NAMES)), driver.chromium.executable_path)
        if not os.path.exists(place):
            pytest.skip("no Chromium is installed")
        # Containers run as root, which Chromium's sandbox refuses.
        made = driver.chromium.launch(executable_path=place, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.mark.parametrize(
    ("width", "scheme", "dark"),
    [(1000, "light", False), (1000, "dark", True), (360, "light", False)],
)
def test_a_browser_shows_the_page(
    browser: Any, folder: Path, width: int, scheme: str, dark: bool
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    said: list[str] = []
    fetched: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: fetched.append(request.url))
    address = (folder / "report.html").as_uri()
    page.goto(address, wait_until="load")
    assert said == []
    assert [url for url in fetched if not url.startswith("data:")] == [address]
    images = page.evaluate("[...document.images].map(i => [i.alt, i.naturalWidth, i.complete])")
    assert len(images) >= 5
    assert all(alt and wide > 0 and complete for alt, wide, complete in images)
    # Nothing sticks out: what is wide scrolls by itself.
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    red = int(colour.removeprefix("rgb(").split(",")[0])
    assert (red < 60) == dark
    page.close()
