"""The command `./assay`: exit status 0 done, 1 a gate or a check said no, 2 bad usage or bad input, in one sentence."""

from __future__ import annotations

import argparse
import importlib
import keyword
import sys
from collections.abc import Callable, Sequence
from typing import Any

from flows import environment, faults, paths
from infra import settings

BAD_INPUT, INTERRUPTED = 2, 130


Argument = tuple[tuple[str, ...], dict[str, Any]]


def _positive(text: str) -> int:
    """A whole number from 1 on."""
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


RECIPE: Argument = (
    ("recipe",),
    {"metavar": "RECIPE", "type": paths.recipe, "help": "a TOML file, as flows/recipes/demo.toml"},
)
SET: Argument = (("--set",), {"action": "append", "default": [], "metavar": "KEY=VALUE", "help": "override a key"})
VERSION: Argument = (("version",), {"metavar": "VERSION", "help": "task@number or task@alias, as sentiment@champion"})
MAYBE_VERSION: Argument = (("version",), {"metavar": "VERSION", "nargs": "?"})
SINCE: Argument = (("--since",), {"metavar": "CHECKPOINT", "help": "its number, last, or SIZE:ROOT from paper"})
AS_OF: Argument = (("--as-of",), {"metavar": "TIME", "help": "the history up to it, and who was champion: ISO 8601"})
SEEN: Argument = (("--accept",), {"metavar": "EVENT", "help": "record that a person has seen what is wrong there"})
MAYBE_PERSON: Argument = (("--as",), {"dest": "by", "metavar": "NAME", "help": "who accepts it"})
MAYBE_REASON: Argument = (("--reason",), {"metavar": "TEXT", "help": "why"})
WITNESSED: Argument = (("verb",), {"choices": ["prove", "extend", "accept"], "nargs": "?", "help": "else: print it"})
OF_WHICH: Argument = (("name",), {"metavar": "NUMBER", "nargs": "?", "help": "prove: an event; extend: a checkpoint"})
REPORT: Argument = (("--report",), {"action": "store_true", "help": "measure the acceptance rows of its report"})
OTHER: Argument = (("other",), {"metavar": "VERSION"})
TASK: Argument = (("task",), {"metavar": "TASK", "help": "a folder of tasks/"})
MAYBE_TASK: Argument = (("task",), {"metavar": "TASK", "nargs": "?"})
TIME: Argument = (("time",), {"metavar": "TIME", "help": "ISO 8601 with a zone"})
LIMIT: Argument = (("--limit",), {"type": _positive, "default": 100, "metavar": "N", "help": "at most so many"})
AFTER_VERSION: Argument = (("--after",), {"metavar": "VERSION", "help": "go on with those older than this one"})
AFTER_EVENT: Argument = (("--after",), {"type": _positive, "metavar": "EVENT", "help": "go on before this event"})
SUBJECT: Argument = (("subject",), {"nargs": "?", "metavar": "VERSION|TASK|PERSON", "help": "everything without it"})
TRACED: Argument = (("name",), {"metavar": "DECISION|SNAPSHOT|ROW", "help": "its id; a snapshot's digest"})
NAME: Argument = (("name",), {"metavar": "NAME"})
PERSON: Argument = (("--as",), {"dest": "by", "required": True, "metavar": "NAME", "help": "who decides"})
MOVER: Argument = (
    ("--as",),
    {"dest": "by", "default": "", "metavar": "NAME", "help": "the operator who signs; else the one whose key is here"},
)
AUTHOR: Argument = (
    ("--as",),
    {"dest": "by", "default": "", "metavar": "NAME", "help": "its author; else the one whose key is here"},
)
UNTIL: Argument = (
    ("--until",),
    {"default": "", "metavar": "DATE", "help": "the last day on which it may answer, in UTC; or a time with a zone"},
)
REASON: Argument = (("--reason",), {"required": True, "metavar": "TEXT", "help": "why"})
ITEM: Argument = (
    ("file",),
    {"nargs": "?", "metavar": "FILE", "type": paths.given, "help": "a JSON item, - for stdin; else the task's example"},
)
FORMAT: Argument = (("--format",), {"choices": ["html", "pdf", "json"], "default": "html"})
DATA: tuple[Argument, ...] = (
    (
        ("verb",),
        {"choices": ["check", "card", "get", "redact", "restore", "synthesise"], "help": "what is done"},
    ),
    (("name",), {"metavar": "NAME", "help": "a recipe to check, show the cards of or imitate; a set to get; a file"}),
    SET,
    (("--accept-licence",), {"action": "store_true", "help": "get: you have read the licence and accept it"}),
    (
        ("--out",),
        {"default": "", "metavar": "FILE", "type": paths.given, "help": "what is written, beside it if not given"},
    ),
    (("--key",), {"default": "", "metavar": "FILE", "type": paths.given, "help": "redact: pseudonyms under this key"}),
    (("--kind",), {"action": "append", "default": [], "metavar": "KIND", "help": "redact: only this; may be repeated"}),
    (("--spans",), {"default": "", "metavar": "FILE", "type": paths.given, "help": "redact: where of what was found"}),
)
MOVE: Argument = (("verb",), {"choices": ["start", "stop"], "help": "put a version on trial, or end its trial"})
MOVED: Argument = (("name",), {"metavar": "VERSION|TASK", "help": "the version to start, or the task to stop"})
FILE: Argument = (
    ("file",),
    {"metavar": "FILE", "type": paths.given, "help": "a .csv, .jsonl or .parquet file, or a pattern"},
)
OUT: Argument = (
    ("--out",),
    {"required": True, "metavar": "FILE", "type": paths.given, "help": ".csv, .jsonl or .parquet"},
)
PART: Argument = (("--rows-per-part",), {"type": int, "metavar": "N", "help": "rows that a killed run may lose"})
ONCE: Argument = (("--once",), {"action": "store_true", "help": "ask one question of every endpoint, then end"})
DECISION: Argument = (("decision",), {"nargs": "?", "metavar": "DECISION", "help": "the id that an answer carries"})
LAST: Argument = (("--last",), {"type": int, "metavar": "N", "help": "the newest N decisions instead of one"})
EXPLAINED: Argument = (("decision",), {"metavar": "DECISION", "help": "the id that an answer carries"})
LETTER: Argument = (("--letter",), {"action": "store_true", "help": "one page in plain words, to whom it is about"})
OFFLINE: Argument = (("--offline",), {"action": "store_true", "help": "by the registry's files, without a service"})
TENANT: Argument = (("--tenant",), {"required": True, "metavar": "TENANT", "help": "whose inputs"})
BEFORE: Argument = (("--before",), {"required": True, "metavar": "DATE", "help": "the first day of a month"})

