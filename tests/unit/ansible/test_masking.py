"""No secret leaves a host in a support bundle, and what helps stays readable."""

import pytest

from plugins.filter.masking import masked

SECRET = "hunter2"


@pytest.mark.parametrize(
    "text",
    [
        f"secretKey={SECRET}",
        f"tls.server.keyPassword = {SECRET} and more",
        f"#old.password: {SECRET}",
        f'{{"accessKey":"me","secretKey":"{SECRET}","x":1}}',
        f"{{'token': '{SECRET}'}}",
        f'auth failed, password="{SECRET} {SECRET}", peer 10.0.0.9',
        f'password="with \\"quotes\\" {SECRET}", x',
        f"mqadmin --secret-key {SECRET} clusterList",
        f"https://ann:{SECRET}@registry.example/simple",
        f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----\n",
        f"-----BEGIN PRIVATE KEY-----\n{SECRET} and the end was cut off",
    ],
)
def test_a_secret_is_masked_wherever_its_name_stands(text: str) -> None:
    assert SECRET not in masked(text)


def test_what_is_no_secret_stays_as_it_is() -> None:
    text = (
        "brokerName=broker-a\nnamesrvAddr=10.0.0.1:9876;10.0.0.2:9876\n"
        "2026-01-01 INFO key ORDER-1 was queried, https://example.org:443/a@b\n"
    )
    assert masked(text) == text


def test_what_stands_beside_a_secret_stays() -> None:
    assert masked('{"secretKey":"x","brokerId":0}') == '{"secretKey":********,"brokerId":0}'
    assert masked("a=1\nsecretKey=x\nb=2\n") == "a=1\nsecretKey=********\nb=2\n"
