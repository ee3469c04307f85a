"""What the status tells: settings without secrets, sizes, differences."""

from __future__ import annotations

import pytest

from router.secret import Secret
from router.settings import Settings
from router.web.status_state import MOST, difference, settings_in_words, size_in_words


def test_settings_are_told_without_any_secret() -> None:
    settings = Settings(
        admin_password=Secret("hunter2!"),
        database_url=Secret("postgresql://u:hunter2!@h/d"),
        trusted_proxies=("10.0.0.0/8", "::1/128"),
    )
    told = dict(settings_in_words(settings))
    assert "hunter2" not in str(told)
    assert told["ROUTER_ADMIN_PASSWORD"] == "set (a secret)"
    assert told["ROUTER_API_TOKEN"] == "not set"
    assert told["ROUTER_RETENTION"] == "90 d"
    assert told["ROUTER_MAX_BODY"] == "262,144 bytes"
    assert told["ROUTER_TRUSTED_PROXIES"] == "10.0.0.0/8, ::1/128"


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (253_952, "254 kB"),
        (999_600, "1.0 MB"),
        (2_082_480_128, "2.1 GB"),
        (5e15, "5000.0 TB"),
    ],
)
def test_a_size_is_said_in_the_unit_that_fits(size: float, words: str) -> None:
    assert size_in_words(size) == words


def test_a_difference_names_each_file_and_marks_each_line() -> None:
    old = {"rules.yaml": "a\nb\n", "gone.j2": "x", "same.j2": "s"}
    new = {"rules.yaml": "a\nc\n", "new.j2": "y", "same.j2": "s"}
    assert [tuple(line) for line in difference(old, new)] == [
        ("file", "gone.j2 (gone)"),
        ("at", "@@ -1 +0,0 @@"),
        ("take", "-x"),
        ("file", "new.j2 (new)"),
        ("at", "@@ -0,0 +1 @@"),
        ("add", "+y"),
        ("file", "rules.yaml"),
        ("at", "@@ -1,2 +1,2 @@"),
        ("same", " a"),
        ("take", "-b"),
        ("add", "+c"),
    ]


def test_a_difference_of_very_much_is_cut() -> None:
    many = "\n".join(str(number) for number in range(5 * MOST))
    assert len(difference({}, {"rules.yaml": many})) == MOST + 1
