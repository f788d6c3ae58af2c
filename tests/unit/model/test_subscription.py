"""Heartbeats and what is in them."""

from broker_py.model.subscription import ConsumerData, Heartbeat, Subscription

SUBSCRIPTION = Subscription(topic="T", sub_string="A || B", tags=("A", "B"), codes=frozenset({65, 66}), sub_version=9)
HEARTBEAT = Heartbeat(
    client_id="10.0.0.1@1",
    producer_groups=("p",),
    consumers=(ConsumerData(group_name="g", message_model="BROADCASTING", subscriptions=(SUBSCRIPTION,)),),
)


def test_a_heartbeat_has_javas_form() -> None:
    assert HEARTBEAT.to_json() == {
        "clientID": "10.0.0.1@1",
        "consumerDataSet": [
            {
                "consumeFromWhere": "CONSUME_FROM_LAST_OFFSET",
                "consumeType": "CONSUME_PASSIVELY",
                "groupName": "g",
                "messageModel": "BROADCASTING",
                "subscriptionDataSet": [
                    {
                        "classFilterMode": False,
                        "codeSet": [65, 66],
                        "expressionType": "TAG",
                        "subString": "A || B",
                        "subVersion": 9,
                        "tagsSet": ["A", "B"],
                        "topic": "T",
                    }
                ],
                "unitMode": False,
            }
        ],
        "producerDataSet": [{"groupName": "p"}],
    }


def test_a_heartbeat_reads_back_the_same() -> None:
    assert Heartbeat.from_json(HEARTBEAT.to_json()) == HEARTBEAT


def test_codes_of_go_are_text() -> None:
    assert Subscription.from_json({"topic": "T", "codeSet": ["2598919", "-5"]}).codes == {2598919, -5}


def test_a_heartbeat_may_have_nothing_but_its_client() -> None:
    assert Heartbeat.from_json({"clientID": "c", "consumerDataSet": None}) == Heartbeat(client_id="c")
