"""What a remoting server may be set to."""

from dataclasses import dataclass, field
from enum import Enum


class TlsMode(Enum):
    """Which connections a server takes, in Java's words (common/TlsMode): without TLS, both, only with it."""

    disabled = "disabled"
    permissive = "permissive"
    enforcing = "enforcing"


@dataclass(frozen=True, kw_only=True)
class ServerConfig:
    """Limits of the connections that a server accepts (remoting netty/NettyServerConfig; three of them are ours)."""

    bind_address: str = "0.0.0.0"  # noqa: S104  RocketMQ's default: all interfaces
    server_channel_max_idle_time_seconds: int = field(default=120, metadata={"range": (1, 86_400)})
    server_socket_backlog: int = field(default=1024, metadata={"range": (1, 65_535)})
    server_max_connections: int = field(default=10_000, metadata={"range": (1, 1_000_000)})
    server_max_requests_in_flight: int = field(default=20_000, metadata={"range": (1, 1_000_000)})
    tls_server_mode: TlsMode = field(default=TlsMode.permissive, metadata={"property": "tls.server.mode"})
    server_header_timeout_seconds: int = field(default=10, metadata={"range": (1, 3600)})
