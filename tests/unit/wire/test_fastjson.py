"""JSON with the liberties that fastjson takes."""

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_py.errors import ProtocolError
from broker_py.model.message_queue import MessageQueue
from broker_py.wire.fastjson import MAX_DIALECT_CHARACTERS, dumps, loads, loads_object, loads_trusted
from tests.support.vectors import java_remoting

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_plain_json_reads_back_the_same(value: object) -> None:
    assert loads(dumps(value)) == value
    assert json.loads(dumps(value)) == value


def test_integer_keys_without_quotes_are_read_as_text() -> None:
    assert loads(b'{0:12, 1 : "b", "2":[{3:null}]}') == {"0": 12, "1": "b", "2": [{"3": None}]}


def test_a_route_of_java_is_read() -> None:
    route = loads_object(java_remoting("route-unquoted"))
    assert route["brokerDatas"][0]["brokerAddrs"] == {"0": "1.1.1.1:1", "1": "1.1.1.1:2"}


def test_a_message_queue_is_a_key_as_an_object_both_ways() -> None:
    queues = {MessageQueue("T", "b", 0): {"offset": 1}, MessageQueue("T", "b", 1): {"offset": 2}}
    text = dumps({"offsetTable": queues})
    assert text.startswith(b'{"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:{"offset":1},{')
    assert loads(text) == {"offsetTable": queues}


def test_bodies_are_written_without_blanks_in_ascii() -> None:
    assert dumps({"a": [1, {"b": "é :,"}], 0: True}) == b'{"a":[1,{"b":"\\u00e9 :,"}],"0":true}'


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{0:1",
        b"{0 1}",
        b"{0:1,}",
        b"{0:1}x",
        b"{[1]:2}",
        b"{0:[1 2]}",
        b"{0:word}",
        b"\xff",
        b"{{}:1,0:}",
        b'{{"queueId":[]}:1}',
        b"[" * 100_000,
        b"{0:" * 70 + b"1" + b"}" * 70,
    ],
)
def test_what_is_no_json_is_a_protocol_error(text: bytes) -> None:
    with pytest.raises(ProtocolError):
        loads(text)


@given(st.text('{}[]:,"\\0a ', max_size=30))
def test_noise_is_never_more_than_a_protocol_error(text: str) -> None:
    try:
        loads(text)
    except ProtocolError:
        return


def test_a_body_that_must_be_an_object_is_nothing_else() -> None:
    with pytest.raises(ProtocolError, match="not a JSON object"):
        loads_object(b"[1]")


def test_views_and_text_are_read_too() -> None:
    assert loads(memoryview(b"[1]")) == loads(bytearray(b"[1]")) == loads("[1]") == [1]


@pytest.mark.parametrize(
    "text", [r'"\ud800"', r'"\\\uDBFF"', r'"\udc00\ud800"', r'"\ud83d\ude00\ude00"', r'{"\uDEAD":1}']
)
def test_half_a_character_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError, match="half a character"):
        loads(text)


@pytest.mark.parametrize("text", [r'"\ud83d\ude00"', r'"\\ud800"', r'"\u00e4\n\uD7FF\ue000"', '"\U0001f600"'])
def test_whole_characters_are_read_however_they_are_escaped(text: str) -> None:
    assert loads(text) == json.loads(text)


def test_a_string_without_an_end_costs_no_more_than_its_size() -> None:
    text = '{"a":"' + "x" * (MAX_DIALECT_CHARACTERS - 10)
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError, match="at character 5"):
            loads(text)
        assert tracemalloc.get_traced_memory()[1] < 4 * len(text)
    finally:
        tracemalloc.stop()


def test_strings_of_the_dialect_have_escapes_and_no_control_characters() -> None:
    assert loads(r'{1:"a\"b\\",2:"\u0041"}') == {"1": 'a"b\\', "2": "A"}
    with pytest.raises(ProtocolError, match="at character 3"):
        loads('{1:"a\nb"}')


def test_a_request_may_have_so_much_that_is_no_plain_json_and_a_file_more() -> None:
    count = MAX_DIALECT_CHARACTERS // 7
    text = "{" + ",".join(f"{number}:1" for number in range(count)) + "}"
    with pytest.raises(ProtocolError, match="is not plain JSON"):
        loads(text)
    assert len(loads_trusted(text)) == count
