"""Changes while the broker runs, and their way into the file."""

import pytest

from broker_py.errors import ConfigError
from broker_py.runtime.config_file import Loaded, apply_update, rewrite_properties
from tests.support.sample_configs import BrokerConfig, ServerConfig, StoreConfig, load


def update(text: str, before: Loaded | None = None) -> Loaded:
    configs = (before or load("")).configs
    return apply_update(text, configs, home="/home/mq", directory="/opt/mq")


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as error:
        update(text)
    return str(error.value)


def test_a_runtime_property_changes_and_everything_else_stays() -> None:
    before = load("brokerName=broker-a\nmaxMessageSize=65536")
    after = update("autoCreateTopicEnable=false\n", before)
    assert after.get(BrokerConfig) == BrokerConfig(broker_name="broker-a", auto_create_topic_enable=False)
    assert after.get(StoreConfig) == before.get(StoreConfig)
    assert before.get(BrokerConfig).auto_create_topic_enable is True
    assert after.given == {"autoCreateTopicEnable": "false"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("listenPort=1", "listenPort can't be changed while the broker runs"),
        ("storePathRootDir=/etc", "storePathRootDir can't be changed while the broker runs"),
        ("rocketmqHome=/tmp", "rocketmqHome is a property of RocketMQ that has no effect here"),
        ("fileReservdTime=1", "fileReservdTime is not a known property; did you mean fileReservedTime?"),
        ("fileReservedTime=-1", "fileReservedTime is -1, allowed is at least 0"),
        ("maxMessageSize=1 ", "maxMessageSize has a blank at an end of its value; remove it"),
        ("listenPort=x", "listenPort is 'x', not a whole number"),
    ],
)
def test_what_cannot_change_is_refused_by_name(text: str, message: str) -> None:
    assert refusal(text) == message


def test_an_update_is_refused_as_a_whole_with_all_its_errors() -> None:
    assert refusal("deleteWhen=05\nlistenPort=1\nbrokerId=1").splitlines() == [
        "listenPort can't be changed while the broker runs",
        "brokerId can't be changed while the broker runs",
    ]


def test_a_fixed_property_may_be_repeated_with_the_value_it_has() -> None:
    before = load("listenPort=11911\nstorePathRootDir=~/store-s")
    after = update("listenPort=11911\nstorePathRootDir=/home/mq/store-s\ndeleteWhen=05", before)
    assert after.given == {"deleteWhen": "05"}


def test_a_shared_property_changes_everywhere() -> None:
    after = update("fileReservedTime=48")
    assert after.get(ServerConfig).file_reserved_time == after.get(StoreConfig).file_reserved_time == 48


def test_a_property_that_is_fixed_in_one_configuration_is_fixed() -> None:
    assert refusal("defaultTopicQueueNums=4") == "defaultTopicQueueNums can't be changed while the broker runs"


def test_an_old_name_changes_the_current_property_and_is_noted() -> None:
    after = update("fileReserverdTime=24")
    assert after.get(StoreConfig).file_reserved_time == 24
    assert after.warnings == ("fileReserverdTime is a misspelling of fileReservedTime",)
    assert after.given == {"fileReservedTime": "24"}


def test_a_restart_with_the_rewritten_file_has_the_changed_value() -> None:
    text = "# broker-a\nbrokerName = broker-a\nauthoCreateSubscriptionGroup=true\n\n# the end\n"
    after = update("autoCreateSubscriptionGroup=false\nmaxMessageSize=1000", load(text))
    rewritten = rewrite_properties(text, after.given)
    assert rewritten == (
        "# broker-a\nbrokerName = broker-a\nautoCreateSubscriptionGroup=false\n\n# the end\nmaxMessageSize=1000\n"
    )
    assert load(rewritten).configs == after.configs
