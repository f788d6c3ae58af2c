"""mqadmin: looks at clusters and changes them.

Commands, options and tables are RocketMQ's (tools command/MQAdminStartup). What differs on purpose: exit statuses
tell failures, data is on stdout and the rest on stderr, and every command has `--output json`.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Final

from broker_py.cli.catalogue import COMMANDS, REFUSED
from broker_py.cli.options import Exit, Parser, print_error, print_json, print_progress, run
from broker_py.errors import BrokerPyError, ConfigError, RequestFailed, Unreachable

if TYPE_CHECKING:
    from broker_py.cli.commands.subcommand import Answer, OfflineCommand, SubCommand
    from broker_py.client.client import Client

PROG: Final = "mqadmin"


def main(argv: Sequence[str] | None = None) -> int:
    """Run mqadmin with `argv` (the process's own when None) and return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["help"] and len(arguments) > 1:
        arguments = [arguments[1], "--help"]
    if not arguments:
        print(_overview(), file=sys.stderr)
        return Exit.USAGE
    name = arguments[0]
    if name in {"-h", "--help", "help"}:
        print(_overview())
        return Exit.DONE
    if name == "__complete":
        return _complete(arguments[1:])
    if name in REFUSED:
        print_error(f"{PROG} {name}", REFUSED[name])
        return Exit.FAILED
    if name not in COMMANDS:
        from difflib import get_close_matches  # noqa: PLC0415

        near = get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else "mqadmin -h lists all"
        print_error(PROG, f"The sub command {name} not exist; {hint}")
        return Exit.USAGE
    return _run(name, arguments[1:])


def _overview() -> str:
    lines = [f"   {name:<24} {entry.summary}" for name, entry in COMMANDS.items()]
    return "\n".join(
        [
            "The mqadmin commands are:",
            *lines,
            "",
            "Of RocketMQ's commands these make no sense here and say why: " + ", ".join(REFUSED),
            "",
            "See 'mqadmin help COMMAND' for the options of one.",
        ]
    )


def parser_of(name: str) -> "tuple[Parser, SubCommand | OfflineCommand]":
    """Return the parser of a command's options, and the command."""
    from broker_py.cli.commands.subcommand import OfflineCommand  # noqa: PLC0415

    entry = COMMANDS[name]
    command: SubCommand | OfflineCommand = import_module(f"broker_py.cli.commands.{entry.module}").COMMANDS[name]
    parser = Parser(f"{PROG} {name}", entry.summary, entry.example)
    if isinstance(command, OfflineCommand):
        command.add_options(parser)
        return parser, command
    parser.add_namesrv()
    parser.add_credentials()
    if command.takes_o:
        parser.add_output("--output")
    else:
        parser.add_output()
    if command.watched:
        _watch_option(parser)
    if command.dry_run:
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    command.add_options(parser)
    return parser, command


def _watch_option(parser: Parser) -> None:
    from broker_py.cli.commands.subcommand import checked, positive  # noqa: PLC0415

    parser.add_argument(
        "--watch", dest="interval", metavar="SECONDS", type=checked(positive), help="show it again and again"
    )


def _run(name: str, arguments: list[str]) -> int:
    from broker_py.cli.commands.subcommand import OfflineCommand  # noqa: PLC0415

    parser, command = parser_of(name)
    if isinstance(command, OfflineCommand):
        return run(parser, lambda options: _offline(parser, command, options), arguments)
    return run(parser, lambda options: _answer(parser, command, options), arguments)


def _complete(words: list[str]) -> int:
    from broker_py.cli.commands.completion import candidates  # noqa: PLC0415

    try:
        for candidate in candidates(words, parser_of):
            print(candidate)
    except (BrokerPyError, SystemExit):  # a shell that completes has no use for an error
        return Exit.FAILED
    return Exit.DONE


def _offline(parser: Parser, command: "OfflineCommand", options: argparse.Namespace) -> int:
    try:
        return command.run(options)
    except ConfigError as error:
        parser.error(str(error))


def _answer(parser: Parser, command: "SubCommand", options: argparse.Namespace) -> int:
    import asyncio  # noqa: PLC0415  help and usage errors don't wait for it

    try:
        return asyncio.run(_ask(parser.prog, command, options))
    except ConfigError as error:
        parser.error(str(error))
    except RequestFailed as error:  # a remark may go on with links to documentation
        print_error(parser.prog, f"{error.remark.partition(chr(10))[0]} (CODE: {error.code})")
        return Exit.FAILED


async def _ask(prog: str, command: "SubCommand", options: argparse.Namespace) -> int:
    import asyncio  # noqa: PLC0415

    from broker_py.admin.targets import NotKnown  # noqa: PLC0415
    from broker_py.cli.session import open_client  # noqa: PLC0415

    interval: int | None = getattr(options, "interval", None)
    async with open_client(options.namesrv, options.credentials, options.tls) as client:
        while True:
            try:
                answer = await command.run(client, options)
            except (RequestFailed, NotKnown) as error:
                await _print_near_names(prog, client, options, error)
                raise
            except Unreachable as error:
                if (
                    getattr(options, "broker_name", None) is not None
                ):  # a broker that is not registered, or a wrong name
                    await _print_near_names(prog, client, options, error)
                raise
            _show(prog, answer, options.output, again=interval is not None)
            if interval is None:
                return answer.status
            await asyncio.sleep(interval)


async def _print_near_names(prog: str, client: "Client", options: argparse.Namespace, error: BrokerPyError) -> None:
    from broker_py.cli.names import near_names  # noqa: PLC0415

    for hint in await near_names(client, options, error):
        print_error(prog, hint)


def _show(prog: str, answer: "Answer", output: str, *, again: bool) -> None:
    if output == "text":
        if again and sys.stdout.isatty():
            print("\x1b[H\x1b[2J", end="")
        for line in answer.lines:
            print(line)
    elif output == "json":
        print_json(answer.data)
    else:
        from broker_py.cli.formats import to_csv, to_yaml  # noqa: PLC0415

        print((to_yaml if output == "yaml" else to_csv)(answer.data), end="")
    for note in answer.notes:
        if answer.status == Exit.DONE:
            print_progress(note)
        else:
            print_error(prog, note)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
