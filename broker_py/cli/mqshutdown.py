"""`mqshutdown broker|namesrv`: stop all daemons of a kind on this host."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import Final

from broker_py.cli.options import Exit, Parser, print_error, print_json, print_progress, run
from broker_py.runtime.process import find_daemons, read_pid

COMMAND: Final = "mqshutdown"
_POLL_SECONDS: Final = 0.05
_DAEMONS: Final = {"broker": "mqbroker", "namesrv": "mqnamesrv"}


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the options, run, return the exit status."""
    parser = Parser(COMMAND, "Stop all daemons of a kind on this host, and wait until they are gone.")
    parser.add_argument("kind", choices=sorted(_DAEMONS), help="what to stop")
    parser.add_argument("--pid-file", metavar="FILE", help="stop only the daemon whose pid this file has")
    parser.add_argument(
        "--wait",
        metavar="SECONDS",
        type=float,
        help="give up waiting after so long, 0 for not waiting (default: until they are gone)",
    )
    parser.add_output()
    return run(parser, _shutdown, argv)


def _shutdown(options: argparse.Namespace) -> int:
    daemon = _DAEMONS[options.kind]
    pids = find_daemons(daemon)
    if options.pid_file is not None:
        pids = [pid for pid in pids if pid == read_pid(options.pid_file)]
    if not pids:
        print_error(COMMAND, f"No {daemon} running.")
        return Exit.FAILED
    for pid in pids:
        _send_stop(pid)
        print_progress(f"The {daemon}({pid}) is asked to stop.")
    left = _wait_until_gone(daemon, pids, options.wait) if options.wait != 0 else []
    if options.output == "json":
        print_json({"daemon": daemon, "pids": pids, "running": left})
    for pid in left:
        print_error(COMMAND, f"The {daemon}({pid}) still runs after {options.wait:g} s.")
    return Exit.FAILED if left else Exit.DONE


def _send_stop(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:  # it went by itself in the meantime
        return


def _wait_until_gone(daemon: str, pids: list[int], limit_seconds: float | None) -> list[int]:
    """Return those that still run when the time is up."""
    deadline = None if limit_seconds is None else time.monotonic() + limit_seconds
    while left := sorted(set(pids) & set(find_daemons(daemon))):
        if deadline is not None and time.monotonic() > deadline:
            break
        time.sleep(_POLL_SECONDS)
    return left


if __name__ == "__main__":
    sys.exit(main())
