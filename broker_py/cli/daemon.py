"""What the daemons' commands have in common: options, configuration, logs, pid file, the loop."""

import argparse
import asyncio
import faulthandler
import logging
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from broker_py.cli.options import Exit, Parser, print_error
from broker_py.runtime.live_config import LiveConfig
from broker_py.runtime.logs import LogConfig, start_logging
from broker_py.runtime.loop import run_daemon
from broker_py.runtime.notify import ServiceManager
from broker_py.runtime.process import PidFile

log = logging.getLogger(__name__)


def daemon_parser(command: str, description: str) -> Parser:
    """Return a parser with `-c FILE -n ADDR;ADDR -p -m --check`."""
    parser = Parser(command, description)
    parser.add_argument("-c", "--configFile", dest="config_file", metavar="FILE", help="properties file")
    parser.add_namesrv()
    only = parser.add_mutually_exclusive_group()
    only.add_argument("-p", "--printConfigItem", dest="print_all", action="store_true", help="print all properties")
    only.add_argument(
        "-m", "--printImportantConfig", dest="print_important", action="store_true", help="print the important ones"
    )
    only.add_argument("--check", action="store_true", help="check the configuration, start nothing")
    return parser


def only_shows(options: argparse.Namespace, config: LiveConfig, command: str) -> bool:
    """Print the warnings of a configuration, and what `-p` or `-m` ask for; True when that was all to do."""
    shows = bool(options.print_all or options.print_important)
    if shows or options.check:
        for warning in config.warnings:
            print_error(command, warning)
    if shows:
        print(config.text(important=options.print_important), end="")
    return shows or bool(options.check)


def serve(
    config: LiveConfig,
    log_path: str,
    pid_path: str,
    manager: ServiceManager,
    start: Callable[[], Coroutine[Any, Any, str]],
    stop: Callable[[], Coroutine[Any, Any, None]],
) -> int:
    """Run a daemon until it is told to stop: `start` returns the line that says it is ready, `stop` ends it.

    The pid file is there exactly while the daemon is ready; the service manager hears of it then, with what is in
    effect: the configuration by its digest, since the file may change, and the program by where it lies, since a
    link to it may be moved.
    """
    if sys.stderr:
        faulthandler.enable()  # a watchdog ends what hangs by SIGABRT: this says where it hung
    start_logging(log_path, config.get(LogConfig))
    for warning in config.warnings:
        log.warning("%s", warning)
    pid_file = PidFile(pid_path) if pid_path else None

    async def run(stopping: asyncio.Event) -> None:
        ready = await start()

        def status() -> str:
            return f"{ready}; configuration {config.digest}, program {sys.prefix}"

        watching = asyncio.create_task(manager.watch())
        try:
            if pid_file is not None:
                pid_file.write()
            log.info("%s, pid %d", ready, os.getpid())
            print(ready, flush=True)
            manager.ready(status())
            config.on_rewrite = lambda: manager.status(status())
            await stopping.wait()
        finally:
            with manager.stopping():
                if pid_file is not None:
                    pid_file.remove()
                await stop()
            watching.cancel()
            log.info("stopped")

    run_daemon(run)
    return Exit.DONE
