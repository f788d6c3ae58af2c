"""What an inventory says of access rules and TLS, as files that the daemons take, and what can't work."""

from typing import Any

import pytest
import yaml

from broker_py.broker.acl.rules import PUB, SUB, parse_rules
from broker_py.model.java_properties import parse_properties
from broker_py.runtime.yaml_text import load_yaml
from plugins.filter.security import acl_rules, security_problems, step_problems, tls_settings

ADMIN = ("playbooks", "secret of the playbooks")
USER = {"accessKey": "orders-app", "secretKey": "12345678", "admin": None, "topicPerms": ["Orders=PUB|SUB"]}
SET = {
    "common_access_key": ADMIN[0],
    "common_secret_key": ADMIN[1],
    "common_tls": "none",
    "common_tls_certificate": "",
    "common_tls_key": "",
    "common_tls_ca": "",
    "common_tls_client_auth": "none",
    "broker_acl_enable": True,
    "broker_acl_accounts": [USER],
    "broker_acl_white_addresses": [],
    "broker_acl_from": "",
    "broker_ha_secret": "",
}


def test_the_broker_reads_what_the_inventory_says() -> None:
    text = yaml.safe_dump(acl_rules([USER], ["10.0.9.*"], *ADMIN)).encode()
    file = parse_rules(load_yaml(text, "plain_acl.yml"), "plain_acl.yml")
    own, user = file.accounts
    assert (own.access_key, own.secret_key, own.admin) == (*ADMIN, True)
    assert (user.access_key, user.secret_key, user.admin) == ("orders-app", "12345678", False)
    assert user.topics == {"Orders": PUB | SUB}
    assert file.white.matches("10.0.9.1")


def test_the_account_of_the_playbooks_is_not_added_twice() -> None:
    own = {"accessKey": ADMIN[0], "secretKey": ADMIN[1], "admin": True, "whiteRemoteAddress": "10.0.0.1"}
    assert acl_rules([own], [], *ADMIN)["accounts"] == [own]


@pytest.mark.parametrize("password", ["plain", " a \\ b=c:#! ", "wörd \U0001f511", "\\u0041"])
def test_the_daemon_reads_the_files_of_tls_and_any_password(password: str) -> None:
    places = {"certificate": "/c.pem", "key": "/k.pem", "ca": "/ca.pem"}
    read = {each.name: each.value for each in parse_properties(tls_settings(places, password, "require"))}
    assert read == {
        **{f"tls.{side}.certPath": "/c.pem" for side in ("server", "client")},
        **{f"tls.{side}.keyPath": "/k.pem" for side in ("server", "client")},
        **{f"tls.{side}.keyPassword": password for side in ("server", "client")},
        **{f"tls.{side}.trustCertPath": "/ca.pem" for side in ("server", "client")},
        "tls.server.need.client.auth": "require",
    }


def test_what_is_not_given_is_not_said() -> None:
    text = tls_settings({"certificate": "/c.pem", "key": "/k.pem"}, "", "none")
    assert "keyPassword" not in text
    assert "trustCertPath" not in text


def test_what_is_set_together_can_work() -> None:
    assert security_problems(SET) == []
    assert (
        security_problems({**SET, "broker_acl_enable": False, "common_access_key": "", "common_secret_key": ""}) == []
    )
    files = {"common_tls_certificate": "/c", "common_tls_key": "/k", "common_tls_ca": "/ca"}
    assert security_problems({**SET, "common_tls": "enforced", "common_tls_client_auth": "require", **files}) == []


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"common_secret_key": "short!"}, "common_secret_key has 6 characters, 7 or more are needed"),
        ({"common_access_key": ""}, "common_access_key has 0 characters"),
        ({"broker_acl_accounts": [USER, USER]}, "has the accessKey orders-app more than once"),
        ({"broker_acl_accounts": [{**USER, "accessKey": ADMIN[0]}]}, "another secretKey than common_secret_key"),
        ({"broker_acl_from": "/home/rocketmq/conf"}, "remove broker_acl_accounts"),
        ({"common_tls": "offered"}, "common_tls is offered and common_tls_certificate is not set"),
        ({"common_tls_client_auth": "require"}, "common_tls_ca is not set"),
        ({"broker_ha_secret": "fifteen bytes.."}, "broker_ha_secret has 15 bytes"),
    ],
)
def test_what_can_not_work_is_refused_and_no_secret_is_shown(changed: dict[str, Any], says: str) -> None:
    said = " ".join(security_problems({**SET, **changed}))
    assert says in said
    for secret in (ADMIN[1], USER["secretKey"], "short!", "fifteen"):
        assert str(secret) not in said


STEPS = {
    "none": {},
    "offered": {"tls.config.file": "f", "tls.server.mode": "permissive"},
    "used": {"tls.config.file": "f", "tls.server.mode": "permissive", "tls.enable": "true"},
    "enforced": {"tls.config.file": "f", "tls.server.mode": "enforcing", "tls.enable": "true"},
}


def test_tls_goes_a_step_at_a_time_either_way_while_daemons_run() -> None:
    names = list(STEPS)
    for at, now in enumerate(names):
        found = {
            "secured": {"broker-a": {"listenPort": "10911", **STEPS[now]}},
            "listeners": [{"port": 10911, "pid": 1, "argv": []}],
        }
        for to, step in enumerate(names):
            problems = step_problems(found, step)
            assert len(problems) == (abs(at - to) > 1)
            assert all(f"set {names[at + (1 if to > at else -1)]} and go on" in problem for problem in problems)
            assert step_problems({**found, "listeners": []}, step) == []
