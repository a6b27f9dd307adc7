"""What every test may ask for: the lent data, one Ray, one home."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The public data sets, lent where the project is built; a user does not have them."""
    folder = Path(os.environ.get("ASSAY_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("the lent public data sets are not beside this checkout (ASSAY_SHARED_DATA says where)")
    return folder


@pytest.fixture(scope="session")
def ray_local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One local Ray for the whole session, through the same door as the product."""
    from infra import cluster
    from infra.settings import Settings

    home = tmp_path_factory.mktemp("home")
    cluster.connect(Settings(home=home))
    yield
    cluster.disconnect()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A real browser. Its library holds the event loop of this thread, so no other module may meet it."""
    from playwright.sync_api import sync_playwright

    found = os.environ.get("ASSAY_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        pytest.skip("no Chromium on this machine (ASSAY_CHROMIUM says where)")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()
