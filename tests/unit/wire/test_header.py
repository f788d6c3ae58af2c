"""Typed headers: ext fields as values and back."""

from dataclasses import dataclass, field

import pytest

from broker_py.errors import RequestRefused
from broker_py.wire.header import Int32, Int64, camel, decode_header, encode_header


@dataclass(kw_only=True)
class Sample:
    topic: str
    queue_id: Int32
    commit_offset: Int64 | None = None
    unit_mode: bool = False
    client_id: str | None = field(default=None, metadata={"wire": "clientID"})


def test_names_are_javas() -> None:
    assert camel("topic") == "topic"
    assert camel("suspend_timeout_millis") == "suspendTimeoutMillis"


def test_a_header_is_written_as_text_without_what_is_none() -> None:
    header = Sample(topic="T", queue_id=-1, unit_mode=True, client_id="c")
    assert encode_header(header) == {"topic": "T", "queueId": "-1", "unitMode": "true", "clientID": "c"}


def test_a_header_reads_back_the_same() -> None:
    header = Sample(topic="", queue_id=7, commit_offset=(1 << 63) - 1)
    assert decode_header(Sample, encode_header(header)) == header


def test_unknown_fields_are_passed_over() -> None:
    assert decode_header(Sample, {"topic": "T", "queueId": "1", "bname": "b"}) == Sample(topic="T", queue_id=1)


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("TRUE", True), ("false", False), ("1", False), ("", False)]
)
def test_only_true_is_true(text: str, value: bool) -> None:
    assert decode_header(Sample, {"topic": "T", "queueId": "1", "unitMode": text}).unit_mode is value


@pytest.mark.parametrize(
    ("ext", "remark"),
    [
        ({"queueId": "1"}, "lacks the field topic"),
        ({"topic": "T", "queueId": "one"}, "the field queueId is 'one', not a number"),
        ({"topic": "T", "queueId": ""}, "not a number"),
        ({"topic": "T", "queueId": "2147483648"}, "not within -2147483648 and 2147483647"),
        ({"topic": "T", "queueId": "1", "commitOffset": "9223372036854775808"}, "commitOffset is 9223372036854775808"),
        ({"topic": "T", "queueId": "9" * 10_000}, "queueId"),
    ],
)
def test_what_is_missing_or_out_of_range_is_refused_by_its_name(ext: dict[str, str], remark: str) -> None:
    with pytest.raises(RequestRefused, match=remark) as refusal:
        decode_header(Sample, ext)
    assert refusal.value.code == 1
    assert len(str(refusal.value)) < 300