TOKENS: tuple[Argument, ...] = (
    (("verb",), {"choices": ["new", "list", "rotate", "revoke"], "help": "what is done"}),
    (("name",), {"metavar": "ID", "nargs": "?", "help": "the key to rotate or revoke"}),
    (("--tenant",), {"default": "default", "metavar": "TENANT", "help": "new: whose decisions it makes and sees"}),
    (("--role",), {"default": "", "metavar": "ROLE", "help": "new: viewer, operator, validator or admin"}),
    (("--scope",), {"action": "append", "default": [], "metavar": "RIGHT", "help": "new: only this of its role"}),
    (("--days",), {"type": int, "default": 90, "metavar": "N", "help": "new: how long it lives"}),
)

EXPORT: tuple[Argument, ...] = (
    VERSION,
    (("--to",), {"required": True, "choices": ["hf", "mlflow", "bundle"], "help": "in which form"}),
    (("folder",), {"metavar": "DIR", "type": paths.given, "help": "a folder that is new or empty"}),
)

IMPORT: tuple[Argument, ...] = (
    (("bundle",), {"metavar": "BUNDLE", "type": paths.given, "help": "the folder that export --to bundle wrote"}),
    (
        ("--key",),
        {"action": "append", "default": [], "metavar": "KEY", "help": "the public key that must have sealed it"},
    ),
    (("--as",), {"dest": "by", "default": "", "metavar": "NAME", "help": "who stands for it here as its author"}),
)

