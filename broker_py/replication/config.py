"""The properties of replication."""

from dataclasses import dataclass, field

_MAX_BATCH_BYTES = 4 * 1024 * 1024 - 13  # a Java slave's buffer holds 4 MiB, and a frame has a header of 12 bytes


@dataclass(frozen=True, kw_only=True)
class ReplicationConfig:
    """How masters and slaves talk; names and defaults of `store/config/MessageStoreConfig`. Times in milliseconds."""

    ha_listen_port: int = field(default=0, metadata={"range": (0, 65535)})  # 0: listenPort + 1
    ha_master_address: str = ""  # fixed `host:port` of the master; empty: the name server tells it
    ha_send_heartbeat_interval: int = field(default=5_000, metadata={"range": (1, 3_600_000)})
    ha_housekeeping_interval: int = field(default=20_000, metadata={"range": (1, 3_600_000)})  # silence of a dead peer
    ha_transfer_batch_size: int = field(default=32_768, metadata={"range": (1, _MAX_BATCH_BYTES)})  # bytes
    ha_max_gap_not_in_sync: int = field(default=268_435_456, metadata={"range": (1, 2**63 - 1)})  # bytes
    ha_compare_bytes: int = field(default=67_108_864, metadata={"range": (0, 2**63 - 1)})  # ours; see follower.py
    ha_secret_file: str = field(default="", metadata={"path": True})  # ours; see secret.py
    ha_tls_enable: bool = False  # ours: replication in TLS, with the certificates of the other ports
    total_replicas: int = field(default=1, metadata={"range": (1, 1024)})
    in_sync_replicas: int = field(default=1, metadata={"range": (1, 1024)})  # the master counts as one
    min_in_sync_replicas: int = field(default=1, metadata={"range": (1, 1024)})  # with fewer, sends are refused
    slave_timeout: int = field(default=3_000, metadata={"range": (1, 3_600_000)})  # longest wait of a send for slaves
