"""docs/mqadmin.md says what the commands take."""

from tests.unit.cli.command_reference import DOCUMENT, document


def test_the_document_is_what_the_commands_say() -> None:
    assert DOCUMENT.read_text() == document(), "make docs"
