from broker_py.store.config import FlushDiskType, StoreConfig


def test_defaults_are_those_of_rocketmq() -> None:
    config = StoreConfig()
    assert (config.mapped_file_size_commit_log, config.mapped_file_size_consume_queue) == (1 << 30, 6_000_000)
    assert (config.max_message_size, config.flush_disk_type) == (4 << 20, FlushDiskType.ASYNC_FLUSH)
    assert (config.message_index_enable, config.message_index_safe) == (True, False)
    assert (config.max_hash_slot_num, config.max_index_num) == (5_000_000, 20_000_000)
    assert (config.max_msgs_num_batch, config.default_query_max_num) == (64, 32)
    assert (config.delete_when, config.file_reserved_time, config.disk_max_used_space_ratio) == ("04", 72, 75)


def test_paths_follow_the_root_unless_they_are_given() -> None:
    config = StoreConfig(store_path_root_dir="/store", store_path_commit_log="/fast/commitLog")
    assert config.commit_log_directory == "/fast/commitLog"
    assert config.consume_queue_directory == "/store/consumequeue"
    assert config.index_directory == "/store/index"
    assert StoreConfig(store_path_root_dir="/store", store_path_index="/fast/index").index_directory == "/fast/index"
    assert (config.checkpoint_path, config.abort_path) == ("/store/checkpoint", "/store/abort")
    assert config.lock_path == "/store/lock"


def test_queue_files_hold_whole_units() -> None:
    assert StoreConfig(mapped_file_size_consume_queue=300_001).consume_queue_file_bytes == 300_020
    assert StoreConfig(mapped_file_size_consume_queue=300_000).consume_queue_file_bytes == 300_000
