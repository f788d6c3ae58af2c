from functools import partial

from broker_py.store.watermark import Watermark


def test_callbacks_run_in_the_order_of_their_offsets_once_covered() -> None:
    mark = Watermark()
    ran: list[int] = []
    for offset in (30, 10, 20, 10):
        mark.when(offset, partial(ran.append, offset))
    mark.advance(9)
    assert ran == []
    mark.advance(20)
    assert ran == [10, 10, 20]
    mark.advance(100)
    assert ran == [10, 10, 20, 30]


def test_a_callback_for_a_covered_offset_runs_at_once() -> None:
    mark, ran = Watermark(5), []
    assert not mark.when(5, lambda: ran.append(5)).pending
    assert ran == [5]


def test_the_value_never_goes_back() -> None:
    mark = Watermark(5)
    mark.advance(3)
    assert mark.value == 5


def test_a_cancelled_wait_never_runs() -> None:
    mark, ran = Watermark(), []
    wait = mark.when(1, lambda: ran.append(1))
    wait.cancel()
    wait.cancel()
    mark.advance(1)
    assert ran == []
    assert mark.waiting == 0


def test_waits_that_were_cancelled_do_not_pile_up_while_the_watermark_stands_still() -> None:
    mark = Watermark()
    for _ in range(1000):
        mark.when(1, lambda: None).cancel()
    assert len(mark._waits) < 100


def test_a_callback_may_wait_again_and_advance_further() -> None:
    mark, ran = Watermark(), []

    def first() -> None:
        ran.append("first")
        mark.when(2, lambda: ran.append("second"))
        mark.advance(2)

    mark.when(1, first)
    mark.when(3, lambda: ran.append("third"))
    mark.advance(1)
    assert ran == ["first", "second"]
    mark.advance(3)
    assert ran == ["first", "second", "third"]
