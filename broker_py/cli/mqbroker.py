"""`mqbroker`: run a broker."""

import argparse
import logging
import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import replace

from broker_py.broker.acl.files import AclFiles, Yaml
from broker_py.broker.config import BrokerConfig, check_together, ha_port
from broker_py.broker.foreign_store import store_faults
from broker_py.broker.server import FAST_PORT_BELOW, Broker
from broker_py.broker.settings import BrokerSettings, Host
from broker_py.broker.store_owner import StoreOwner
from broker_py.cli.credentials import TOOLS_FILE, read_credentials
from broker_py.cli.daemon import daemon_parser, only_shows, serve
from broker_py.cli.options import Exit, print_error, run
from broker_py.errors import ConfigError
from broker_py.model.java_properties import Property
from broker_py.remoting.config import ServerConfig
from broker_py.replication.config import ReplicationConfig
from broker_py.replication.secret import read_secret
from broker_py.runtime.clock import SystemClock
from broker_py.runtime.files import DiskFiles
from broker_py.runtime.holdings import listens, lock_holder
from broker_py.runtime.host import host_name, local_ip, memory_bytes
from broker_py.runtime.live_config import LiveConfig, load_live_config
from broker_py.runtime.logs import LogConfig
from broker_py.runtime.notify import ServiceManager
from broker_py.runtime.process import find_daemons, read_pid
from broker_py.runtime.tls import FileTls, TlsConfig
from broker_py.runtime.yaml_text import dump_yaml, load_yaml
from broker_py.seams import FileSystem
from broker_py.store.config import StoreConfig
from broker_py.wire.signing import Credentials

COMMAND = "mqbroker"
_OWNERS = (BrokerConfig, StoreConfig, ReplicationConfig, ServerConfig, TlsConfig, LogConfig)
log = logging.getLogger(__name__)


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
    settings = _settings(config)
    check_together(settings.broker, settings.replication)
    if shown and not options.check:
        return Exit.DONE
    read_secret(files, settings.replication.ha_secret_file)
    _credentials(files, settings.broker)
    yaml = Yaml(load_yaml, dump_yaml)
    tls = FileTls(files, config.get(TlsConfig))
    if shown and settings.broker.acl_enable:
        rules = AclFiles(files, settings.broker.acl_config_path, yaml, SystemClock())
        rules.parse(rules.read())
    running = _running_pid(settings) if shown else None
    faults = _used_by_others(settings, running)
    others = StoreOwner(files, settings.store.store_path_root_dir, settings.broker).fault()
    if others is not None:
        faults.append(others)
    faults += store_faults(files, settings.store.store_path_root_dir)
    if faults:
        raise ConfigError("\n".join(faults))
    if shown:
        if running is not None:
            print_error(COMMAND, "this broker is running already")
        return Exit.DONE
    clock = SystemClock()
    manager = ServiceManager(os.environ, clock)
    broker: Broker | None = None

    def change(text: str) -> None:
        persist = settings.broker.persist_runtime_config
        config.update(text, persist=persist)
        assert broker is not None
        broker.configure(_settings(config))
        log.info("changed %s: %s", "for good" if persist else "until the next start", " ".join(text.split()))

    def recovering(done_bytes: int, total_bytes: int) -> None:
        manager.progress(f"recovering commit log: {_gib(done_bytes)} of {_gib(total_bytes)} GiB")

    def refusing(fault: str | None) -> None:
        manager.fault(None if fault is None else f"messages are refused: {fault}")

    async def start() -> str:
        nonlocal broker
        host = Host(
            files=files,
            clock=clock,
            memory_bytes=memory_bytes(),
            pid=os.getpid(),
            recovering=recovering,
            refusing=refusing,
            yaml=yaml,
            credentials=lambda: _credentials(files, settings.broker),
            tls=tls,
        )
        broker = Broker(settings, host, config.text, change)
        await broker.start()
        who = f"{settings.broker.broker_name}, {settings.broker.address}"
        servers = ";".join(settings.broker.namesrv_addr) or "none"
        return f"The broker[{who}] boot success. serializeType=JSON and name server is {servers}"

    async def stop() -> None:
        if broker is not None:
            await broker.stop()

    log_path = f"{settings.broker.broker_log_dir}/broker.log"
    return serve(config, log_path, settings.broker.pid_file, manager, start, stop)


def _credentials(files: FileSystem, broker: BrokerConfig) -> Credentials | None:
    """Return how this broker signs what it asks others: by the file it is given, or the one beside its rules."""
    if broker.acl_credentials_file:
        return read_credentials(files, broker.acl_credentials_file)
    path = f"{broker.acl_config_path}/{TOOLS_FILE}"
    return read_credentials(files, path) if broker.acl_enable and files.exists(path) else None


def _gib(size: int) -> str:
    return f"{size / (1 << 30):.1f}"


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
            acl_config_path=broker.acl_config_path or _conf_of_home(),
        ),
        store=config.get(StoreConfig),
        replication=config.get(ReplicationConfig),
        server=config.get(ServerConfig),
    )


def _conf_of_home() -> str:
    home = os.environ.get("ROCKETMQ_HOME")
    return f"{os.path.abspath(home)}/conf" if home else ""


# What another process has already


def _used_by_others(settings: BrokerSettings, running: int | None) -> list[str]:
    """Return a sentence for each port and for the store that a process has which is not `running`."""
    store = settings.store
    faults = [
        f"port {port} is in use by another process; set {name}"
        for name, port in _ports(settings)
        if not _is_free(settings.server.bind_address, port) and (running is None or not listens(running, port))
    ]
    if lock_holder(store.lock_path) not in (None, running):
        faults.append(f"the store {store.store_path_root_dir} is in use by another broker; set storePathRootDir")
    return faults


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


def _running_pid(settings: BrokerSettings) -> int | None:
    """Return the process of the broker that this file is for, which may have other ports than the file has now.

    Its pid file names it; without one, it is the process that has the store and the port.
    """
    pid = read_pid(settings.broker.pid_file)
    if pid is not None and pid in find_daemons(COMMAND):
        return pid
    holder, port = lock_holder(settings.store.lock_path), settings.broker.listen_port
    if holder is None or _is_free(settings.server.bind_address, port) or not listens(holder, port):
        return None
    return holder


if __name__ == "__main__":
    sys.exit(main())
