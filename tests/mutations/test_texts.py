"""Mutated SQL expressions, access files, patterns of addresses and signatures: read, or refused with a reason."""

from random import Random

import pytest

from broker_py.broker.acl.addresses import WhiteList
from broker_py.broker.acl.rules import parse_rules
from broker_py.errors import ConfigError, ProtocolError, RequestRefused
from broker_py.filter.lexer import ExpressionInvalid
from broker_py.filter.parser import compile_filter
from broker_py.runtime.yaml_text import load_yaml
from broker_py.wire.command import Command
from broker_py.wire.frame import FrameDecoder, encode_command
from broker_py.wire.signing import SIGNATURE, sign
from tests.mutations.meter import SEED, Meter, check_reason, listening
from tests.mutations.requests import Requests, served
from tests.mutations.subjects import BrokerSubject
from tests.mutations.texts import mutated, sql_expression
from tests.unit.broker.peers import MemoryPeer
from tests.unit.broker.test_acl_files import SHIPPED
from tests.unit.broker.test_acl_gate import NOBODY, USER, a_gate

PROPERTIES: tuple[dict[str, str], ...] = (
    {"a": "5", "b": "x", "f": "3.5", "flag": "true", "big": "3000000000", "TAGS": "A", "_x$1": "TRUE"},
    {"a": "NaN", "b": "9" * 5000, "f": "1e400", "flag": "", "big": "-", "TAGS": "\x00", "d": "٣"},
    {},
)
PATTERNS = (b"10.0.1-9.*", b"10.0.0.{1,2}", b"2::ac5:78:1-200:*", b"fe80::1", b"*", b"1:2:3:4:5:6:7:{a,b}")


@pytest.mark.timeout(0)
def test_a_mutated_expression_filters_or_is_refused() -> None:
    random = Random(f"{SEED}/sql")
    meter = Meter("SQL expressions")
    sound = 0
    for _ in meter.each():
        text = sql_expression(random)
        with meter.timed(text.encode(errors="replace")):
            try:
                compiled = compile_filter(text)
                sound += 1
            except ExpressionInvalid as error:
                check_reason(error)
                continue
            for properties in PROPERTIES:
                assert compiled.matches(properties) in (True, False)
    assert 0 < sound < meter.count


@pytest.mark.timeout(0)
def test_a_mutated_file_has_rules_or_a_reason() -> None:
    random = Random(f"{SEED}/files")
    meter = Meter("access files")
    sound = 0
    for _ in meter.each():
        content = mutated(random, SHIPPED)
        with meter.timed(content):
            try:
                parse_rules(load_yaml(content, "plain_acl.yml"), "plain_acl.yml")
                sound += 1
            except ConfigError as error:
                check_reason(error)
    assert 0 < sound < meter.count


@pytest.mark.timeout(0)
def test_a_mutated_pattern_is_a_white_list_or_refused() -> None:
    random = Random(f"{SEED}/patterns")
    meter = Meter("address patterns")
    for _ in meter.each():
        pattern = mutated(random, random.choice(PATTERNS))
        with meter.timed(pattern):
            try:
                WhiteList([pattern.decode("latin-1")]).matches("10.0.0.7")
            except ConfigError as error:
                check_reason(error)


@pytest.mark.timeout(0)
async def test_a_mutated_request_passes_or_is_refused_and_a_changed_one_never_passes() -> None:
    random = Random(f"{SEED}/signed")
    meter = Meter("signed requests")
    gate, peer, requests = a_gate(), MemoryPeer(), Requests(random, served(BrokerSubject().router))
    with listening() as complaints:
        for _ in meter.each():
            command = requests.next()
            sign(command, random.choice((USER, NOBODY)))
            frame = encode_command(command)
            with meter.timed(frame):
                try:
                    gate.check(command, peer)
                except RequestRefused:
                    pass
                for changed in received(mutated(random, frame)):
                    try:
                        gate.check(changed, peer)
                    except RequestRefused:
                        continue
                    assert what_is_signed(changed) == what_is_signed(command)
            assert not complaints.found, complaints.found[0]


def what_is_signed(command: Command) -> tuple[str, bytes]:
    """What a signature is of: all values but itself, in the order of their names, and the body."""
    names = sorted(name for name in command.ext if name != SIGNATURE)
    return "".join(command.ext[name] for name in names), bytes(command.body)


def received(frame: bytes) -> list[Command]:
    """Return what a connection makes of the bytes."""
    try:
        return FrameDecoder().receive_data(frame)
    except ProtocolError:
        return []
