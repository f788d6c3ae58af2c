"""From properties to typed configuration: what is understood, what is said, what is refused."""

import pytest

from broker_py.errors import ConfigError
from broker_py.model.java_properties import Property, parse_properties
from broker_py.runtime.config_file import format_properties, load_config
from tests.support.sample_configs import BrokerConfig, BrokerRole, FlushDiskType, ServerConfig, StoreConfig, load


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as error:
        load(text)
    return str(error.value)


def test_an_empty_file_gives_the_defaults_without_a_word() -> None:
    loaded = load("")
    assert loaded.get(BrokerConfig) == BrokerConfig()
    assert loaded.warnings == ()
    assert loaded.given == {}


def test_each_configuration_gets_its_own_properties_and_shared_ones_go_to_all() -> None:
    loaded = load("listenPort=11911\nbrokerName=broker-b\nfileReservedTime=48")
    assert loaded.get(BrokerConfig).listen_port == loaded.get(ServerConfig).listen_port == 11911
    assert loaded.get(BrokerConfig).broker_name == "broker-b"
    assert loaded.get(StoreConfig).file_reserved_time == 48
    assert loaded.given == {"listenPort": "11911", "brokerName": "broker-b", "fileReservedTime": "48"}


def test_a_configuration_that_was_not_loaded_cannot_be_had() -> None:
    loaded = load_config([], StoreConfig, home="/h", directory="/d")
    with pytest.raises(LookupError, match="BrokerConfig was not loaded"):
        loaded.get(BrokerConfig)


def test_values_have_the_type_of_their_field() -> None:
    loaded = load(
        "brokerRole=SLAVE\nautoCreateTopicEnable=FALSE\nlogicalDiskSpaceCleanForciblyThreshold=.5\n"
        "namesrvAddr=a:9876; [::1]:9877 ;\nbrokerId=+1\nbrokerIP1=10.0.0.1\nhaListenPort=10912"
    )
    broker = loaded.get(BrokerConfig)
    assert broker.broker_role is BrokerRole.SLAVE
    assert broker.auto_create_topic_enable is False
    assert loaded.get(StoreConfig).logical_disk_space_clean_forcibly_threshold == 0.5
    assert broker.namesrv_addr == ("a:9876", "[::1]:9877")
    assert (broker.broker_id, broker.broker_ip1, broker.ha_listen_port) == (1, "10.0.0.1", 10912)


def test_an_empty_value_of_an_optional_property_means_none() -> None:
    assert load("haListenPort=").get(BrokerConfig).ha_listen_port is None


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("listenPort=abc", "is 'abc', not a whole number"),
        ("listenPort=", "is '', not a whole number"),
        ("listenPort=1_000", "is '1_000', not a whole number"),
        ("listenPort=0x10", "is '0x10', not a whole number"),
        ("listenPort=10911 # main", "is '10911 # main', not a whole number"),
        ("listenPort=\u0661", "is '\u0661', not a whole number"),
        ("listenPort=70000", "is 70000, allowed is 1 to 65535"),
        ("haListenPort=0", "is 0, allowed is 1 to 65535"),
        ("brokerId=-1", "is -1, allowed is at least 0"),
        ("maxMessageSize=9223372036854775808", "allowed is -9223372036854775808 to 9223372036854775807"),
        ("maxMessageSize=" + "9" * 5000, "not a whole number"),
        ("logicalDiskSpaceCleanForciblyThreshold=1.1", "is 1.1, allowed is at most 1"),
        ("logicalDiskSpaceCleanForciblyThreshold=nan", "is 'nan', not a number"),
        ("logicalDiskSpaceCleanForciblyThreshold=1e999", "is '1e999', not a number"),
        ("autoCreateTopicEnable=yes", "is 'yes', not true or false"),
        ("brokerRole=slave", "is 'slave', not one of ASYNC_MASTER, SYNC_MASTER, SLAVE"),
        ("namesrvAddr=a:9876;b", "is 'a:9876;b': 'b' is not an address of the form host:port"),
        ("storePathRootDir=~mq/store", "is '~mq/store': only ~/ is understood"),
    ],
)
def test_a_bad_value_is_refused_with_place_name_and_reason(line: str, what: str) -> None:
    message = refusal("# first\n" + line)
    assert message.startswith(f"broker.conf line 2: {line.partition('=')[0]} ")
    assert what in message


