"""The page of the review queue: one file, nothing from a network, and no text of a decision in it.

It is open as /docs is, for it holds nothing; whoever uses it gives a key, which stays in the page's memory and goes
with each of its requests. The policy lets run what stands in the file, by digest, and nothing that is put into it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

TEXT = Path(__file__).with_name("review.html").read_text(encoding="utf-8")


def _digest(tag: str) -> str:
    """The digest of what stands in an element, as a policy writes it."""
    found = re.search(f"<{tag}>(.*?)</{tag}>", TEXT, re.DOTALL)
    assert found is not None, f"review.html has no <{tag}>"
    return "'sha256-" + base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode() + "'"


HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; script-src {_digest('script')}; style-src {_digest('style')}; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
}
