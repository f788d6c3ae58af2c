"""Rules and requests that nobody means: each is refused with a sentence, and nothing else happens.

MUTATIONS=1000000 pytest tests/unit/broker/test_acl_mutated.py      for a long run
"""

import os
from random import Random
from typing import Final

from broker_py.broker.acl.addresses import WhiteList
from broker_py.broker.acl.rules import parse_rules
from broker_py.errors import ConfigError, ProtocolError, RequestRefused
from broker_py.runtime.yaml_text import load_yaml
from broker_py.wire.command import Command
from broker_py.wire.frame import FrameDecoder, encode_command
from broker_py.wire.signing import SIGNATURE, sign
from tests.support.mutated_frames import Requests
from tests.unit.broker.peers import MemoryPeer
from tests.unit.broker.test_acl_files import SHIPPED
from tests.unit.broker.test_acl_gate import NOBODY, USER, a_gate

COUNT: Final = int(os.environ.get("MUTATIONS", "2000"))
_PIECES: Final = (b"*", b"&a ", b"!!binary ", b"- ", b": ", b"{", b"]", b"\t", b"\xff", b"0x1f", b"1e9", b"null", b"'")


def mutated(random: Random, data: bytes) -> bytes:
    """Return data with a few bytes or pieces changed, doubled or gone."""
    changed = bytearray(data)
    for _ in range(random.randint(1, 5)):
        start = random.randrange(len(changed) + 1)
        end = min(len(changed), start + random.choice((0, 1, 2, 30)))
        piece = random.choice((b"", random.choice(_PIECES), random.randbytes(2), bytes(changed[start:end]) * 2))
        changed[start:end] = piece
    return bytes(changed)


def test_a_mutated_file_has_rules_or_a_reason() -> None:
    random = Random(1)
    sound = longest = 0
    for _ in range(max(200, COUNT // 10)):
        try:
            parse_rules(load_yaml(mutated(random, SHIPPED), "plain_acl.yml"), "plain_acl.yml")
            sound += 1
        except ConfigError as error:
            longest = max(longest, len(str(error)))
    assert sound
    assert longest < 1000


def test_a_mutated_pattern_is_a_white_list_or_refused() -> None:
    random = Random(2)
    longest = 0
    for _ in range(COUNT):
        pattern = mutated(random, random.choice((b"10.0.1-9.*", b"10.0.0.{1,2}", b"2::ac5:78:1-200:*", b"fe80::1")))
        try:
            WhiteList([pattern.decode("latin-1")]).matches("10.0.0.7")
        except ConfigError as error:
            longest = max(longest, len(str(error)))
    assert longest < 1000


def test_a_mutated_request_passes_or_is_refused_and_a_changed_one_never_passes() -> None:
    random = Random(3)
    gate, peer, requests = a_gate(), MemoryPeer(), Requests(random)
    for _ in range(COUNT):
        command = requests.next()
        sign(command, random.choice((USER, NOBODY)))
        try:
            gate.check(command, peer)
        except RequestRefused:
            pass
        for changed in received(mutated(random, encode_command(command))):
            same = (changed.ext, changed.body) == (command.ext, command.body)
            try:
                gate.check(changed, peer)
            except RequestRefused:
                continue
            values = {name: value for name, value in changed.ext.items() if name != SIGNATURE}
            assert same or "".join(values[name] for name in sorted(values)) == "".join(
                command.ext[name] for name in sorted(command.ext) if name != SIGNATURE
            )


def received(frame: bytes) -> list[Command]:
    """Return what a connection makes of the bytes."""
    try:
        return FrameDecoder().receive_data(frame)
    except ProtocolError:
        return []
