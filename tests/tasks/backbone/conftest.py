"""The embedded body, opened once."""

from __future__ import annotations

import pytest

from tasks.backbone.body import Backbone
from tasks.backbone.load import open_backbone
from tasks.backbone.section import BackboneSection


@pytest.fixture(scope="module")
def minilm() -> Backbone:
    return open_backbone(BackboneSection())
