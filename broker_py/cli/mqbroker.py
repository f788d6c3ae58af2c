"""`mqbroker`: run a broker."""

import argparse
import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import replace

from broker_py.broker.config import BrokerConfig, check_together, ha_port
from broker_py.broker.server import FAST_PORT_BELOW, Broker, BrokerSettings, Host
from broker_py.cli.daemon import daemon_parser, only_shows, serve
from broker_py.cli.options import Exit, print_error, run
from broker_py.errors import ConfigError
from broker_py.model.java_properties import Property
from broker_py.remoting.config import ServerConfig
from broker_py.replication.config import ReplicationConfig
from broker_py.runtime.clock import SystemClock
from broker_py.runtime.files import DiskFiles
from broker_py.runtime.host import host_name, local_ip, memory_bytes
from broker_py.runtime.live_config import LiveConfig, load_live_config
from broker_py.runtime.process import find_daemons, read_pid
from broker_py.seams import FileSystem
from broker_py.store.config import StoreConfig

COMMAND = "mqbroker"
_OWNERS = (BrokerConfig, StoreConfig, ReplicationConfig, ServerConfig)


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the options, run, return the exit status."""
    parser = daemon_parser(COMMAND, "Run a broker.")
    parser.set_defaults(namesrv=None)  # the environment counts less than the file, the option counts more
    return run(parser, _broker, argv)


def _broker(options: argparse.Namespace) -> int:
    files = DiskFiles()
    overrides = [Property("namesrvAddr", options.namesrv, source="-n")] if options.namesrv else []
    config = load_live_config(files, options.config_file, _OWNERS, overrides)
    shown = only_shows(options, config, COMMAND)
    if shown and not options.check:
        return Exit.DONE
    settings = _settings(config)
    check_together(settings.broker, settings.replication)
    busy = _already_used(files, settings)
    if shown:
        if busy and not _is_this_broker(files, settings):
            raise ConfigError("\n".join(busy))
        if busy:
            print_error(COMMAND, "this broker is running already")
        return Exit.DONE
    if busy:
        raise ConfigError("\n".join(busy))
    broker: Broker | None = None

    def change(text: str) -> None:
        config.update(text)
        assert broker is not None
        broker.configure(_settings(config))

    async def start() -> str:
        nonlocal broker
        host = Host(files=files, clock=SystemClock(), memory_bytes=memory_bytes(), pid=os.getpid())
        broker = Broker(settings, host, config.text, change)
        await broker.start()
        who = f"{settings.broker.broker_name}, {settings.broker.address}"
        servers = ";".join(settings.broker.namesrv_addr) or "none"
        return f"The broker[{who}] boot success. serializeType=JSON and name server is {servers}"

    async def stop() -> None:
        if broker is not None:
            await broker.stop()

    return serve(config, f"{settings.broker.broker_log_dir}/broker.log", settings.broker.pid_file, start, stop)


def _settings(config: LiveConfig) -> BrokerSettings:
    """Return the settings, with what this machine decides where the file doesn't."""
    broker = config.get(BrokerConfig)
    namesrv_addr = broker.namesrv_addr
    if not namesrv_addr and os.environ.get("NAMESRV_ADDR"):
        environment = load_live_config(
            DiskFiles(),
            None,
            (BrokerConfig,),
            [Property("namesrvAddr", os.environ["NAMESRV_ADDR"], source="$NAMESRV_ADDR")],
        )
        namesrv_addr = environment.get(BrokerConfig).namesrv_addr
    return BrokerSettings(
        broker=replace(
            broker,
            namesrv_addr=namesrv_addr,
            broker_name=broker.broker_name or host_name(),
            broker_ip1=broker.broker_ip1 or local_ip(namesrv_addr),
        ),
        store=config.get(StoreConfig),
        replication=config.get(ReplicationConfig),
        server=config.get(ServerConfig),
    )


# What another process has already


def _already_used(files: FileSystem, settings: BrokerSettings) -> list[str]:
    """Return a sentence for each port and for the store that a running process has."""
    return [
        *(
            f"port {port} is in use by another process; set {name}"
            for name, port in _ports(settings)
            if not _is_free(settings.server.bind_address, port)
        ),
        *_store_in_use(files, settings.store),
    ]


def _ports(settings: BrokerSettings) -> list[tuple[str, int]]:
    listen = settings.broker.listen_port
    return [
        ("listenPort", listen),
        (f"listenPort, which takes the port {FAST_PORT_BELOW} below it too", listen - FAST_PORT_BELOW),
        ("haListenPort", ha_port(settings.broker, settings.replication)),
    ]


def _is_free(address: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def _store_in_use(files: FileSystem, store: StoreConfig) -> list[str]:
    if not files.exists(store.lock_path):
        return []
    try:
        files.lock(store.lock_path).release()
    except OSError:
        return [f"the store {store.store_path_root_dir} is in use by another broker; set storePathRootDir"]
    return []


def _is_this_broker(files: FileSystem, settings: BrokerSettings) -> bool:
    """True when the broker that this file is for is running, maybe on other ports than the file has now.

    Its pid file says so; without one, that the process which has the store has the port too.
    """
    if read_pid(settings.broker.pid_file) in find_daemons(COMMAND):
        return True
    return bool(_store_in_use(files, settings.store)) and not _is_free(
        settings.server.bind_address, settings.broker.listen_port
    )


if __name__ == "__main__":
    sys.exit(main())
