"""The image of a bare Debian host: systemd, sshd, sudo and Python, and nothing that our roles install themselves."""

import hashlib
import io
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile

import docker

from engine import EngineError

# Debian's name of the release that hosts have: MOLECULE_SUITE=trixie tries another one.
SUITE = os.environ.get("MOLECULE_SUITE", "bookworm")
MIRROR = "http://deb.debian.org/debian"
REGISTRY_IMAGE = f"debian:{SUITE}"
BOOTSTRAPPED_IMAGE = f"broker-py-base:{SUITE}"
HOST_IMAGE = f"broker-py-host:{SUITE}"
RECIPE_LABEL = "broker-py.recipe"

# What a Debian installation has and a base image lacks. The host keys are made at the first boot, so that no two
# containers share them; `operator` is a group of Debian's own, hence the group `users`.
RECIPE = r"""
FROM {base}
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
    systemd systemd-sysv dbus udev openssh-server sudo python3 python3-apt iproute2 procps kmod logrotate \
 && rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_* /usr/sbin/policy-rc.d /etc/machine-id \
 && touch /etc/machine-id \
 && mkdir /etc/systemd/system/ssh.service.d \
 && printf '[Service]\nExecStartPre=\nExecStartPre=/usr/bin/ssh-keygen -A\nExecStartPre=/usr/sbin/sshd -t\n' \
    > /etc/systemd/system/ssh.service.d/host-keys.conf \
 && systemctl enable ssh.service \
 && useradd --create-home --gid users --shell /bin/bash --password '*' operator \
 && echo 'operator ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/operator \
 && chmod 0440 /etc/sudoers.d/operator
STOPSIGNAL SIGRTMIN+3
CMD ["/lib/systemd/systemd"]
"""


def recipe_digest(recipe: str = RECIPE) -> str:
    """Return what tells images of different recipes apart."""
    return hashlib.sha256(recipe.encode()).hexdigest()[:12]


def host_image(client: docker.DockerClient) -> str:
    """Return the name of the image, which is made if there is none of this recipe."""
    try:
        if client.images.get(HOST_IMAGE).labels.get(RECIPE_LABEL) == recipe_digest():
            return HOST_IMAGE
    except docker.errors.ImageNotFound:
        pass
    recipe = RECIPE.format(base=_base_image(client))
    try:
        client.images.build(
            fileobj=io.BytesIO(recipe.encode()), tag=HOST_IMAGE, labels={RECIPE_LABEL: recipe_digest()}, forcerm=True
        )
    except docker.errors.BuildError as problem:
        log = "".join(line.get("stream", "") for line in problem.build_log)
        raise EngineError(
            f"{HOST_IMAGE} could not be built ({problem}); the build ended with\n{log[-2000:]}"
        ) from problem
    return HOST_IMAGE


def _base_image(client: docker.DockerClient) -> str:
    """Return the name of an image with nothing but Debian's base system: pulled, kept, or bootstrapped."""
    try:
        client.images.pull(REGISTRY_IMAGE)
    except docker.errors.APIError:
        # An image of that name that never came from a registry may hold anything, so it doesn't count.
        for name in (REGISTRY_IMAGE, BOOTSTRAPPED_IMAGE):
            for image in client.images.list(name):
                if name == BOOTSTRAPPED_IMAGE or image.attrs["RepoDigests"]:
                    return name
        return _bootstrap(client)
    return REGISTRY_IMAGE


def _bootstrap(client: docker.DockerClient) -> str:
    """Make the base image from Debian's packages."""
    if not shutil.which("debootstrap") or os.geteuid() != 0:
        raise EngineError(
            f"{REGISTRY_IMAGE} can't be pulled, and to make it from packages takes root and debootstrap: "
            "'sudo apt install debootstrap', and run this again as root."
        )
    with tempfile.TemporaryDirectory() as directory:
        root, archive = pathlib.Path(directory, "root"), pathlib.Path(directory, "root.tar")
        command = ["debootstrap", "--variant=minbase", SUITE, str(root), MIRROR]
        result = subprocess.run(command, check=False, capture_output=True, text=True)
        if result.returncode:
            raise EngineError(f"debootstrap failed: {result.stdout[-1000:]}{result.stderr[-1000:]}")
        shutil.rmtree(root / "var/cache/apt/archives")
        with tarfile.open(archive, "w") as tar:
            tar.add(root, arcname=".")
        repository, tag = BOOTSTRAPPED_IMAGE.split(":")
        client.api.import_image_from_file(str(archive), repository=repository, tag=tag)
    return BOOTSTRAPPED_IMAGE
