import pytest

from broker_py.replication.progress import SlaveProgress, SlaveRefused, start_offset


def started(reported: int, min_offset: int = 0, end: int = 1000) -> SlaveProgress:
    progress = SlaveProgress()
    progress.report(reported, min_offset, end)
    return progress


def test_an_empty_slave_gets_the_whole_log_from_its_first_segment() -> None:
    assert start_offset(0, min_offset=3000, end=9500) == 3000


@pytest.mark.parametrize("reported", [3000, 3001, 9500])
def test_a_slave_goes_on_where_it_is(reported: int) -> None:
    assert start_offset(reported, min_offset=3000, end=9500) == reported


def test_a_slave_ahead_of_its_master_is_refused() -> None:
    with pytest.raises(SlaveRefused, match="ahead of its master: it holds 9501 bytes of log, the master 9500"):
        start_offset(9501, min_offset=3000, end=9500)


def test_a_slave_whose_position_was_deleted_is_refused() -> None:
    with pytest.raises(SlaveRefused, match="wants to go on at 2999, but the master's log begins at 3000"):
        start_offset(2999, min_offset=3000, end=9500)


def test_the_first_report_starts_the_transfer_and_acknowledges() -> None:
    progress = started(400)
    assert (progress.started, progress.sent, progress.acked) == (True, 400, 400)


def test_an_empty_slave_holds_nothing_wherever_the_transfer_starts() -> None:
    progress = started(0, min_offset=500)
    assert (progress.sent, progress.acked) == (500, 0)


def test_later_reports_acknowledge_what_was_sent() -> None:
    progress = started(400)
    progress.advance(100)
    progress.report(450, 0, 1000)
    assert (progress.sent, progress.acked) == (500, 450)


def test_an_acknowledgement_of_bytes_never_sent_is_refused() -> None:
    progress = started(400)
    progress.advance(100)
    with pytest.raises(SlaveRefused, match="acknowledges 501, but was sent the log up to 500"):
        progress.report(501, 0, 1000)
    assert progress.acked == 400


def test_an_acknowledgement_that_goes_back_is_refused() -> None:
    progress = started(400)
    with pytest.raises(SlaveRefused, match="went back from 400 to 399"):
        progress.report(399, 0, 1000)
