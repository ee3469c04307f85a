"""Decoding: any bytes are an event's fields or a clear refusal."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.event import Event, Undecodable, decode


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"", "it is empty", id="an empty body"),
        pytest.param(b"hello", "not JSON", id="no JSON"),
        pytest.param(b"[1, 2]", "not an object", id="an array"),
        pytest.param(b"{}", "no `trigger`", id="no trigger"),
        pytest.param(b'{"trigger": 5}', "no `trigger`", id="a trigger that is a number"),
        pytest.param(b'{"trigger": ""}', "no `trigger`", id="an empty trigger"),
        pytest.param(b'{"trigger": "x", "a": NaN}', "not JSON", id="NaN"),
        pytest.param(b'{"trigger": "x", "a": 1e999}', "not JSON", id="a number beyond all"),
        pytest.param(b"[" * 100_000, "nested too deeply", id="deep nesting"),
        pytest.param(b'{"trigger": "\xff"}', "not UTF-8", id="a wrong encoding"),
        pytest.param(b"\x1f\x8b\x08\x00\x00", "compressed", id="gzip"),
        pytest.param('{"trigger": "x"}'.encode("utf-16"), "not", id="UTF-16"),
        pytest.param(b'{"trigger": "x"} {}', "not JSON", id="something after the end"),
    ],
)
def test_what_is_no_event_is_refused_with_its_reason(body: bytes, reason: str) -> None:
    with pytest.raises(Undecodable, match=reason):
        decode(body)


def test_unknown_triggers_and_fields_are_kept() -> None:
    fields = decode(b'{"trigger": "case_archived", "archived_by": {"team": "ops"}}')
    assert fields == {"trigger": "case_archived", "archived_by": {"team": "ops"}}


def test_a_byte_order_mark_and_huge_whole_numbers_do_no_harm() -> None:
    assert decode(b'\xef\xbb\xbf{"trigger": "x", "n": 123456789012345678901234567890}')["n"] > 1


@pytest.mark.parametrize(
    ("fields", "key", "ref"),
    [
        pytest.param({"case_id": 7}, "s:7", "7", id="by the internal id"),
        pytest.param(
            {"case_id": 7, "case_user_readable_id": "K-7"}, "s:7", "K-7", id="people's id is shown"
        ),
        pytest.param({"case_user_readable_id": "K-7"}, "s:K-7", "K-7", id="by people's id alone"),
        pytest.param({"case_id": None}, None, None, id="no case at all"),
    ],
)
def test_a_case_is_known_by_its_ids(
    fields: dict[str, object], key: str | None, ref: str | None
) -> None:
    event = Event(1, "s", 0.0, b"", {"trigger": "t", **fields})
    assert (event.case_key, event.case_ref) == (key, ref)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=100).map(str.encode)))
def test_any_bytes_are_decoded_or_refused(body: bytes) -> None:
    try:
        fields = decode(body)
    except Undecodable as refusal:
        fields = {"trigger": str(refusal)}
    assert fields["trigger"]
