"""Writes docs/mqadmin.md from the definitions of the commands, so that it can't say anything else than they take.

Run it with `make docs`; a test fails when the document is not what this would write.
"""

import argparse
import os
import pathlib
from typing import Final

from broker_py.cli.catalogue import COMMANDS, REFUSED
from broker_py.cli.mqadmin import parser_of

DOCUMENT: Final = pathlib.Path(__file__).resolve().parents[3] / "docs/mqadmin.md"

_HEAD: Final = """\
# mqadmin

This file is made by `make docs` from the definitions of the commands. Names and options are those of RocketMQ 5.1, and
so are the columns of tables; [differences.md](differences.md#tools) has what is printed differently. Beyond that:

- `-n` may be in `$NAMESRV_ADDR`. `-o json|yaml|csv` is for scripts; where RocketMQ's command has an `-o` of its own,
  both work (a value that is no form of output is RocketMQ's), and `--output` always does.
- The exit status is 0 when all was done, 1 when something was refused or failed, 2 for a wrong command line, 3 when a
  name server or broker does not answer. Results are on stdout, all else on stderr.
- `--dry-run` says what would be deleted or moved, and leaves it. `--watch SECONDS` shows a state again and again.
- A command, option, topic, group, broker or cluster that does not exist is answered with the nearest one that does.
- `source <(mqadmin completion bash)` completes all of these, with the names of the cluster (zsh and fish too).
"""


def document() -> str:
    """Return what docs/mqadmin.md should hold."""
    parts = [_HEAD, "\n## Commands\n"]
    parts += [_command(name) for name in COMMANDS]
    parts.append(
        "\n## Commands of RocketMQ that only say why they do nothing here\n\n| command | why |\n| --- | --- |\n"
    )
    parts += [f"| `{name}` | {why} |\n" for name, why in REFUSED.items()]
    return "".join(parts)


def _command(name: str) -> str:
    parser, _ = parser_of(name)
    entry = COMMANDS[name]
    rows = [_row(action) for action in parser._actions if action.dest not in {"help", "namesrv", "output"}]
    table = "\n| option | meaning |\n| --- | --- |\n" + "".join(rows) if rows else ""
    example = f"\n`mqadmin {name} {entry.example}`\n" if entry.example else ""
    return f"\n### {name}\n\n{entry.summary}.\n{example}{table}"


def _row(action: argparse.Action) -> str:
    value = action.metavar if isinstance(action.metavar, str) else "|".join(map(str, action.choices or ()))
    flags = ", ".join(f"`{flag}`" for flag in action.option_strings) or f"`{value or action.dest}`"
    shown = f" `{value}`" if value and action.option_strings and action.nargs != 0 else ""
    required = " (required)" if action.required else ""
    return f"| {flags}{shown} | {action.help or ''}{required} |\n".replace("true|false", "true\\|false")


if __name__ == "__main__":
    os.environ.pop("NAMESRV_ADDR", None)
    DOCUMENT.write_text(document())
