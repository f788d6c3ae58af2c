"""Frames: cutting a stream into commands, and back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_py.errors import ProtocolError
from broker_py.wire.codes import LANGUAGE_OTHER
from broker_py.wire.command import FLAG_ONEWAY, FLAG_RESPONSE, TYPE_BINARY, TYPE_JSON, Command
from broker_py.wire.frame import FrameDecoder, encode_command
from tests.support.vectors import java_remoting

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
INT32 = st.integers(-(1 << 31), (1 << 31) - 1)
POP_CODES = range(3442, 3448)


@st.composite
def commands(draw: st.DrawFn) -> Command:
    kind = draw(st.sampled_from([TYPE_JSON, TYPE_BINARY]))
    codes = INT32 if kind == TYPE_JSON else st.integers(-(1 << 15), (1 << 15) - 1).filter(lambda c: c not in POP_CODES)
    return Command(
        draw(codes),
        draw(st.dictionaries(TEXT, TEXT, max_size=5)),
        draw(st.binary(max_size=64)),
        flag=draw(INT32),
        opaque=draw(INT32),
        remark=draw(st.none() | TEXT),
        language=draw(st.integers(0, 13)),
        version=draw(st.integers(-(1 << 15), (1 << 15) - 1)),
        serialize_type=kind,
    )


def fields(command: Command) -> tuple[object, ...]:
    return tuple(getattr(command, name) for name in Command.__slots__)


def decode_one(frame: bytes) -> Command:
    (command,) = FrameDecoder().receive_data(frame)
    return command


def frame(header: bytes, body: bytes = b"", kind: int = TYPE_JSON, total: int | None = None) -> bytes:
    size = 4 + len(header) + len(body) if total is None else total
    return size.to_bytes(4, "big", signed=True) + bytes([kind]) + len(header).to_bytes(3, "big") + header + body


def test_a_frame_is_its_length_its_mark_its_header_and_its_body() -> None:
    header = b'{"code":11,"extFields":{},"flag":0,"language":"PYTHON","opaque":5,"serializeTypeCurrentRPC":"JSON",'
    header += b'"version":433}'
    data = encode_command(Command(11, {}, b"body", opaque=5))
    assert data == (4 + len(header) + 4).to_bytes(4, "big") + b"\0" + len(header).to_bytes(3, "big") + header + b"body"


@pytest.mark.parametrize("kind", ["json", "binary"])
def test_a_request_of_java_is_read(kind: str) -> None:
    command = decode_one(java_remoting(f"register-request-{kind}"))
    assert (command.code, command.flag, command.opaque, command.version, command.language) == (103, 0, 258, 433, 0)
    assert command.ext == {
        "brokerId": "0",
        "bodyCrc32": "7",
        "clusterName": "C",
        "brokerAddr": "10.0.0.1:10911",
        "enableActingMaster": "false",
        "haServerAddr": "10.0.0.1:10912",
        "compressed": "false",
        "brokerName": "broker-a",
    }
    assert command.body == b"hi"
    assert command.remark is None
    assert not command.is_response


@pytest.mark.parametrize("kind", ["json", "binary"])
def test_a_reply_of_java_is_read(kind: str) -> None:
    command = decode_one(java_remoting(f"reply-{kind}"))
    assert (command.code, command.flag, command.opaque) == (17, FLAG_RESPONSE | FLAG_ONEWAY, -3)
    assert command.remark == 'no röute "t"'
    assert command.ext == {}
    assert command.body == b""


@pytest.mark.parametrize("kind", ["json", "binary"])
def test_a_send_of_java_is_read(kind: str) -> None:
    command = decode_one(java_remoting(f"send-v2-{kind}"))
    assert (command.code, command.ext["g"], command.ext["i"]) == (310, "1700000000000", "k\x01v")
    assert command.body == b"\1\2\3"


@pytest.mark.parametrize("name", ["register-request-binary", "reply-binary", "send-v2-binary"])
def test_a_binary_frame_of_java_is_written_again_to_the_same_bytes(name: str) -> None:
    data = java_remoting(name)
    assert encode_command(decode_one(data)) == data


@given(commands())
def test_what_is_written_reads_back_the_same(command: Command) -> None:
    assert fields(decode_one(encode_command(command))) == fields(command)


@given(st.lists(commands(), max_size=4), st.lists(st.integers(1, 60), min_size=1))
def test_a_stream_gives_the_same_commands_however_it_is_chopped(sent: list[Command], sizes: list[int]) -> None:
    stream = b"".join(encode_command(command) for command in sent)
    decoder = FrameDecoder()
    received: list[Command] = []
    position = turn = 0
    while position < len(stream):
        size = sizes[turn % len(sizes)]
        received += decoder.receive_data(stream[position : position + size])
        position, turn = position + size, turn + 1
    assert [fields(command) for command in received] == [fields(command) for command in sent]
    assert decoder.pending_bytes == 0


@pytest.mark.parametrize("name", ["register-request-json", "register-request-binary", "reply-json", "send-v2-binary"])
def test_frames_of_java_may_come_one_byte_at_a_time(name: str) -> None:
    data = java_remoting(name)
    decoder = FrameDecoder()
    counts = [len(decoder.receive_data(data[i : i + 1])) for i in range(len(data))]
    assert counts == [0] * (len(data) - 1) + [1]


@given(st.data())
def test_a_mutated_frame_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    vector = data.draw(
        st.sampled_from(["register-request-json", "register-request-binary", "send-v2-json", "reply-binary"])
    )
    mutated = bytearray(java_remoting(vector))
    for _ in range(data.draw(st.integers(1, 6))):
        mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.integers(0, 255))
    decoder = FrameDecoder()
    try:
        received = decoder.receive_data(bytes(mutated))
    except ProtocolError:
        return
    for command in received:
        assert all(type(key) is str and type(value) is str for key, value in command.ext.items())


@given(st.binary(max_size=80))
def test_noise_is_never_more_than_a_protocol_error(noise: bytes) -> None:
    try:
        FrameDecoder().receive_data(noise)
        FrameDecoder().receive_data(frame(noise))
        FrameDecoder().receive_data(frame(noise, kind=TYPE_BINARY))
    except ProtocolError:
        return


@pytest.mark.parametrize("total", [-1, 0, 3, 16_777_217, 0x7FFFFFFF])
def test_a_frame_of_an_impossible_size_is_refused_before_it_is_there(total: int) -> None:
    with pytest.raises(ProtocolError, match=f"frame of {total} bytes"):
        FrameDecoder().receive_data(frame(b"", total=total))


def test_the_largest_frame_is_accepted() -> None:
    header = b'{"code":1}'
    body = bytes(16_777_216 - 4 - len(header))
    assert decode_one(frame(header, body)).body == body


def test_a_header_that_goes_beyond_its_frame_is_refused() -> None:
    with pytest.raises(ProtocolError, match="header of 10 bytes in a frame of 13"):
        FrameDecoder().receive_data(frame(b'{"code":1}', total=13))


def test_a_header_of_more_than_a_mebibyte_is_refused_before_it_is_there() -> None:
    size = (1 << 20) + 1
    with pytest.raises(ProtocolError, match="exceeds 1048576"):
        FrameDecoder().receive_data((4 + size).to_bytes(4, "big") + size.to_bytes(4, "big"))


def test_a_header_type_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ProtocolError, match="header type 2"):
        FrameDecoder().receive_data(frame(b'{"code":1}', kind=2))


def test_a_header_is_pending_until_its_last_byte() -> None:
    data = frame(b'{"code":1}', b"body")
    decoder = FrameDecoder()
    assert not decoder.header_pending()
    decoder.receive_data(data[:3])
    assert decoder.header_pending()
    decoder.receive_data(data[3:17])
    assert decoder.header_pending()
    decoder.receive_data(data[17:19])
    assert not decoder.header_pending()
    assert decoder.pending_bytes == 19


def header_of(**changes: object) -> bytes:
    return json.dumps({"code": 1, "flag": 0, "opaque": 1} | changes).encode()


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"[]",
        b"{",
        b"null",
        b'{"opaque":1}',
        b"\xff\xfe{",
        b"[" * 100_000,
        json.dumps({"code": 1}).encode("utf-16"),
        header_of(extFields={"topic": "\ud800"}),
        b'{"code":1,"remark":"\xed\xa0\x80"}',
        header_of(code="11"),
        header_of(code=1 << 31),
        header_of(opaque=1.5),
        header_of(flag=True),
        header_of(extFields=[]),
        header_of(extFields={"a": {}}),
        header_of(extFields={f"k{i}": "" for i in range(513)}),
    ],
)
def test_a_json_header_that_makes_no_sense_is_refused(header: bytes) -> None:
    with pytest.raises(ProtocolError):
        FrameDecoder().receive_data(frame(header))


def test_json_ext_fields_that_are_no_text_are_read_as_java_prints_them() -> None:
    ext = {"number": 12, "yes": True, "no": False, "text": "x", "nothing": None}
    assert decode_one(frame(header_of(extFields=ext))).ext == {
        "number": "12",
        "yes": "true",
        "no": "false",
        "text": "x",
    }


@pytest.mark.parametrize(
    ("language", "number"),
    [
        ("JAVA", 0),
        ("GO", 9),
        ("NODE_JS", 13),
        (9, 9),
        ("KLINGON", LANGUAGE_OTHER),
        (99, LANGUAGE_OTHER),
        (None, LANGUAGE_OTHER),
    ],
)
def test_a_language_may_be_a_name_a_number_or_unknown(language: object, number: int) -> None:
    assert decode_one(frame(header_of(language=language))).language == number


def test_all_ext_values_are_written_as_text_and_without_blanks() -> None:
    data = encode_command(Command(0, {"queueId": "1", "ключ": 'a"b'}, remark="r"))
    assert b'"extFields":{"queueId":"1","\\u043a\\u043b\\u044e\\u0447":"a\\"b"}' in data
    assert b" " not in data[8:]


BINARY = bytes.fromhex("0067 00 01b1 00000001 00000000")


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "00000001",
        "ffffffff 00000000",
        "00000000 00000001",
        "00000000 00000008 0001 61 00000009 62",
        "00000000 00000007 ffff 61 00000000",
        "00000000 00000003 0001 61",
        "00000000 00000001 00",
        "00000000 00000008 0001 ff 00000001 62",
        "00000001 ff 00000000",
    ],
)
def test_a_binary_header_with_a_wrong_length_or_text_is_refused(rest: str) -> None:
    with pytest.raises(ProtocolError):
        FrameDecoder().receive_data(frame(BINARY + bytes.fromhex(rest), kind=TYPE_BINARY))


def test_an_empty_binary_value_is_none_at_all() -> None:
    header = BINARY + bytes.fromhex("00000000 0000000f 0001 61 00000000 0001 62 00000001 63")
    assert decode_one(frame(header, kind=TYPE_BINARY)).ext == {"b": "c"}
    assert b"empty" not in encode_command(Command(1, {"empty": "", "b": "c"}, serialize_type=TYPE_BINARY))


def test_a_pop_code_survives_the_sixteen_bits_of_a_binary_header() -> None:
    data = encode_command(Command(200050, serialize_type=TYPE_BINARY))
    assert data[8:10] == (3442).to_bytes(2, "big")
    assert decode_one(data).code == 200050


def test_a_command_shows_what_it_is() -> None:
    assert repr(Command(11, {"a": "b"}, b"xyz", opaque=4)) == "<request 11 opaque 4 ext {'a': 'b'} body 3 bytes>"
    assert repr(Command(0, flag=FLAG_RESPONSE)).startswith("<reply 0")
    assert Command(10, flag=FLAG_ONEWAY).is_oneway
