import pytest

from broker_py.replication.master_log import FollowRefused, MasterLog, check_fit

MASTER = MasterLog(min_offset=1000, end=5000, segment_size=1000)


@pytest.mark.parametrize("own_end", [0, 1001, 4999, 5000])
def test_an_empty_log_and_one_that_ends_within_the_masters_fit(own_end: int) -> None:
    check_fit(own_end, 1000, MASTER)


@pytest.mark.parametrize("own_end", [5001, 9000])
def test_a_log_that_is_ahead_is_refused_and_said_what_to_do(own_end: int) -> None:
    with pytest.raises(
        FollowRefused, match=f"ahead of its master: it ends at {own_end}, the master's log at 5000"
    ) as no:
        check_fit(own_end, 1000, MASTER)
    assert "Make this broker the master if they are wanted, else stop this broker and move its store away" in str(
        no.value
    )


@pytest.mark.parametrize("own_end", [1, 999, 1000])
def test_a_log_that_ends_where_the_master_has_nothing_any_more_is_refused(own_end: int) -> None:
    with pytest.raises(FollowRefused, match=f"ends at {own_end}, and the master's log begins at 1000.* move its store"):
        check_fit(own_end, 1000, MASTER)


@pytest.mark.parametrize("own_end", [0, 3000])
def test_files_of_another_size_are_refused_before_anything_is_copied(own_end: int) -> None:
    with pytest.raises(FollowRefused, match="mappedFileSizeCommitLog is 2000 here and 1000 on the master"):
        check_fit(own_end, 2000, MASTER)


def test_a_master_that_says_no_size_is_followed() -> None:
    check_fit(3000, 2000, MasterLog(min_offset=0, end=5000))
