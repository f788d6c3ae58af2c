"""What a broker is given: its settings, and the world it lives in."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from broker_py.broker.acl.files import Yaml
from broker_py.broker.config import BrokerConfig
from broker_py.remoting.config import ServerConfig
from broker_py.remoting.tls import TlsContexts
from broker_py.replication.config import ReplicationConfig
from broker_py.seams import Clock, FileSystem
from broker_py.store.config import StoreConfig
from broker_py.store.recovery import Progress, tell_nobody
from broker_py.wire.signing import Credentials


@dataclass(frozen=True, kw_only=True)
class BrokerSettings:
    """All that a broker is set to."""

    broker: BrokerConfig
    store: StoreConfig
    replication: ReplicationConfig
    server: ServerConfig


@dataclass(frozen=True, kw_only=True)
class Host:
    """The real world, as the command chose it: `memory_bytes` is the machine's, `pid` this process's.

    `recovering` hears how far the store's recovery is, `refusing` why messages are refused, None when they are not;
    `random(n)` returns n bytes that nobody can guess. `yaml` reads the access rules, `credentials()` are
    those that sign requests now, and `tls` encrypts.
    """

    files: FileSystem
    clock: Clock
    memory_bytes: int
    pid: int
    recovering: Progress = tell_nobody
    refusing: Callable[[str | None], None] = lambda _: None
    random: Callable[[int], bytes] = secrets.token_bytes
    yaml: Yaml | None = None
    credentials: Callable[[], Credentials | None] = lambda: None
    tls: TlsContexts | None = None
