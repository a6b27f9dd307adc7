"""The page of the review queue in a real browser: by the keyboard alone, silent, within the screen, inert to markup."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import registry
from serving import app, keyring
from tasks import get

from .conftest import Asked, World
from .haproxy import before
from .test_follow import until

MARKUP = {
    "text": "<img src=x onerror=document.title='stolen'> Profit </dd><script>document.title='stolen'</script> fell."
}
DOUBTFUL = {"text": "The profit \u200brose by 4 percent."}
Key = Callable[[str], str]


@pytest.fixture(scope="module")
def address(asked: Asked) -> Iterator[str]:
    secret = str(asked.http.headers["authorization"]).removeprefix("Bearer ")
    with before(app.build(asked.parts, secret)) as port:
        yield f"http://127.0.0.1:{port}/review"


@pytest.fixture
def key(world: World, asked: Asked, request: pytest.FixtureRequest) -> Key:
    """A key of a tenant that has three decisions in its queue, one with markup and one doubtful."""
    tenant = f"page-{abs(hash(request.node.name)) % 10**8}"

    def issue(role: str) -> str:
        _, secret = registry.new_api_key(world.book, registry.Grant(tenant, role), "a test")
        keyring.look(asked.parts.keys, world.book)
        return secret

    own = {"Authorization": f"Bearer {issue('operator')}"}
    for item in (MARKUP, {"text": "Net sales rose."}, DOUBTFUL):
        asked.http.post("/v1/tasks/sentiment", json=item, headers=own).raise_for_status()
    until(lambda: len(asked.http.get("/v1/review", headers=own).json()["open"]) == 3)
    return issue


def opened(chromium: Any, address: str, secret: str, width: int, scheme: str) -> tuple[Any, list[str], list[str]]:
    """The page with a key given to it; what it says on the console, and which addresses it asks."""
    page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    page.keyboard.type(secret)
    page.keyboard.press("Enter")
    page.wait_for_selector("#main:not([hidden])")
    return page, said, asked


def waits(page: Any, count: int) -> None:
    """Wait until the queue is that long."""
    from playwright.sync_api import expect

    expect(page.locator("#list li")).to_have_count(count)


def tells(page: Any, text: str) -> None:
    """Wait until the page tells that."""
    from playwright.sync_api import expect

    expect(page.locator("#told")).to_contain_text(text)


@pytest.mark.parametrize(("width", "scheme"), [(1360, "light"), (390, "dark")])
def test_a_queue_is_worked_through_by_the_keyboard_alone(
    chromium: Any, address: str, key: Key, world: World, width: int, scheme: str
) -> None:
    page, said, asked = opened(chromium, address, key("validator"), width, scheme)
    assert page.locator("#list li").count() == 3
    assert "abstained" in page.locator("#list li").first.inner_text()
    assert page.locator("#item").inner_text() == f"text\n{DOUBTFUL['text']}"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert MARKUP["text"] in page.locator("#item").inner_text()
    page.keyboard.press("k")
    page.keyboard.press("k")
    told = page.locator("#told")
    page.keyboard.press("d")
    assert told.inner_text() == "Say why first."
    page.keyboard.type("hidden signs")
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    waits(page, 2)
    page.keyboard.press("Enter")
    waits(page, 1)
    other = next(n for n in (1, 2, 3) if page.locator(f"#choices button:nth-child({n})[aria-pressed=false]").count())
    page.keyboard.press(str(other))
    page.keyboard.press("r")
    page.keyboard.type("no news in it")
    page.keyboard.press("Enter")
    waits(page, 0)
    assert told.inner_text() == "Kept: overridden. 0 wait."
    assert said == [] and page.title() == "Assay: decisions to look at"
    assert {each.rpartition("/")[0] for each in asked} == {
        address.rpartition("/")[0],
        address.rpartition("/")[0] + "/v1",
    }
    page.close()


def test_who_may_not_see_inputs_sees_none_and_a_wrong_key_is_told(chromium: Any, address: str, key: Key) -> None:
    page, _, _ = opened(chromium, address, key("viewer"), 1360, "light")
    assert "may not see" in page.locator("#told").inner_text()
    assert "Profit" not in page.content() and "profit" not in page.locator("body").inner_text()
    page.locator("#keep").click()
    tells(page, "right")
    page.locator("#key").fill("wrong")
    page.keyboard.press("Enter")
    tells(page, "bearer token")
    page.close()


def test_the_page_holds_nothing_and_its_policy_lets_nothing_in(chromium: Any, address: str) -> None:
    page = chromium.new_page()
    reply = page.goto(address)
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert reply.headers["cache-control"] == "no-store"
    page.evaluate("""() => { const s = document.createElement('script'); s.textContent = "document.title = 'stolen'";
      document.body.append(s); }""")
    assert page.title() == "Assay: decisions to look at"
    assert json.dumps(page.locator("main").is_visible()) == "false"
    page.close()


def test_several_labels_and_numbers_are_given_by_the_keyboard_too(
    chromium: Any, address: str, world: World, asked: Asked
) -> None:
    _, secret = registry.new_api_key(world.book, registry.Grant("page-kinds", "validator"), "a test")
    keyring.look(asked.parts.keys, world.book)
    own = {"Authorization": f"Bearer {secret}"}
    for name in ("volatility", "compliance"):
        asked.http.post(f"/v1/tasks/{name}", json=dict(get(name).example), headers=own).raise_for_status()
    until(lambda: len(asked.http.get("/v1/review", headers=own).json()["open"]) == 2)
    page, said, _ = opened(chromium, address, secret, 390, "light")
    for left in (1, 0):
        if page.locator("#choices button").count():
            before = page.locator("#choices button[aria-pressed=true]").count()
            page.keyboard.press("1")
            assert abs(page.locator("#choices button[aria-pressed=true]").count() - before) == 1
        else:
            page.keyboard.press("Enter")
            tells(page, "Choose a label first.")
            page.locator("#value").focus()
            page.keyboard.type("0.2")
            page.keyboard.press("Escape")
        page.keyboard.press("r")
        page.keyboard.type("seen since")
        page.keyboard.press("Enter")
        waits(page, left)
    assert said == [] and page.evaluate("document.documentElement.scrollWidth") <= 390
    kept = [
        label for name in ("volatility", "compliance") for label in registry.labelled(world.book, name, ["page-kinds"])
    ]
    assert [label.kind for _, label in kept] == ["override", "override"]
    page.close()
