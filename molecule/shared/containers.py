"""Debian hosts as containers with systemd, sshd and Python, each with an address of its own, for trials and tests.

    containers.py create LAB HOST=ADDRESS ... [--network 192.168.56.0/24]
    containers.py restart LAB HOST
    containers.py destroy LAB
    containers.py path LAB

`create` makes what is missing and leaves what runs. It writes connection.yml, an inventory that says how to reach the
hosts and goes on top of a real one (`-i inventories/2m-2s-async -i .../connection.yml`), and ssh_config (`ssh -F`).
An address outside of the network keeps its last part: with --network 172.28.7.0/24, 192.168.56.11 is 172.28.7.11.
`--network free` is 192.168.56.0/24 or, where another lab or anything else of the engine has that, the next free one.
"""

import argparse
import ipaddress
import json
import pathlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

import docker
import yaml
from docker.models.containers import Container
from docker.models.networks import Network

from engine import CACHE, EngineError, connect
from image import host_image

LABS = CACHE / "containers"
LABEL = "broker-py.lab"
DEFAULT_NETWORK = "192.168.56.0/24"
FREE = "free"
CANDIDATES = (DEFAULT_NETWORK, *(f"172.28.{part}.0/24" for part in range(56, 72)))
USER = "operator"
BOOT_SECONDS = 90
AUTHORIZE = (
    "install -d -m 0700 -o {user} /home/{user}/.ssh && "
    "echo '{key}' | install -m 0600 -o {user} /dev/stdin /home/{user}/.ssh/authorized_keys"
)

# systemd needs these and not --privileged: mounts and namespaces for its sandboxes, and its own control groups.
# With SYS_PTRACE root sees who has a port, as root does on a real host.
SYSTEMD_OPTIONS: dict[str, Any] = {
    "cap_add": ["SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE"],
    "security_opt": ["seccomp=unconfined", "apparmor=unconfined"],
    "cgroupns": "host",
    "volumes": {"/sys/fs/cgroup": {"bind": "/sys/fs/cgroup", "mode": "rw"}},
    "tmpfs": {"/run": "", "/run/lock": ""},
}


# ---- what is decided without an engine


def placed(hosts: Mapping[str, str], network: str) -> dict[str, str]:
    """Return the address of each host in `network`: its own, or one with the same last part."""
    wanted = ipaddress.ip_network(network)
    addresses = {}
    for host, text in hosts.items():
        address = ipaddress.ip_address(text)
        if address not in wanted:
            part = int(address) & int(wanted.hostmask)
            address = wanted.network_address + part
        addresses[host] = str(address)
    return addresses


def first_free(taken: Iterable[str]) -> str:
    """Return the first network that overlaps with none of `taken`. EngineError when all do."""
    others = [ipaddress.ip_network(network) for network in taken]
    for candidate in CANDIDATES:
        network = ipaddress.ip_network(candidate)
        if not any(network.version == other.version and network.overlaps(other) for other in others):
            return candidate
    raise EngineError(f"Networks of the engine overlap with {CANDIDATES[0]} and all up to {CANDIDATES[-1]}.")


def connection_inventory(addresses: Mapping[str, str], state: pathlib.Path) -> dict[str, Any]:
    """Return the inventory that says how Ansible reaches the hosts."""
    return {
        "all": {
            "vars": {
                "ansible_user": USER,
                "ansible_ssh_private_key_file": str(state / "id_ed25519"),
                "ansible_ssh_common_args": f"-o IdentitiesOnly=yes -o UserKnownHostsFile={state / 'known_hosts'}",
            },
            "hosts": {host: {"ansible_host": address} for host, address in addresses.items()},
        }
    }


def ssh_config(addresses: Mapping[str, str], state: pathlib.Path) -> str:
    """Return the same for ssh itself."""
    blocks = [f"Host {host} {address}\n  HostName {address}\n" for host, address in addresses.items()]
    common = {
        "User": USER,
        "IdentityFile": state / "id_ed25519",
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": state / "known_hosts",
    }
    return "".join([*blocks, "Host *\n", *(f"  {word} {value}\n" for word, value in common.items())])


# ---- the lab


