"""What all commands have in common: exit statuses, errors as one sentence on stderr, options of the same name."""

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn

from broker_py.errors import BrokerPyError, Unreachable


class Exit:
    """Exit statuses of all commands."""

    DONE: Final = 0
    FAILED: Final = 1
    USAGE: Final = 2  # argparse exits with it
    UNREACHABLE: Final = 3
    INTERRUPTED: Final = 130


OUTPUTS: Final = ("text", "json", "yaml", "csv")
"""Forms of the output of a command; scripts take the latter three."""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose options can't be abbreviated: what works today must not depend on what comes later."""

    def __init__(self, command: str, description: str, example: str = "") -> None:
        super().__init__(
            prog=command,
            description=description,
            epilog=example and f"example: {command} {example}",
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Exit with the status of a usage error; an unknown option is answered with the nearest one."""
        unknown = re.match(r"unrecognized arguments: (-\S+)", message)
        if unknown is not None:
            from difflib import get_close_matches  # noqa: PLC0415  only errors wait for it

            near = get_close_matches(unknown[1], self._option_string_actions, n=1, cutoff=0.5)
            message += f"; did you mean {near[0]}?" if near else ""
        super().error(message)

    def add_namesrv(self) -> None:
        """Add `-n`, with RocketMQ's environment variable as its default."""
        self.add_argument(
            "-n",
            "--namesrvAddr",
            dest="namesrv",
            metavar="ADDR;ADDR",
            default=os.environ.get("NAMESRV_ADDR"),
            help="name servers, host:port, several separated by ; (default: $NAMESRV_ADDR)",
        )

    def add_credentials(self) -> None:
        """Add `--credentials` and `--tls`, files since the arguments of a process are no secret."""
        self.add_argument(
            "--credentials",
            metavar="FILE",
            help="sign with the accessKey and secretKey in this file (default: $ROCKETMQ_HOME/conf/tools.yml)",
        )
        self.add_argument(
            "--tls",
            metavar="FILE",
            default=os.environ.get("ROCKETMQ_TLS_CONFIG") or None,
            help="connect by TLS, as this tls.properties says (default: $ROCKETMQ_TLS_CONFIG)",
        )

    def add_output(self, *flags: str, outputs: Sequence[str] = OUTPUTS) -> None:
        """Add `--output` (and `-o`, unless other flags are given) with the forms that a command knows."""
        self.add_argument(
            *(flags or ("-o", "--output")), dest="output", choices=outputs, default="text", help="form of the output"
        )


def run(
    parser: argparse.ArgumentParser, command: Callable[[argparse.Namespace], int], argv: Sequence[str] | None
) -> int:
    """Parse `argv` (the process's own when None), run the command and return its exit status."""
    options = parser.parse_args(argv)
    try:
        status = command(options)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.DONE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokerPyError as error:
        print_error(parser.prog, str(error))
        return Exit.UNREACHABLE if isinstance(error, Unreachable) else Exit.FAILED
    return status


def print_error(command: str, text: str) -> None:
    """Print what went wrong to stderr, a line at a time, each with the command's name in front."""
    for line in text.splitlines():
        print(f"{command}: {line}", file=sys.stderr)


def print_progress(text: str) -> None:
    """Print what is being done, for a person, to stderr."""
    print(text, file=sys.stderr, flush=True)


def progress_wanted() -> bool:
    """True when a person is looking, who wants to know how far long work is."""
    return sys.stderr.isatty()


def print_json(value: Any) -> None:
    """Print a result as JSON to stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False))
