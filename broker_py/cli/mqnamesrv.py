"""`mqnamesrv`: run a name server."""

import argparse
import os
import sys
from collections.abc import Collection, Sequence

from broker_py.cli.daemon import daemon_parser, only_shows, serve
from broker_py.cli.options import Exit, run
from broker_py.nameserver.config import NameserverConfig
from broker_py.nameserver.server import NameServer
from broker_py.remoting.config import ServerConfig
from broker_py.runtime.clock import SystemClock
from broker_py.runtime.files import DiskFiles
from broker_py.runtime.live_config import LiveConfig, load_live_config
from broker_py.runtime.logs import LogConfig
from broker_py.runtime.notify import ServiceManager
from broker_py.runtime.tls import FileTls, TlsConfig

COMMAND = "mqnamesrv"


class NameserverSettings:
    """A name server's view of its configuration."""

    def __init__(self, config: LiveConfig) -> None:
        self._config = config

    def current(self) -> NameserverConfig:
        """Return the values that hold now."""
        return self._config.get(NameserverConfig)

    def text(self, names: Collection[str] | None = None) -> str:
        """Return all properties, or those in `names`."""
        return self._config.text(names)

    def update(self, text: str) -> None:
        """Change what may be changed at run time."""
        self._config.update(text)


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the options, run, return the exit status."""
    return run(daemon_parser(COMMAND, "Run a name server."), _nameserver, argv)


def _nameserver(options: argparse.Namespace) -> int:
    files = DiskFiles()
    config = load_live_config(files, options.config_file, (NameserverConfig, ServerConfig, TlsConfig, LogConfig))
    if only_shows(options, config, COMMAND):
        return Exit.DONE
    settings = NameserverSettings(config)
    own, shared = settings.current(), config.get(ServerConfig)
    clock = SystemClock()
    tls = FileTls(files, config.get(TlsConfig))
    server: NameServer | None = None

    async def start() -> str:
        nonlocal server
        server = NameServer(settings, shared, clock, files, tls)
        port = await server.start()
        return f"The Name Server boot success. serializeType=JSON, address {shared.bind_address}:{port}"

    async def stop() -> None:
        if server is not None:
            await server.stop()

    manager = ServiceManager(os.environ, clock)
    return serve(config, f"{own.namesrv_log_dir}/namesrv.log", own.pid_file, manager, start, stop)


if __name__ == "__main__":
    sys.exit(main())
