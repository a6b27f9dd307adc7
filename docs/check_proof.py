"""Checks a proof that `./assay checkpoint prove EVENT --json` wrote, or `extend NUMBER`, by the standard library alone.

python3 check_proof.py FILE [ROOT]   where ROOT is the root of a checkpoint that you kept on paper
"""

import hashlib
import json
import pathlib
import sys

proof = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
newest, event, kept = proof["checkpoint"], proof.get("event"), proof.get("first") or proof["checkpoint"]
hashes = [bytes.fromhex(each) for each in proof.get("inclusion", proof.get("consistency"))]
last = newest["size"] - 1


def node(left, right):
    """The hash over two subtrees (RFC 6962, 2.1)."""
    return hashlib.sha256(b"\1" + left + right).digest()


if event:  # its digest is that of its other fields, and is the content of its leaf
    fields = {name: value for name, value in event.items() if name != "digest"}
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    place, digest = event["seq"] - 1, hashlib.sha256(text.encode()).digest()
    one = two = hashlib.sha256(b"\0" + digest).digest()
else:  # the kept tree is the left part of the newest one
    place, one, last = kept["size"] - 1, bytes.fromhex(kept["root"]), last if kept["size"] < newest["size"] else 0
    while last and place % 2:
        place, last = place // 2, last // 2
    one = two = hashes.pop(0) if last and place else one
while last and hashes:
    if place % 2 or place < last:
        beside = hashes.pop(0)
        one, two = (node(beside, one), node(beside, two)) if place % 2 else (one, node(two, beside))
    place, last = place // 2, last // 2
whole = not hashes and two.hex() == newest["root"] and (event or one.hex() == kept["root"])
if not whole or sys.argv[2:] not in ([], [kept["root"]]):
    sys.exit("does not hold: the proof does not lead to the root")
print(f"holds: checkpoint {newest['number']}, {newest['size']} events, root {newest['root']}")