KEYS: tuple[Argument, ...] = (
    (("verb",), {"choices": ["init", "add", "rotate", "retire", "list"], "help": "what is done"}),
    (("name",), {"metavar": "NAME", "nargs": "?", "help": "the person"}),
    (
        ("--role",),
        {
            "action": "append",
            "default": [],
            "metavar": "ROLE",
            "help": "init, add: author, validator, operator or admin",
        },
    ),
    (("--as",), {"dest": "by", "default": "", "metavar": "NAME", "help": "who signs that: an admin, or the person"}),
    (
        ("--public",),
        {"default": "", "metavar": "FILE", "type": paths.given, "help": "add, rotate: the PEM of a key made elsewhere"},
    ),
)

NEW: tuple[Argument, ...] = (
    (("name",), {"metavar": "NAME", "help": "what the task is to be called"}),
    (("file",), {"metavar": "FILE", "type": paths.given, "help": "CSV, JSONL or Parquet"}),
    (("--target",), {"default": "", "metavar": "COLUMN", "help": "the column that holds the truth"}),
    (("--like",), {"default": "", "metavar": "TASK", "help": "a shipped task whose models it takes over"}),
    (("--group",), {"default": "", "metavar": "COLUMN", "help": "rows of one group stay on one side of a split"}),
    (("--time",), {"default": "", "metavar": "COLUMN", "help": "when a row happened; it is then divided by time"}),
)

COMMANDS: tuple[tuple[str, str, tuple[Argument, ...]], ...] = (
    ("doctor", "look at every part: ok, or what is wrong and the cure", ()),
    ("new", "a task folder and a recipe, guessed from a file; nothing is learned", NEW),
    ("retrain", "data, train, validate, explain, register, ask for approval", (RECIPE, SET, AUTHOR)),
    ("versions", "the newest versions of one task, or of all", (MAYBE_TASK, LIMIT, AFTER_VERSION)),
    ("show", "one version: digests, worth, approvals; all metrics with --json", (VERSION,)),
    ("as-of", "which version was champion of each task at a time, and what answered", (TIME,)),
    ("history", "what happened to a version or task, or what a person did", (SUBJECT, LIMIT, AFTER_EVENT)),
    ("trace", "a decision to its training rows; a snapshot or a row to its decisions", (TRACED,)),
    ("diff", "what differs between two versions", (VERSION, OTHER)),
    ("approve", "a person lets a version answer", (VERSION, PERSON, REASON, UNTIL)),
    ("reject", "a person refuses a version", (VERSION, PERSON, REASON)),
    ("revoke", "a person takes an approval back; the version before answers", (VERSION, PERSON, REASON)),
    ("promote", "make an approved version the champion of its task", (VERSION, MOVER)),
    ("rollback", "give the task back to the champion before", (TASK, MOVER)),
    ("export", "write a version for others: a PEFT folder, an MLflow model, a bundle with its proofs", EXPORT),
    ("import", "take a bundle in: registered with its origin told, awaiting approval", IMPORT),
    ("releases", "what answers, what is on trial, and every step of it", ()),
    ("release", "start VERSION | stop TASK: try a version beside the champion", (MOVE, MOVED)),
    ("serve", "answer over HTTP with the champions, until Ctrl-C", (RECIPE, SET)),
    ("ask", "one question to the running endpoint", (TASK, ITEM)),
    ("score", "answers of a version to every row of a file; a killed run is taken up", (VERSION, FILE, OUT, PART)),
    ("evaluate", "a version on a labelled file; exit 1 where it is worse than its report says", (VERSION, FILE)),
    ("report", "the report of a version", (VERSION, FORMAT)),
    (
        "verify",
        "check artifacts, history and reports against their digests",
        (MAYBE_VERSION, REPORT, SINCE, AS_OF, SEEN, MAYBE_PERSON, MAYBE_REASON),
    ),
    (
        "checkpoint",
        "what the history holds, signed, to be kept on paper; prove EVENT | extend NUMBER | accept",
        (WITNESSED, OF_WHICH, MAYBE_PERSON, MAYBE_REASON),
    ),
    ("replay", "a decision again; exit 1 where it is not the same", (DECISION, LAST, OFFLINE)),
    ("explain", "why a decision fell as it did, and what would have turned it", (EXPLAINED, LETTER, OFFLINE)),
    ("erase", "destroy the keys of a tenant's inputs of past months; the rows stay", (TENANT, BEFORE)),
    ("keys", "init, add, rotate, retire NAME, list: persons, by whose keys verdicts are signed", KEYS),
    ("tokens", "new, list, rotate ID, revoke ID: keys of the endpoints", TOKENS),
    (
        "collect",
        "list what the store holds and no version names; --remove what is a day old",
        ((("--remove",), {"action": "store_true", "help": "orphans and unfinished files of more than 24 hours"}),),
    ),
    ("migrate", "bring the registry's tables up to date, and PostgreSQL's roles to their rights", ()),
    ("bench", "measure ours beside a peer in one run", (NAME, SET)),
    ("data", "check | card | synthesise RECIPE, get NAME, redact FILE, restore FILE: data before it is learned", DATA),
    ("up", "what `make run` does: retrain, release, serve, schedule", (RECIPE, ONCE)),
)


