"""`./assay data ...`: a recipe's data looked at, imitated, fetched; files redacted and restored."""

from __future__ import annotations

from argparse import Namespace

from flows import console, paths
from flows.documents import BAD_INPUT, DONE, show
from infra.settings import Settings


def data(arguments: Namespace) -> int:
    """The verb that was asked for; status 2 where a file is wrong."""
    verbs = {"get": _get, "redact": _redact, "restore": _restore, "synthesise": _synthesise}
    return verbs.get(arguments.verb, _look)(arguments)


def _look(arguments: Namespace) -> int:
    """What is wrong and what is odd in the data of every task, or their cards."""
    from flows import data as looked

    asked = (paths.recipe(arguments.name), arguments.set)
    document = looked.check(*asked) if arguments.verb == "check" else looked.cards(*asked, arguments.out)
    if arguments.json:
        console.emit(document)
    else:
        for table in (looked.tables if arguments.verb == "check" else looked.card_tables)(document):
            console.show(table)
    return DONE if document["ok"] else BAD_INPUT


def _get(arguments: Namespace) -> int:
    """A public set, its licence first."""
    from tasks.data import public

    into = Settings().root / "data"
    return show(arguments, public.get(arguments.name, accepted=arguments.accept_licence, into=into))


def _redact(arguments: Namespace) -> int:
    """A file without what tells people."""
    from flows import redact

    file = paths.given(arguments.name)
    return show(arguments, redact.run(file, arguments.out, arguments.key, arguments.kind, arguments.spans))


def _restore(arguments: Namespace) -> int:
    """A file whose pseudonyms are read back."""
    from flows import redact

    return show(arguments, redact.restore(paths.given(arguments.name), arguments.out, arguments.key))


def _synthesise(arguments: Namespace) -> int:
    """Rows that nobody is, like those of a recipe."""
    from flows import synthesise

    document = synthesise.run(paths.recipe(arguments.name), arguments.set, arguments.out or paths.given("synthetic"))
    return show(arguments, document)
