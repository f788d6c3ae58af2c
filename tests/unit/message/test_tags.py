from broker_py.message.tags import tags_code


def test_a_message_without_a_tag_has_code_0() -> None:
    assert tags_code(None) == tags_code("") == 0
    assert tags_code("TagA") == 2598919
