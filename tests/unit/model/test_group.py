"""Settings of consumer groups."""

from broker_py.model.group import GroupConfig


def test_a_group_reads_back_the_same() -> None:
    group = GroupConfig(group_name="g", consume_enable=False, retry_max_times=3, consume_timeout_minute=1)
    assert GroupConfig.from_json(group.to_json()) == group


def test_a_new_group_has_javas_defaults() -> None:
    assert GroupConfig(group_name="g").to_json() == {
        "brokerId": 0,
        "consumeBroadcastEnable": True,
        "consumeEnable": True,
        "consumeFromMinEnable": True,
        "consumeMessageOrderly": False,
        "consumeTimeoutMinute": 15,
        "groupName": "g",
        "groupRetryPolicy": {"type": "CUSTOMIZED"},
        "groupSysFlag": 0,
        "notifyConsumerIdsChangedEnable": True,
        "retryMaxTimes": 16,
        "retryQueueNums": 1,
        "whichBrokerWhenConsumeSlowly": 1,
    }


def test_a_group_of_4_9_lacks_the_last_fields() -> None:
    assert GroupConfig.from_json({"groupName": "g", "consumeEnable": True}) == GroupConfig(group_name="g")
