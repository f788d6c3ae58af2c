"""What a name server may be set to."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

_RUNTIME: Final[dict[str, Any]] = {"runtime": True}


@dataclass(frozen=True, kw_only=True)
class NameserverConfig:
    """Properties of common namesrv/NamesrvConfig; `namesrvLogDir` and `pidFile` are ours."""

    listen_port: int = field(default=9876, metadata={"range": (0, 65_535), "important": True})
    kv_config_path: str = field(default="~/namesrv/kvConfig.json", metadata={"path": True, "important": True})
    # Milliseconds between looks for brokers that went silent. Java's default is 5000.
    scan_not_active_broker_interval: int = field(default=10_000, metadata={"range": (10, 3_600_000)} | _RUNTIME)
    order_message_enable: bool = field(default=False, metadata=_RUNTIME)
    return_order_topic_config_to_broker: bool = field(default=True, metadata=_RUNTIME)
    support_acting_master: bool = field(default=False, metadata=_RUNTIME)
    notify_min_broker_id_changed: bool = field(default=False, metadata=_RUNTIME)
    enable_all_topic_list: bool = field(default=True, metadata=_RUNTIME)
    enable_topic_list: bool = field(default=True, metadata=_RUNTIME)
    need_wait_for_service: bool = False
    wait_seconds_for_service: int = field(default=45, metadata={"range": (0, 3600)})
    namesrv_log_dir: str = field(default="~/logs/rocketmqlogs", metadata={"path": True})
    pid_file: str = field(default="", metadata={"path": True})


class Settings(Protocol):
    """The properties of a running name server, as its handlers see and change them."""

    def current(self) -> NameserverConfig:
        """Return the values that hold now."""

    def text(self, names: Collection[str] | None = None) -> str:
        """Return all properties, or those in `names`, as sorted `name=value` lines."""

    def update(self, text: str) -> None:
        """Change what may be changed at run time; ConfigError names what may not, and then nothing is changed."""
