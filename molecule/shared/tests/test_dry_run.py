"""A dry run on what is deployed."""

from collections.abc import Callable

import pytest

from layout import Layout
from playbook_run import PlaybookRun


@pytest.mark.timeout(900)
def test_a_dry_run_shows_nothing(playbook: Callable[..., PlaybookRun], layout: Layout) -> None:
    run = playbook("site.yml", "--check", "--diff")
    assert run.succeeded, run.output[-4000:]
    assert {host: run.changed[host] for host in layout.hosts} == dict.fromkeys(layout.hosts, 0), run.output[-8000:]