@pytest.mark.parametrize(
    "line", ["brokerRole=SLAVE ", "autoCreateTopicEnable=true\t", "brokerName=a\u3000", "aclEnable=true "]
)
def test_a_trailing_blank_is_refused_because_java_would_silently_mean_something_else(line: str) -> None:
    name = line.partition("=")[0]
    assert refusal(line) == f"broker.conf line 1: {name} has a blank at an end of its value; remove it"


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("listenPrt", "; did you mean listenPort?"),
        ("brokername", "; did you mean brokerName?"),
        ("clientWorkerThread", "; did you mean clientWorkerThreads?"),
        ("color", ""),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_known_one(name: str, near: str) -> None:
    assert refusal(f"\n{name}=1") == f"broker.conf line 2: {name} is not a known property{near}"


def test_a_line_without_a_name_is_refused() -> None:
    assert refusal("=1") == "broker.conf line 1: a line without a name is not a known property"


def test_all_errors_of_a_file_are_told_at_once_one_on_each_line() -> None:
    message = refusal("listenPort=x\nbrokerRole=SLAVE \nlistenPrt=1\nbrokerId=0\n")
    assert [line.split(" ")[2] for line in message.splitlines()] == ["1:", "2:", "3:"]


def test_a_bad_value_of_a_shared_property_is_told_once() -> None:
    assert len(refusal("listenPort=x").splitlines()) == 1


def test_properties_of_java_without_effect_give_one_warning_for_each_file() -> None:
    loaded = load("aclEnable=true\nbrokerName=a\ntraceOn=maybe", Property("regionId", "x", source="-X"))
    assert loaded.warnings == (
        "broker.conf: properties of RocketMQ that have no effect here: aclEnable, traceOn",
        "-X: properties of RocketMQ that have no effect here: regionId",
    )
    assert loaded.given["aclEnable"] == "true"


def test_a_later_duplicate_wins_with_a_warning_unless_it_says_the_same() -> None:
    loaded = load("brokerId=1\nbrokerName=a\nbrokerId=2\nbrokerName=a")
    assert loaded.get(BrokerConfig).broker_id == 2
    assert loaded.warnings == ("broker.conf line 3: brokerId replaces the value of line 1",)


def test_the_command_line_overrides_the_file_without_a_warning() -> None:
    loaded = load("namesrvAddr=a:1", Property("namesrvAddr", "b:2", source="-n"))
    assert loaded.get(BrokerConfig).namesrv_addr == ("b:2",)
    assert loaded.warnings == ()


def test_a_bad_option_of_the_command_line_is_told_by_its_own_name() -> None:
    with pytest.raises(ConfigError, match=r"^-n: namesrvAddr is 'b': 'b' is not an address"):
        load("", Property("namesrvAddr", "b", source="-n"))


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("~/store-s", "/home/mq/store-s"),
        ("~", "/home/mq"),
        ("store//a/", "/opt/mq/store/a"),
        ("/data/mq/", "/data/mq"),
        ("a~b", "/opt/mq/a~b"),
    ],
)
def test_paths_become_absolute(written: str, path: str) -> None:
    assert load(f"storePathRootDir={written}").get(StoreConfig).store_path_root_dir == path


def test_paths_that_are_defaults_become_absolute_and_empty_ones_stay_empty() -> None:
    store = load("").get(StoreConfig)
    assert (store.store_path_root_dir, store.store_path_commit_log) == ("/home/mq/store", "")


def test_all_properties_are_printed_sorted_and_read_back_the_same() -> None:
    text = (
        "storePathRootDir=/data/\\u00e9\nbrokerRole=SLAVE\nnamesrvAddr=a:1;b:2\nhaListenPort=1\n"
        "autoCreateTopicEnable=false"
    )
    loaded = load(text)
    printed = format_properties(loaded.configs)
    assert load(printed).configs == loaded.configs
    assert load(format_properties(load("").configs)).configs == load("").configs
    names = [item.name for item in parse_properties(printed)]
    assert names == sorted(set(names))
    assert {"listenPort=10911", "brokerRole=SLAVE", "namesrvAddr=a:1;b:2"} <= set(printed.splitlines())


def test_the_short_listing_has_the_important_properties_only() -> None:
    loaded = load("namesrvAddr=a:1;b:2")
    assert format_properties(loaded.configs, important=True) == (
        "brokerClusterName=DefaultCluster\nbrokerId=0\nflushDiskType=ASYNC_FLUSH\nnamesrvAddr=a:1;b:2\n"
    )


def test_enums_are_printed_by_name() -> None:
    loaded = load("flushDiskType=SYNC_FLUSH")
    assert loaded.get(StoreConfig).flush_disk_type is FlushDiskType.SYNC_FLUSH
    assert "flushDiskType=SYNC_FLUSH\n" in format_properties(loaded.configs)
