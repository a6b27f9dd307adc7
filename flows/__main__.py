"""The command `./assay`: exit status 0 done, 1 a gate or a check said no, 2 bad usage or bad input, in one sentence."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

from flows import environment
from infra.settings import Settings

DONE, SAID_NO, BAD_INPUT = 0, 1, 2


def parser() -> argparse.ArgumentParser:
    """Every command with its arguments; `--json` is understood by all."""
    top = argparse.ArgumentParser(
        prog="assay", description="Fine-tune, prove, release, serve and explain models for finance."
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, help_text: str, *arguments: tuple[Sequence[str], dict[str, Any]]) -> None:
        command = commands.add_parser(name, help=help_text, description=help_text)
        command.add_argument(
            "--json", action="store_true", help="one JSON document on stdout, everything else on stderr"
        )
        for flags, options in arguments:
            command.add_argument(*flags, **options)

    recipe = (["recipe"], {"metavar": "RECIPE", "help": "a TOML file, as flows/recipes/demo.toml"})
    settings = (
        ["--set"],
        {"action": "append", "default": [], "metavar": "KEY=VALUE", "help": "override a key of the recipe"},
    )
    version = (["version"], {"metavar": "VERSION", "help": "task@number or task@alias, as sentiment@champion"})
    task = (["task"], {"metavar": "TASK", "help": "a folder of tasks/"})
    person = (["--as"], {"dest": "by", "required": True, "metavar": "NAME", "help": "who decides"})
    reason = (["--reason"], {"required": True, "metavar": "TEXT", "help": "why"})

    add("doctor", "look at every part: ok, or what is wrong and the cure")
    add("retrain", "data, train, validate, explain, register, ask for approval", recipe, settings)
    add("versions", "the versions of one task, or of all", (["task"], {"nargs": "?", "metavar": "TASK"}))
    add("show", "one version: digests, metrics, approvals", version)
    add(
        "as-of",
        "which version was champion of each task at a time",
        (["time"], {"metavar": "TIME", "help": "ISO 8601"}),
    )
    add("diff", "what differs between two versions", version, (["other"], {"metavar": "VERSION"}))
    add("approve", "a person lets a version answer", version, person, reason)
    add("reject", "a person refuses a version", version, person, reason)
    add("promote", "make an approved version the champion of its task", version)
    add("rollback", "give the task back to the champion before", task)
    add("serve", "answer over HTTP with the champions, until Ctrl-C", recipe, settings)
    add(
        "ask",
        "one question to the running endpoint",
        task,
        (
            ["file"],
            {"nargs": "?", "metavar": "FILE", "help": "a JSON item; - for stdin; the task's own example without it"},
        ),
    )
    add("report", "the report of a version", version, (["--format"], {"choices": ["html", "json"], "default": "html"}))
    add(
        "verify",
        "check artifacts and history against their digests",
        (["version"], {"nargs": "?", "metavar": "VERSION"}),
    )
    add(
        "bench",
        "measure ours beside a peer in one run",
        (["name"], {"metavar": "NAME", "help": "train, quality, serve, explain, registry or flow"}),
        settings,
    )
    add(
        "data",
        "get NAME: fetch a public data set, licence first",
        (["verb"], {"choices": ["get"]}),
        (["name"], {"metavar": "NAME"}),
        (["--accept-licence"], {"action": "store_true", "help": "you have read the licence and accept it"}),
    )
    add(
        "up",
        "what `make run` does: retrain, release, serve, schedule",
        recipe,
        (["--once"], {"action": "store_true", "help": "ask one question of every endpoint, then end"}),
    )
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit status."""
    arguments = parser().parse_args(argv)
    environment.apply(Settings())
    from flows import commands

    command: Callable[[argparse.Namespace], int] = getattr(commands, arguments.command.replace("-", "_"))
    try:
        return command(arguments)
    except ValueError as error:
        # Every error that a user can cause is a ValueError whose message is a sentence with the cure.
        sys.stderr.write(f"assay {arguments.command}: {error}\n")
        return BAD_INPUT
    except KeyboardInterrupt:
        sys.stderr.write(f"\nassay {arguments.command}: interrupted; what was finished is kept\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
