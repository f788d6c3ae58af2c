"""What the tests of all scenarios get: the layout of the scenario, its hosts, and playbooks to run on them.

    pytest molecule/shared/tests molecule/single/tests --scenario single

The hosts must be there and deployed: `molecule converge -s single`.
"""

import pathlib
from collections.abc import Callable

import pytest
import testinfra
from testinfra.host import Host

from cluster import Cluster
from containers import LABS
from layout import Layout, read_layout
from playbook_run import PlaybookRun, run_playbook

HERE = pathlib.Path(__file__).parent
LAYOUT = pytest.StashKey[Layout]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--scenario", help="the folder of molecule/ whose layout.json the hosts should show")
    parser.addoption("--state", type=pathlib.Path, help="directory with the hosts' connection.yml and ssh_config")


def pytest_configure(config: pytest.Config) -> None:
    scenario = config.getoption("--scenario")
    if scenario is None:
        raise pytest.UsageError("The tests of Molecule need --scenario NAME, a folder of molecule/ with a layout.json.")
    config.stash[LAYOUT] = read_layout(HERE / scenario, config.getoption("--state") or LABS / scenario)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that asks for one daemon, broker, master, slave or host each of them in turn."""
    layout = metafunc.config.stash[LAYOUT]
    kinds = {
        "daemon": layout.daemons,
        "nameserver": layout.nameservers,
        "broker": layout.brokers,
        "master": layout.masters,
        "slave": layout.slaves,
    }
    for kind, daemons in kinds.items():
        if kind in metafunc.fixturenames:
            metafunc.parametrize(kind, daemons, ids=[f"{daemon.host}-{daemon.name}" for daemon in daemons])
    if "host" in metafunc.fixturenames:
        metafunc.parametrize("host", layout.hosts, indirect=True)


@pytest.fixture(scope="session")
def layout(request: pytest.FixtureRequest) -> Layout:
    return request.config.stash[LAYOUT]


@pytest.fixture(scope="session")
def hosts(layout: Layout) -> dict[str, Host]:
    """All hosts by name, as root."""
    config = str(layout.state / "ssh_config")
    return {host: testinfra.get_host(f"ssh://{host}", ssh_config=config, sudo=True) for host in layout.hosts}


@pytest.fixture(scope="session")
def daemons_of(layout: Layout) -> dict[str, set[str]]:
    """The units that each host should run."""
    return {host: {daemon.unit for daemon in layout.daemons if daemon.host == host} for host in layout.hosts}


@pytest.fixture
def host(request: pytest.FixtureRequest, hosts: dict[str, Host]) -> Host:
    return hosts[request.param]


@pytest.fixture(scope="session")
def cluster(layout: Layout, hosts: dict[str, Host]) -> Cluster:
    return Cluster(layout, hosts)


@pytest.fixture(scope="session")
def playbook(layout: Layout) -> Callable[..., PlaybookRun]:
    """Run a playbook of the product with the scenario's inventories: playbook("site.yml", "--check")."""
    return lambda name, *arguments: run_playbook(layout, name, *arguments)
