"""The options that all modules have in common which talk to a cluster."""

from __future__ import annotations


class ModuleDocFragment:
    """What Ansible loads."""

    DOCUMENTATION = """
options:
  nameservers:
    description: Addresses of the cluster's name servers, separated by semicolons, C(10.0.0.1:9876;10.0.0.2:9876).
    type: str
    required: true
  bin_dir:
    description:
      - Where the commands of the release are whose code the module uses, such as C(/opt/broker-py/current/bin).
      - It has to be there on the host that the module runs on, which may be any host that reaches the cluster.
    type: path
    required: true
  credentials_file:
    description:
      - A file on that host with C(accessKey) and C(secretKey), in the form of RocketMQ's C(tools.yml), to sign requests
        with. Nothing is signed without it, or where it is empty.
    type: path
  tls_config_file:
    description:
      - RocketMQ's C(tls.properties) on that host. With it connections are TLS.
    type: path
notes:
  - Playbooks give these options once, by C(module_defaults) of the action group C(broker_py.mq.cluster).
  - Works with the name servers and brokers of this collection and with those of RocketMQ.
"""

    TARGETS = """
options:
  cluster:
    description: Every master of this cluster. Give this or I(brokers).
    type: str
  brokers:
    description: The masters of these broker names.
    type: list
    elements: str
"""
