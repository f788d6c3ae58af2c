"""The examples of docs/client.md, run as they stand there."""

import ast
import asyncio
import inspect
import re
from pathlib import Path

import pytest

from tests.support.client_lab import ClientLab

_DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "client.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", _DOCUMENT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
async def test_an_example_of_the_documents_runs(lab: ClientLab, number: int) -> None:
    async with lab.client() as client:
        await lab.topic(client, "Orders")
    text = EXAMPLES[number].replace("127.0.0.1:9876", lab.namesrv)
    code = compile(text, f"example {number}", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    names: dict[str, object] = {}
    work = eval(code, names)
    assert inspect.iscoroutine(work)
    await asyncio.wait_for(work, 20)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 3
