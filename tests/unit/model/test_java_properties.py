"""The text form of Java's properties, read, written and edited."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_py.errors import ConfigError
from broker_py.model.java_properties import Property, format_property, merge_properties, parse_properties


def pairs(text: str) -> list[tuple[str, str]]:
    return [(item.name, item.value) for item in parse_properties(text)]


@pytest.mark.parametrize(
    "line",
    ["brokerId=1", "brokerId:1", "brokerId 1", "brokerId = 1", "  brokerId\t:\t1", "brokerId\f1", "\\u0062rokerId=1"],
)
def test_name_and_value_are_parted_by_an_equals_sign_a_colon_or_blanks(line: str) -> None:
    assert pairs(line) == [("brokerId", "1")]


def test_a_value_keeps_the_separators_within_it() -> None:
    assert pairs("namesrvAddr=a:9876;b:9876\npeers==x") == [("namesrvAddr", "a:9876;b:9876"), ("peers", "=x")]


def test_comments_and_empty_lines_are_no_settings() -> None:
    assert pairs("# a=1\n  ! b=2\n\n \t\nc=3 # not a comment\n") == [("c", "3 # not a comment")]


def test_a_comment_does_not_go_on_in_the_next_line() -> None:
    assert pairs("# a \\\nb=1") == [("b", "1")]


def test_a_line_goes_on_behind_an_odd_number_of_backslashes() -> None:
    assert pairs("a=one,\\\n    two\nb=x\\\\\nc=3") == [("a", "one,two"), ("b", "x\\"), ("c", "3")]


def test_a_continued_line_ends_at_an_empty_line_and_at_the_end_of_the_text() -> None:
    assert pairs("a=1\\\n\nb=2\\") == [("a", "1"), ("b", "2")]


def test_a_name_without_a_value_has_an_empty_one() -> None:
    assert pairs("haMasterAddress\nbrokerIP1=") == [("haMasterAddress", ""), ("brokerIP1", "")]


def test_escapes_stand_for_their_characters() -> None:
    assert pairs(r"a\ b\=c=\t\u00e9\z\\ \ud83d\ude80") == [("a b=c", "\t\u00e9z\\ \U0001f680")]


def test_leading_blanks_of_a_value_go_and_trailing_ones_stay() -> None:
    assert pairs("brokerRole=  SLAVE \t\n") == [("brokerRole", "SLAVE \t")]


def test_the_line_ends_of_all_systems_are_read_and_no_others() -> None:
    assert pairs("a=1\r\nb=2\rc=3\x0b\x85\u2028\nd=4") == [("a", "1"), ("b", "2"), ("c", "3\x0b\x85\u2028"), ("d", "4")]


def test_a_byte_order_mark_is_not_part_of_the_first_name() -> None:
    assert pairs("\ufeffa=1") == [("a", "1")]


def test_the_licence_in_an_xml_comment_is_skipped() -> None:
    text = "<!--\n  Licensed to the Foundation\n  version: 2.0\n-->\n\nlistenPort = 9876\n"
    assert parse_properties(text, "namesrv.conf") == [Property("listenPort", "9876", 6, "namesrv.conf")]


def test_an_xml_comment_that_never_ends_hides_nothing() -> None:
    assert ("listenPort", "1") in pairs("<!-- open\nlistenPort=1")


def test_a_setting_knows_its_file_and_the_first_of_its_lines() -> None:
    first, second = parse_properties("# x\na=1\\\n  2\nb=2\n", "broker.conf")
    assert (first.where, second.where) == ("broker.conf line 2", "broker.conf line 4")
    assert Property("namesrvAddr", "a:1", source="-n").where == "-n"
    assert Property("namesrvAddr", "a:1", line=3).where == ""


def test_duplicates_are_kept_in_order() -> None:
    assert pairs("a=1\na=2") == [("a", "1"), ("a", "2")]


def test_every_malformed_escape_is_named_with_its_line() -> None:
    with pytest.raises(ConfigError) as error:
        parse_properties("a=\\u12\nb=1\nc=\\users", "broker.conf")
    assert [line.split(":")[0] for line in str(error.value).splitlines()] == [
        "broker.conf line 1",
        "broker.conf line 3",
    ]


def test_only_what_needs_an_escape_is_escaped() -> None:
    assert format_property("namesrvAddr", "a:1;b=2 #3") == "namesrvAddr=a:1;b=2 #3"
    assert format_property("k", "  \\é\n\U0001f680") == "k=\\ \\ \\\\\\u00e9\\n\\ud83d\\ude80"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_written_reads_back_the_same_and_is_ascii(name: str, value: str) -> None:
    line = format_property(name, value)
    assert pairs(f"x=1\n{line}\ny=2") == [("x", "1"), (name, value), ("y", "2")]
    assert line.isascii()


@given(st.text(alphabet="ab=: \\\n\r\t#!0<>-"))
def test_any_text_without_a_malformed_escape_is_read_and_survives_a_change(text: str) -> None:
    before = [item for item in pairs(text) if item[0] != "z"]
    assert pairs(merge_properties(text, {"z": "1"}, {})) == [*before, ("z", "1")]


FILE = "# master\nbrokerName = broker-a\n\n! retention\nfileReservedTime=48\ndeleteWhen=04\n"


def test_a_changed_setting_is_written_in_its_place_and_all_else_stays() -> None:
    expected = FILE.replace("fileReservedTime=48", "fileReservedTime=72")
    assert merge_properties(FILE, {"fileReservedTime": "72"}, {}) == expected


def test_a_new_setting_is_added_at_the_end_on_a_line_of_its_own() -> None:
    for text in (FILE, FILE.rstrip()):
        assert merge_properties(text, {"maxMessageSize": "1"}, {}) == FILE + "maxMessageSize=1\n"
    assert merge_properties("", {"maxMessageSize": "1"}, {}) == "maxMessageSize=1\n"


def test_a_new_setting_does_not_go_on_a_line_that_was_left_unfinished() -> None:
    for unfinished in ("a=1\\", "a=1\\\n", "a=1\\\r\\"):
        assert pairs(merge_properties(unfinished, {"b": "2"}, {})) == [("a", "1"), ("b", "2")]


def test_an_old_name_is_replaced_by_the_current_one() -> None:
    merged = merge_properties(
        "# t\nfileReserverdTime=48\n", {"fileReservedTime": "72"}, {"fileReserverdTime": "fileReservedTime"}
    )
    assert merged == "# t\nfileReservedTime=72\n"


def test_a_continued_setting_is_replaced_with_all_its_lines() -> None:
    assert merge_properties("a=1,\\\n  2\nb=3\n", {"a": "9"}, {}) == "a=9\nb=3\n"


def test_the_last_of_several_duplicates_takes_the_change_and_the_others_go() -> None:
    assert merge_properties("a=1\nb=2\na=3\n", {"a": "9"}, {}) == "b=2\na=9\n"


def test_the_line_ends_of_the_file_are_kept() -> None:
    assert merge_properties("a=1\r\nb=2\r\n", {"a": "9", "c": "3"}, {}) == "a=9\r\nb=2\r\nc=3\r\n"


def test_a_change_of_nothing_changes_nothing() -> None:
    assert merge_properties(FILE, {}, {}) == FILE


def test_a_file_that_cannot_be_read_is_not_edited() -> None:
    with pytest.raises(ConfigError, match="four hexadecimal digits"):
        merge_properties("a=1\nb\\u12=2", {"a": "9"}, {})