class Lab:
    """Containers of one label on one network, and the directory that says how to reach them."""

    def __init__(self, client: docker.DockerClient, name: str) -> None:
        self.name = name
        self.state = LABS / name
        self._client = client
        self._labels = {LABEL: name}

    def create(self, hosts: Mapping[str, str], network: str) -> bool:
        """See that there is a running container for each host, and return whether one had to be made."""
        key = self._key()
        addresses = placed(hosts, self._see_network(network))
        made = [host for host, address in addresses.items() if self._see_container(host, address)]
        known = {host: self._boot(host, key) for host in addresses}
        lines = [f"{host},{addresses[host]} {public}\n" for host, public in known.items()]
        self._write("known_hosts", "".join(lines))
        self._write("connection.yml", "---\n" + yaml.safe_dump(connection_inventory(addresses, self.state)))
        self._write("ssh_config", ssh_config(addresses, self.state))
        return bool(made)

    def restart(self, host: str) -> None:
        """Shut a host down in order and boot it again."""
        container = self._container(host)
        if container is None:
            raise EngineError(f"Lab {self.name} has no host {host}.")
        container.restart(timeout=BOOT_SECONDS)
        self._boot(host, self._key())

    def destroy(self) -> bool:
        """Remove everything that carries this lab's label, and return whether there was something."""
        label = f"{LABEL}={self.name}"
        containers = self._client.containers.list(all=True, filters={"label": label})
        networks = self._client.networks.list(filters={"label": label})
        for container in containers:
            container.remove(force=True, v=True)
        for network in networks:
            network.remove()
        shutil.rmtree(self.state, ignore_errors=True)
        return bool(containers or networks)

    def _see_network(self, subnet: str) -> str:
        """See that the lab has its network, and return that."""
        name = f"broker-py-{self.name}"
        for network in self._client.networks.list(names=[f"^{name}$"]):
            self._refuse_foreign(f"The network {name}", network.attrs["Labels"])
            found = _subnets(network)[0]
            if subnet not in (found, FREE):
                raise EngineError(f"Lab {self.name} is on {found}, not on {subnet}: destroy it first.")
            return found
        if subnet == FREE:
            subnet = first_free(taken for network in self._client.networks.list() for taken in _subnets(network))
        ranges = docker.types.IPAMConfig(pool_configs=[docker.types.IPAMPool(subnet=subnet)])
        try:
            self._client.networks.create(name, driver="bridge", ipam=ranges, labels=self._labels)
        except docker.errors.APIError as problem:
            others = [str(network.name) for network in self._client.networks.list(filters={"label": LABEL})]
            raise EngineError(
                f"The network {subnet} can't be made ({problem.explanation}). Networks of labs here: "
                f"{', '.join(others) or 'none'}. Destroy the lab that has it, or give another --network."
            ) from problem
        return subnet

    def _see_container(self, host: str, address: str) -> bool:
        container = self._container(host)
        if container is not None:
            if container.status != "running":
                container.start()
            return False
        network = f"broker-py-{self.name}"
        endpoint = self._client.api.create_endpoint_config(ipv4_address=address, aliases=[host])
        self._client.containers.run(
            host_image(self._client),
            name=self._container_name(host),
            hostname=host,
            labels=self._labels,
            network=network,
            networking_config={network: endpoint},
            detach=True,
            **SYSTEMD_OPTIONS,
        )
        return True

    def _container(self, host: str) -> Container | None:
        name = self._container_name(host)
        try:
            container = self._client.containers.get(name)
        except docker.errors.NotFound:
            return None
        self._refuse_foreign(f"The container {name}", container.labels)
        return container

    def _refuse_foreign(self, what: str, labels: Mapping[str, str] | None) -> None:
        if (labels or {}).get(LABEL) != self.name:
            raise EngineError(
                f"{what} isn't labelled {LABEL}={self.name}: it belongs to somebody else and is left alone."
            )

    def _boot(self, host: str, key: str) -> str:
        """Wait until the system runs, let the key in, and return the public key of the host."""
        container = self._container(host)
        assert container is not None
        deadline = time.monotonic() + BOOT_SECONDS
        state = ""
        while state not in ("running", "degraded"):
            if time.monotonic() > deadline:
                raise EngineError(
                    f"{host} is '{state}' after {BOOT_SECONDS} s:\n{_output(container, 'systemctl list-jobs')}"
                )
            time.sleep(0.2)
            state = _output(container, "systemctl is-system-running").strip()
        if state == "degraded":
            raise EngineError(f"{host} has failed units:\n{_output(container, 'systemctl --failed --no-legend')}")
        _output(container, ["sh", "-c", AUTHORIZE.format(user=USER, key=key)])
        words = _output(container, "cat /etc/ssh/ssh_host_ed25519_key.pub").split()
        return " ".join(words[:2])

    def _key(self) -> str:
        """Return the public half of the key that opens the hosts."""
        self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        private = self.state / "id_ed25519"
        if not private.exists():
            comment = f"{USER}@{self.name}"
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(private)], check=True
            )
        return private.with_suffix(".pub").read_text().strip()

    def _write(self, name: str, text: str) -> None:
        (self.state / name).write_text(text)

    def _container_name(self, host: str) -> str:
        return f"broker-py-{self.name}-{host}"


def _subnets(network: Network) -> list[str]:
    return [pool["Subnet"] for pool in network.attrs["IPAM"]["Config"] or ()]


def _output(container: Container, command: str | list[str]) -> str:
    output = container.exec_run(command).output
    assert isinstance(output, bytes)
    return output.decode(errors="replace")


def _hosts(words: list[str]) -> dict[str, str]:
    pairs = [word.partition("=") for word in words]
    for host, equals, _ in pairs:
        if not equals:
            raise EngineError(f"'{host}' isn't HOST=ADDRESS.")
    return {host: address for host, _, address in pairs}


def main() -> int:
    """Run the command line; `create` and `destroy` print as JSON whether they changed something."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["create", "restart", "destroy", "path"])
    parser.add_argument("lab")
    parser.add_argument("hosts", nargs="*", metavar="HOST")
    parser.add_argument("--network", default=DEFAULT_NETWORK)
    words = parser.parse_intermixed_args()
    if words.action == "path":
        print(LABS / words.lab)
        return 0
    try:
        lab = Lab(connect(), words.lab)
        if words.action == "create":
            changed = lab.create(_hosts(words.hosts), words.network)
        elif words.action == "restart":
            for host in words.hosts:
                lab.restart(host)
            changed = bool(words.hosts)
        else:
            changed = lab.destroy()
    except EngineError as problem:
        print(problem, file=sys.stderr)
        return 1
    print(json.dumps({"changed": changed, "state": str(lab.state)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
