"""/docs as a plain page: made here from the OpenAPI document, without a script and without anything from a network."""

from __future__ import annotations

import json
from html import escape
from typing import Any

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
}

_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>%s</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
body { color: #1a1a1a; background: #fff }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #ccc } code, pre { font: 14px/1.4 ui-monospace, monospace }
pre { background: #f4f4f4; padding: .75rem; white-space: pre-wrap; overflow-wrap: anywhere }
summary { cursor: pointer }
.verb { font-weight: 700; color: #00528c } .open { color: #555 }
</style></head><body><h1>%s</h1><p>%s</p>
"""


def render(document: dict[str, Any], host: str) -> str:
    """The page of an OpenAPI document: each route with its form, its example and a call for the command line.

    host  as the browser asked for it, with the port; it is shown, and shown only escaped
    """
    info = document["info"]
    parts = [_HEAD % (escape(info["title"]), escape(info["title"]), escape(info.get("description", "")))]
    parts.append('<p>The whole schema as JSON: <a href="openapi.json">openapi.json</a></p>')
    for path, verbs in document["paths"].items():
        parts += [_route(f"http://{host}", path, verb, document) for verb in verbs]
    return "".join([*parts, "</body></html>"])


def _route(base: str, path: str, verb: str, document: dict[str, Any]) -> str:
    route = document["paths"][path][verb]
    body = route.get("requestBody", {}).get("content", {}).get("application/json", {})
    answer = route.get("responses", {}).get("200", {}).get("content", {}).get("application/json", {})
    secured = "needs the bearer token" if route.get("security") else "open"
    parts = [
        f'<h2><span class="verb">{verb.upper()}</span> <code>{escape(path)}</code></h2>',
        f'<p>{escape(route.get("summary", ""))} <span class="open">({secured})</span></p>',
    ]
    if body:
        parts.append(f"<pre>{escape(_call(base + path, body.get('example', {})))}</pre>")
        parts.append(_schema("Form of the body", body, document))
    if answer:
        parts.append(_schema("Form of the answer", answer, document))
    return "".join(parts)


def _call(address: str, example: Any) -> str:
    text = _short(json.dumps(example, ensure_ascii=False))
    return f"curl -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' -d '{text}' {address}"


def _short(text: str) -> str:
    return text if len(text) <= 600 else text[:600] + " ..."


def _schema(title: str, content: dict[str, Any], document: dict[str, Any]) -> str:
    schema = content.get("schema", {})
    named = [schema, *schema.get("anyOf", [])]
    names = [part["$ref"].rpartition("/")[2] for part in named if "$ref" in part]
    shown = {name: document["components"]["schemas"].get(name, {}) for name in names} or schema
    text = escape(json.dumps(shown, indent=1, ensure_ascii=False))
    return f"<details><summary>{escape(title)}</summary><pre>{text}</pre></details>"
