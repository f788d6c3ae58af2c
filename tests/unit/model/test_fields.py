"""Values out of JSON that others wrote."""

import pytest

from broker_py.errors import ProtocolError
from broker_py.model.fields import bool_of, dict_of, int_of, list_of, objects_of, text_of

NOTHING: dict[str, object] = {"null": None}


@pytest.mark.parametrize("name", ["null", "absent"])
def test_null_and_absence_are_the_default(name: str) -> None:
    assert text_of(NOTHING, name, "d") == "d"
    assert int_of(NOTHING, name, 7) == 7
    assert bool_of(NOTHING, name, True) is True
    assert dict_of(NOTHING, name) == {}
    assert list_of(NOTHING, name) == []
    assert objects_of(NOTHING, name) == []


def test_values_of_the_right_type_are_taken() -> None:
    fields = {"t": "x", "i": -1, "b": False, "d": {"a": 1}, "l": [1]}
    assert (text_of(fields, "t"), int_of(fields, "i"), bool_of(fields, "b", True)) == ("x", -1, False)
    assert (dict_of(fields, "d"), list_of(fields, "l")) == ({"a": 1}, [1])


def test_numbers_and_booleans_may_be_text() -> None:
    fields = {"i": "12", "yes": "TRUE", "no": "no"}
    assert (int_of(fields, "i"), bool_of(fields, "yes"), bool_of(fields, "no")) == (12, True, False)


@pytest.mark.parametrize("value", ["x", "", 1.5, True, [], {}, "9" * 9999, 1 << 63, "-9223372036854775809"])
def test_what_is_no_number_is_a_protocol_error(value: object) -> None:
    with pytest.raises(ProtocolError, match=r"the field n is .* not a whole number"):
        int_of({"n": value}, "n")


def test_values_of_a_wrong_type_are_named() -> None:
    with pytest.raises(ProtocolError, match="the field t is '1', not text"):
        text_of({"t": 1}, "t")
    with pytest.raises(ProtocolError, match="the field d is not an object"):
        dict_of({"d": []}, "d")
    with pytest.raises(ProtocolError, match="the field l is not a list"):
        list_of({"l": {}}, "l")


@pytest.mark.parametrize("item", [None, 1, "x", [], True])
def test_an_item_that_is_no_object_is_named(item: object) -> None:
    assert objects_of({"o": [{"a": 1}]}, "o") == [{"a": 1}]
    with pytest.raises(ProtocolError, match=r"the field o has .*, which is not an object"):
        objects_of({"o": [{}, item]}, "o")
