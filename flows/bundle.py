"""`./assay export --to bundle` and `./assay import`: a version with all that proves it, to another registry."""

from __future__ import annotations

import tempfile
from argparse import Namespace
from pathlib import Path

import registry
import tasks
from flows import bom, keys
from flows.documents import book, record, show
from infra.settings import Settings
from interpret.report import inside

PAGE = "README.md"
SIGNING_KEY = "keys/files.pem"  # under the home
TEXT = """# {ref}, a version of an Assay registry

| file | what it is |
|---|---|
| model/, report/ | the version's files; their digests make the digest `{digest}` |
| history.json | its events, each with the hashes that lead to the signed checkpoint; the persons whose keys signed |
| bom.cdx.json | what it is made of: CycloneDX 1.6 with a model card |
| model.sig, model.pub.pem | OpenSSF signature of model/, and the key to check it with |
| bundle.json, bundle.sig | every file here by its digest; the signature of the installation over that list |

    ./assay import DIR

takes it in, without a network; it is approved nowhere by that. Without Assay, model/ is checked by

    model_signing verify key model --signature model.sig --public_key model.pub.pem

The keys in this folder say who sealed it, not that this is who you take it for: compare them with what the sender tells
you by another way, here the key `{key}` and the checkpoint `{size}:{root}`.
"""


def write(opened: registry.Registry, version: registry.Version, made: Path) -> None:
    """Write the bundle of a version into an empty folder, its seal at last."""
    evidence = registry.lay_out(opened, version.ref, made)
    bom.write(version, made / "model", made / "report", made)
    registry.sign_files(made / "model", made, Settings().root / SIGNING_KEY)
    mark = evidence["checkpoint"]
    told = {"ref": version.ref, "digest": version.digest, **{name: mark[name] for name in ("key", "size", "root")}}
    (made / PAGE).write_text(TEXT.format(**told), encoding="utf-8")
    registry.seal(opened, made, version.ref)


def import_(arguments: Namespace) -> int:
    """Take a bundle in: registered with its origin told, awaiting approval."""
    with tempfile.TemporaryDirectory(prefix="assay-") as scratch:
        sealed = registry.unseal(Path(arguments.bundle), Path(scratch) / "bundle")
        found = registry.origin(sealed, frozenset(arguments.key))
        tasks.folder(found.version.task)  # a version of a task that nobody has here would answer nobody
        opened = book()
        run, recipe = registry.import_run(found), str(found.facts.get("recipe_digest", ""))
        author = keys.author(opened, arguments.by, run, recipe)
        version, new = registry.import_version(opened, sealed, found, inside.faults, author)
    document = {
        "version": version.ref,
        "new": new,
        "status": version.status,
        "digest": version.digest,
        "imported": record(version)["facts"]["imported"],
        "sealed_by": sealed.key,
        "trusted": bool(arguments.key),
        "paper": f"{found.checkpoint.size}:{found.checkpoint.root}",
    }
    return show(arguments, document)
