"""What holds for any number of sets, slaves and hosts."""

import math
from collections import Counter
from collections.abc import Sequence

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from plugins.filter.topology import Instance, pin_problems, place_brokers, place_nameservers, topology_problems

hosts = st.integers(1, 9).map(lambda count: [f"h{number}" for number in range(count)])
sets = st.integers(1, 10).map(lambda count: [f"broker-{chr(ord('a') + number)}" for number in range(count)])
slaves = st.integers(0, 4)
bounded = settings(derandomize=True, max_examples=150, deadline=None)


def addresses(names: Sequence[str]) -> dict[str, str]:
    return {name: f"10.0.0.{number + 1}" for number, name in enumerate(names)}


def place(
    names: Sequence[str], set_names: Sequence[str], slave_count: int, pins: dict[str, list[str]] | None = None
) -> list[Instance]:
    return place_brokers(names, addresses(names), set_names, slave_count, "async", 10911, 1000, pins)


def members(placed: Sequence[Instance], name: str) -> list[Instance]:
    return [broker for broker in placed if broker["broker_name"] == name]


def hosts_of(placed: Sequence[Instance], name: str) -> list[str]:
    return [broker["host"] for broker in members(placed, name)]


@bounded
@given(hosts, sets, slaves)
def test_whatever_is_asked_for_can_work(names: list[str], set_names: list[str], slave_count: int) -> None:
    placed = place(names, set_names, slave_count)
    assert topology_problems(placed, place_nameservers(names, addresses(names), 1, 9876)) == []
    assert len({broker["name"] for broker in placed}) == len(placed)


@bounded
@given(hosts, sets, slaves)
def test_a_set_has_one_master_with_id_0_and_its_slaves_count_up_from_1(
    names: list[str], set_names: list[str], slave_count: int
) -> None:
    placed = place(names, set_names, slave_count)
    for name in set_names:
        roles = [(member["broker_id"], member["role"]) for member in members(placed, name)]
        assert roles == [(0, "ASYNC_MASTER"), *((number + 1, "SLAVE") for number in range(slave_count))]


@bounded
@given(hosts, sets, slaves)
def test_a_slave_is_never_with_its_master_when_there_are_two_hosts(
    names: list[str], set_names: list[str], slave_count: int
) -> None:
    assume(len(names) > 1)
    placed = place(names, set_names, slave_count)
    for name in set_names:
        master, *others = hosts_of(placed, name)
        assert master not in others


@bounded
@given(hosts, sets, slaves)
def test_the_members_of_a_set_are_on_different_hosts_when_there_are_enough_and_spread_evenly_when_not(
    names: list[str], set_names: list[str], slave_count: int
) -> None:
    placed = place(names, set_names, slave_count)
    for name in set_names:
        _, *others = hosts_of(placed, name)
        room = max(min(len(names) - 1, slave_count), 1)
        assert all(count <= math.ceil(slave_count / room) for count in Counter(others).values())


@bounded
@given(hosts, sets, slaves)
def test_masters_are_balanced(names: list[str], set_names: list[str], slave_count: int) -> None:
    count = Counter(broker["host"] for broker in place(names, set_names, slave_count) if broker["kind"] == "master")
    numbers = [count[name] for name in names]
    assert max(numbers) - min(numbers) <= 1


@bounded
@given(hosts, st.integers(1, 3), slaves)
def test_full_rounds_of_sets_give_every_host_the_same(names: list[str], rounds: int, slave_count: int) -> None:
    set_names = [f"broker-{number}" for number in range(rounds * len(names))]
    count = Counter(broker["host"] for broker in place(names, set_names, slave_count))
    assert {count[name] for name in names} == {rounds * (slave_count + 1)}


@bounded
@given(hosts, sets, slaves, st.integers(1, 4))
def test_appending_sets_moves_nothing(names: list[str], set_names: list[str], slave_count: int, more: int) -> None:
    before = place(names, set_names, slave_count)
    after = place(names, [*set_names, *(f"new-{number}" for number in range(more))], slave_count)
    assert after[: len(before)] == before


@bounded
@given(st.integers(1, 3), slaves, st.integers(1, 3), st.data())
def test_appending_whole_blocks_of_hosts_and_sets_moves_nothing(
    blocks: int, slave_count: int, more_blocks: int, data: st.DataObject
) -> None:
    count, more = blocks * (slave_count + 1), more_blocks * (slave_count + 1)
    set_count = data.draw(st.integers(1, count))
    names = [f"h{number}" for number in range(count + more)]
    set_names = [f"broker-{number}" for number in range(set_count + more)]
    before = place(names[:count], set_names[:set_count], slave_count)
    assert place(names, set_names, slave_count)[: len(before)] == before


@bounded
@given(hosts, hosts, sets, slaves, st.integers(0, 4))
def test_sets_that_are_pinned_where_they_are_keep_everything_whatever_is_appended(
    names: list[str], new_hosts: list[str], set_names: list[str], slave_count: int, more: int
) -> None:
    before = place(names, set_names, slave_count)
    pins = {name: hosts_of(before, name) for name in set_names}
    all_hosts = [*names, *(f"new-{name}" for name in new_hosts)]
    all_sets = [*set_names, *(f"new-{number}" for number in range(more))]
    assert pin_problems(pins, all_sets, all_hosts, slave_count) == []
    assert place(all_hosts, all_sets, slave_count, pins)[: len(before)] == before


@bounded
@given(hosts, sets, slaves, st.data())
def test_a_set_that_is_pinned_nowhere_is_gone_and_leaves_the_others_as_they_are(
    names: list[str], set_names: list[str], slave_count: int, data: st.DataObject
) -> None:
    retired = data.draw(st.sampled_from(set_names))
    before = place(names, set_names, slave_count)
    assert place(names, set_names, slave_count, {retired: []}) == [
        broker for broker in before if broker["broker_name"] != retired
    ]
