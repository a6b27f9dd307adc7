"""The report in a real browser: it says nothing on the console, fits the screen, and its policy holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(("width", "scheme"), [(1360, "light"), (1360, "dark"), (390, "light")])
def test_the_page_is_silent_fits_and_asks_for_nothing(chromium: Any, toy_folder: Path, width: int, scheme: str) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((toy_folder / "report.html").as_uri())
    assert said == []
    assert asked == [(toy_folder / "report.html").as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("section").count() == 23
    assert page.locator("figure.plot svg").first.bounding_box()["height"] > 50
    ink, paper = (page.evaluate(f"getComputedStyle(document.body).{name}") for name in ("color", "backgroundColor"))
    assert contrast(ink, paper) > 7
    page.close()


def test_the_policy_stops_a_script_and_a_style_that_were_put_in_later(chromium: Any, toy_folder: Path) -> None:
    page = chromium.new_page()
    content = (toy_folder / "report.html").read_text(encoding="utf-8")
    spoiled = toy_folder / "spoiled.html"
    spoiled.write_text(
        content.replace("</main>", "<script>document.title='stolen'</script><style>body{opacity:0}</style></main>"),
        encoding="utf-8",
    )
    page.goto(spoiled.as_uri())
    assert page.title() != "stolen"
    assert page.evaluate("getComputedStyle(document.body).opacity") == "1"
    page.close()
    spoiled.unlink()


def contrast(one: str, other: str) -> float:
    """WCAG contrast of two rgb() colours."""

    def light(colour: str) -> float:
        parts = [int(part) / 255 for part in colour[4:-1].split(",")]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)
