"""The properties of the store, under RocketMQ's names and with its defaults (`store/MessageStoreConfig`)."""

from dataclasses import dataclass, field
from enum import Enum

from broker_py.message.delay import DEFAULT_LEVELS, DelayLevels


class FlushDiskType(Enum):
    """When a send is answered: at once, or when its message is forced to disk."""

    ASYNC_FLUSH = "ASYNC_FLUSH"
    SYNC_FLUSH = "SYNC_FLUSH"


@dataclass(frozen=True, kw_only=True)
class StoreConfig:
    """Where the store lies, how long its files are, when they are flushed and when deleted.

    Empty paths follow `store_path_root_dir`. Sizes are bytes, intervals milliseconds, ratios percent. ConfigError for
    delay levels that can't be read.
    """

    store_path_root_dir: str = field(default="~/store", metadata={"path": True})
    store_path_commit_log: str = field(default="", metadata={"path": True})
    store_path_consume_queue: str = field(default="", metadata={"path": True})
    store_path_index: str = field(default="", metadata={"path": True})
    store_checkpoint: str = field(default="", metadata={"path": True})
    abort_file: str = field(default="", metadata={"path": True})

    mapped_file_size_commit_log: int = field(default=1 << 30, metadata={"range": (4096, 1 << 31)})
    mapped_file_size_consume_queue: int = field(default=6_000_000, metadata={"range": (20, 1 << 31)})
    message_delay_level: str = DEFAULT_LEVELS
    flush_delay_offset_interval: int = field(default=10_000, metadata={"range": (1, 3_600_000), "runtime": True})
    mapped_file_size_timer_log: int = field(default=100 << 20, metadata={"range": (1024, 1 << 31)})
    timer_wheel_enable: bool = True
    timer_precision_ms: int = field(default=1000, metadata={"range": (100, 1000)})
    timer_roll_window_slot: int = field(default=172_800, metadata={"range": (2, 604_740)})
    timer_max_delay_sec: int = field(default=259_200, metadata={"range": (1, 1 << 31), "runtime": True})
    timer_flush_interval_ms: int = field(default=1000, metadata={"range": (1, 3_600_000), "runtime": True})
    timer_congest_num_each_slot: int = field(
        default=(1 << 31) - 1, metadata={"range": (1, (1 << 31) - 1), "runtime": True}
    )
    max_message_size: int = field(default=4 << 20, metadata={"range": (1, 1 << 30), "runtime": True})

    message_index_enable: bool = True
    message_index_safe: bool = False
    max_hash_slot_num: int = field(default=5_000_000, metadata={"range": (1, 100_000_000)})
    max_index_num: int = field(default=20_000_000, metadata={"range": (2, 80_000_000)})
    max_msgs_num_batch: int = field(default=64, metadata={"range": (1, 10_000), "runtime": True})
    default_query_max_num: int = field(default=32, metadata={"range": (1, 10_000), "runtime": True})

    flush_disk_type: FlushDiskType = FlushDiskType.ASYNC_FLUSH
    flush_interval_commit_log: int = field(default=500, metadata={"range": (1, 3_600_000), "runtime": True})
    flush_interval_consume_queue: int = field(default=1000, metadata={"range": (1, 3_600_000), "runtime": True})
    flush_consume_queue_thorough_interval: int = field(
        default=60_000, metadata={"range": (1, 3_600_000), "runtime": True}
    )
    sync_flush_timeout: int = field(default=5000, metadata={"range": (1, 3_600_000), "runtime": True})
    os_page_cache_busy_time_out_mills: int = field(default=1000, metadata={"range": (1, 3_600_000), "runtime": True})
    check_crc_on_recover: bool = field(default=True, metadata={"property": "checkCRCOnRecover"})

    delete_when: str = field(default="04", metadata={"runtime": True})
    file_reserved_time: int = field(default=72, metadata={"range": (0, 1_000_000), "runtime": True})
    disk_max_used_space_ratio: int = field(default=75, metadata={"range": (10, 95), "runtime": True})
    disk_space_warning_level_ratio: int = field(default=90, metadata={"range": (35, 90), "runtime": True})
    disk_space_clean_forcibly_ratio: int = field(default=85, metadata={"range": (30, 85), "runtime": True})
    clean_resource_interval: int = field(default=10_000, metadata={"range": (1, 3_600_000), "runtime": True})
    delete_commit_log_files_interval: int = field(default=100, metadata={"range": (0, 3_600_000), "runtime": True})
    delete_file_batch_max: int = field(default=10, metadata={"range": (1, 10_000), "runtime": True})
    clean_file_forcibly_enable: bool = field(default=True, metadata={"runtime": True})
    destroy_maped_file_interval_forcibly: int = field(default=120_000, metadata={"range": (0, 3_600_000)})

    max_transfer_bytes_on_message_in_memory: int = field(default=262_144, metadata={"range": (1, 128 << 20)})
    max_transfer_count_on_message_in_memory: int = field(default=32, metadata={"range": (1, 100_000)})
    max_transfer_bytes_on_message_in_disk: int = field(default=65_536, metadata={"range": (1, 128 << 20)})
    max_transfer_count_on_message_in_disk: int = field(default=8, metadata={"range": (1, 100_000)})
    access_message_in_memory_max_ratio: int = field(default=40, metadata={"range": (0, 100)})

    def __post_init__(self) -> None:
        DelayLevels(self.message_delay_level)

    @property
    def commit_log_directory(self) -> str:
        """Directory of the log's files."""
        return self.store_path_commit_log or self.store_path_root_dir + "/commitlog"

    @property
    def consume_queue_directory(self) -> str:
        """Directory of the topics' directories."""
        return self.store_path_consume_queue or self.store_path_root_dir + "/consumequeue"

    @property
    def index_directory(self) -> str:
        """Directory of the index files."""
        return self.store_path_index or self.store_path_root_dir + "/index"

    @property
    def checkpoint_path(self) -> str:
        """The file that says what is durable."""
        return self.store_checkpoint or self.store_path_root_dir + "/checkpoint"

    @property
    def queue_ends_path(self) -> str:
        """The file that says what the consume queues had at the checkpoint."""
        return self.store_path_root_dir + "/queues.json"

    @property
    def abort_path(self) -> str:
        """The file that exists while the store is open."""
        return self.abort_file or self.store_path_root_dir + "/abort"

    @property
    def lock_path(self) -> str:
        """The file whose lock keeps a second process out."""
        return self.store_path_root_dir + "/lock"

    @property
    def consume_queue_file_bytes(self) -> int:
        """Size of a consume queue's file, rounded up to whole units of 20 bytes."""
        return -(-self.mapped_file_size_consume_queue // 20) * 20