# Commands that stand in a file of their own kind; the others, in flows/commands.py.
ELSEWHERE = {
    **dict.fromkeys(("promote", "rollback", "revoke", "releases", "release"), "moves"),
    "data": "data_commands",
    "import": "bundle",
    **dict.fromkeys(("versions", "show", "as-of", "history", "diff"), "known"),
    **{name: name for name in ("checkpoint", "collect", "export", "keys", "migrate", "tokens", "trace", "verify")},
}


def parser() -> argparse.ArgumentParser:
    """Every command with its arguments; `--json` is understood by all."""
    top = argparse.ArgumentParser(prog="assay", description="Fine-tune, prove, release, serve and explain models.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text, arguments in COMMANDS:
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--json", action="store_true", help="one JSON document on stdout, the rest on stderr")
        for flags, options in arguments:
            command.add_argument(*flags, **options)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit status."""
    arguments = parser().parse_args(argv)
    try:
        with faults.terminate_as_interrupt(), faults.told():
            return _run(arguments)
    except ValueError as error:
        # Every error that a user can cause is a ValueError whose message is a sentence with the cure.
        sys.stderr.write(f"assay {arguments.command}: {error}\n")
        return getattr(error, "exit_status", BAD_INPUT)
    except KeyboardInterrupt:
        sys.stderr.write(f"\nassay {arguments.command}: interrupted; what was finished is kept\n")
        return INTERRUPTED


def _run(arguments: argparse.Namespace) -> int:
    paths.settle()
    environment.apply(settings.read())
    if hasattr(arguments, "set"):
        arguments.set = paths.overrides(arguments.set, getattr(arguments, "recipe", None))
    from flows import console

    console.keep_stdout()
    module = importlib.import_module(f"flows.{ELSEWHERE.get(arguments.command, 'commands')}")
    command: Callable[[argparse.Namespace], int] = getattr(module, _function(arguments.command))
    return command(arguments)


def _function(command: str) -> str:
    """The name of its function, which must not be a word of the language."""
    name = command.replace("-", "_")
    return f"{name}_" if keyword.iskeyword(name) else name


if __name__ == "__main__":
    sys.exit(main())
