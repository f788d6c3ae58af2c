from hypothesis import given
from hypothesis import strategies as st

from broker_py.replication.acks import AckTable, slave_identity


def table(in_sync_replicas: int, *acks: tuple[str, int]) -> AckTable:
    """Return a table with one connection, numbered from 1, for each pair of slave and acknowledged offset."""
    made = AckTable(in_sync_replicas)
    for number, (slave, acked) in enumerate(acks, 1):
        made.join(number, slave)
        made.acknowledge(number, acked)
    return made


def test_without_need_of_slaves_all_the_master_has_is_replicated() -> None:
    assert table(1).replicated_offset(700) == 700


def test_one_slave_decides_when_two_replicas_are_needed() -> None:
    acks = table(2)
    assert acks.replicated_offset(700) == 0
    acks.join(1, "b")
    acks.acknowledge(1, 600)
    assert acks.replicated_offset(700) == 600


def test_of_two_slaves_the_faster_decides_for_two_replicas_and_the_slower_for_three() -> None:
    assert table(2, ("b", 300), ("c", 500)).replicated_offset(700) == 500
    assert table(3, ("b", 300), ("c", 500)).replicated_offset(700) == 300


def test_two_connections_of_one_slave_count_once() -> None:
    assert table(3, ("b", 500), ("b", 600)).replicated_offset(700) == 0
    assert table(3, ("b", 500), ("b", 600), ("c", 550)).replicated_offset(700) == 550


def test_what_was_replicated_stays_so_when_the_slave_leaves() -> None:
    acks = table(2, ("b", 500))
    acks.leave(1)
    assert acks.replicated_offset(700) == 500
    acks.join(2, "b")
    acks.acknowledge(2, 100)
    assert acks.replicated_offset(700) == 500


def test_the_acknowledgement_of_a_slave_that_left_does_not_help_the_next() -> None:
    acks = table(3, ("b", 500))
    acks.leave(1)
    acks.join(2, "c")
    acks.acknowledge(2, 500)
    assert acks.replicated_offset(700) == 0


def test_a_slave_is_in_sync_while_its_gap_is_below_the_limit() -> None:
    acks = table(2, ("b", 600), ("c", 601), ("c", 10))
    assert acks.in_sync(700, max_gap=100) == 2
    assert acks.in_sync(700, max_gap=101) == 3
    assert acks.in_sync(700, max_gap=1) == 1


@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.integers(1, 6), st.integers(0, 1000)), max_size=40),
    st.integers(0, 1200),
)
def test_an_offset_is_replicated_only_if_enough_slaves_have_acknowledged_it_once(
    in_sync_replicas: int, reports: list[tuple[int, int]], end: int
) -> None:
    acks = AckTable(in_sync_replicas)
    best: dict[str, int] = {}
    for number in range(1, 7):
        acks.join(number, f"slave {number % 4}")
    held = dict.fromkeys(range(1, 7), 0)
    before = 0
    for number, log_offset in reports:
        held[number] = max(held[number], log_offset)
        acks.acknowledge(number, held[number])
        best[f"slave {number % 4}"] = max(best.get(f"slave {number % 4}", 0), log_offset)
        replicated = acks.replicated_offset(end)
        assert before <= replicated <= end
        assert in_sync_replicas == 1 or sum(acked >= replicated for acked in best.values()) >= (
            in_sync_replicas - 1 if replicated else 0
        )
        before = replicated


def test_connections_of_another_host_are_one_slave() -> None:
    assert slave_identity("10.0.0.2", "10.0.0.1", 1) == slave_identity("10.0.0.2", "10.0.0.1", 2)
    assert slave_identity("10.0.0.2", "10.0.0.1", 1) != slave_identity("10.0.0.3", "10.0.0.1", 1)


def test_connections_of_the_masters_own_host_are_a_slave_each() -> None:
    for peer, local in [("127.0.0.1", "127.0.0.1"), ("10.0.0.1", "10.0.0.1"), ("::1", "::1"), ("fe80::1%eth0",) * 2]:
        assert slave_identity(peer, local, 1) != slave_identity(peer, local, 2)
