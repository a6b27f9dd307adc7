"""What HAProxy does beyond Ray Serve's template: refusals as problem+json, bodies that wait, headers that are not ours.

Serve writes HAProxy's configuration anew at every change of a replica and has no setting for any of this. The rules lie
beside it, and loopback.sh puts them in before HAProxy reads it. One refusal stays HAProxy's own, in HTML: bytes that
are no HTTP request, or headers that never end, are answered by its parser, which knows no file.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from pathlib import Path

BODY = 1024 * 1024  # bytes
BODY_SECONDS, HEADER_SECONDS = 30, 10
HEADERS, URL = 16_384, 8_192  # bytes
STREAM, STREAMED, STREAMS = "/v1/stream", "anomaly", 256  # its prefix, its task, connections at a time
MESSAGE = 65_536  # bytes of one message of a websocket
TUNNEL_SECONDS = 60  # without a byte either way, where the server pings every 20
COUNT = 100  # headers; HAProxy counts ten times as many before it stops to parse, and says so in HTML
BUFFER = BODY + 65_536  # a whole body and its headers: else a slow rest of it would wait in a replica
CONNECTIONS = 2048  # each may fill a buffer
ONGOING, FREE = 128, 32  # places of a replica for questions, and for health and metrics beside them
PROBLEM = "application/problem+json"
WRONG_TOKENS, GUESSES = 20, "x-assay-guesses"  # a minute from one address; the header that tells a replica how many

# Ray Serve reads these of any client: a name that its log takes up, a deadline, a switch that keeps work of clients
# that left; bytes in them that are no UTF-8 end in its own 500.
FOREIGN = (
    "x-request-id",
    "x-request-timeout-seconds",
    "x-request-disconnect-disabled",
    "x-session-id",
    "serve_multiplexed_model_id",
    "traceparent",
    "tracestate",
)

SENTENCES = {
    400: "this is no request that is understood; send HTTP/1.1",
    401: "a valid bearer token is needed; send Authorization: Bearer TOKEN",
    403: "this key has not the right that this needs",
    404: "there is nothing at this path; GET /docs lists what there is",
    405: "this method is not answered here; GET /docs lists what is",
    408: f"the request did not arrive in time ({HEADER_SECONDS} s for headers, {BODY_SECONDS} s for the body); "
    "send it again",
    409: "this Idempotency-Key came with another body, or is being answered; give each request a key of its own",
    410: "this Idempotency-Key was answered, and the answer was erased since; send it with another key",
    413: f"the body is larger than {BODY} bytes; send fewer items at a time",
    414: f"the address is longer than {URL} bytes; shorten it",
    415: "the body must be application/json, and plain",
    422: "the item does not fit the task; each error names its field",
    429: "more is asked at the moment than can be answered; try again after the seconds in Retry-After",
    431: f"the headers are larger than {HEADERS} bytes; send fewer",
    500: "the gateway failed; try again shortly",
    501: "this is not supported",
    502: "the answer broke off, and nothing is known of it; ask again",
    503: "nothing is ready to answer at the moment; try again after the seconds in Retry-After",
    504: "the answer did not come in time; ask again",
}
RETRY = {429: 1, 503: 5}  # seconds
OWN = (400, 403, 404, 405, 408, 413, 429, 500, 501, 502, 503, 504)  # what HAProxy says by itself
# What a replica says that does not come from our app: Serve's texts, uvicorn's. Without our app there is no 404.
OF_SERVE = {
    400: 400,
    403: 403,
    404: 503,
    405: 405,
    408: 408,
    413: 413,
    429: 429,
    431: 431,
    500: 503,
    502: 503,
    503: 503,
}


def write(folder: Path, probed: bool = False) -> None:
    """Lay the rules into the folder of HAProxy's configuration, by the section that loopback.sh puts them into.

    `probed` leaves Serve's own page of health open, which KubeRay asks; every other page of Serve's stays closed.
    """
    rules = {"global": [f"tune.http.maxhdr {10 * COUNT}"], "defaults": _defaults(), "frontend": _frontend(probed)}
    rules["nothing"] = [_answer(503)]
    for section, lines in rules.items():
        (folder / f"{section}.rules").write_text("".join(f"    {line}\n" for line in lines), encoding="ascii")


def body(status: int) -> str:
    """The problem that the gateway answers with, as serving.problem writes one."""
    told = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    return json.dumps({**told, "detail": SENTENCES[status], "errors": []}, sort_keys=True)


def _defaults() -> list[str]:
    idle = [
        "timeout http-keep-alive 40s",
        f"timeout http-request {HEADER_SECONDS}s",
        f"timeout tunnel {TUNNEL_SECONDS}s",
    ]
    return [*idle, *(f"http-error status {status} {_content(status)}" for status in OWN)]


def _frontend(probed: bool) -> list[str]:
    health = " !{ path /-/healthz }" if probed else ""
    ours = f"res.hdr(content-type) -m beg {PROBLEM}"
    return [
        *(f"http-request del-header {name}" for name in FOREIGN),
        "http-request set-header x-forwarded-for %[src]",
        *_guesses(),
        f"{_answer(431)} if {{ req.hdrs,length gt {HEADERS} }}",
        f"{_answer(431)} if {{ req.hdr_cnt gt {COUNT} }}",
        f"{_answer(414)} if {{ url_len gt {URL} }}",
        f"{_answer(413)} if {{ req.body_size gt {BODY} }}",
        f"{_answer(404)} if {{ path_beg /-/ }}{health}",  # Serve's own pages
        f"http-request wait-for-body time {BODY_SECONDS}s if !{{ method GET }} !{{ method HEAD }}",
        *(f"{_answer(told, 'response')} if {{ status {seen} }} !{{ {ours} }}" for seen, told in OF_SERVE.items()),
    ]


def _guesses() -> list[str]:
    """Count the wrong tokens of an address over all replicas, and tell each request how many there were."""
    return [
        "stick-table type ipv6 size 100k expire 2m store gpc0,gpc0_rate(60s)",
        "http-request track-sc0 src",
        f"http-request set-header {GUESSES} %[sc0_gpc0_rate]",
        "http-request set-var(txn.guess) bool(true) if { req.hdr(authorization) -m found }",
        "http-response sc-inc-gpc0(0) if { status 401 } { var(txn.guess) -m bool }",
    ]


def _answer(status: int, side: str = "request") -> str:
    return f"http-{side} return status {status} {_content(status)}"


def _content(status: int) -> str:
    wait = f" hdr Retry-After {RETRY[status]}" if status in RETRY else ""
    return f"content-type {PROBLEM} string '{body(status)}'{wait}"
