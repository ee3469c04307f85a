"""Arbitrary conditions and events, for laws that must hold for any of them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from router.condition import (
    Absent,
    AllOf,
    Always,
    AnyOf,
    Compare,
    Condition,
    Contains,
    Equals,
    Every,
    Field,
    Glob,
    If,
    NoElement,
    Not,
    NotTest,
    OneOf,
    Regex,
    Test,
    Together,
)

PATHS = ["trigger", "process_key", "case_version", "keys", "a.b", "a.b.c", "a", "source"]
TEXTS = st.sampled_from(["", "kyc", "kyc_process", "credit", "KYC", "k*", "[x]", "ß", "a.b", "5"])
NUMBERS = st.sampled_from([0, 1, 5, 5.0, -1, 2.5, 10**30])
SCALARS = st.one_of(TEXTS, NUMBERS, st.booleans())
EXPRESSIONS = ["yes", "no", "fails"]

json_values = st.recursive(
    st.one_of(st.none(), SCALARS, st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=2),
    ),
    max_leaves=5,
)
events: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.sampled_from(["trigger", "process_key", "case_version", "keys", "a", "a.b", "source"]),
    json_values,
    max_size=5,
)

_leaf_tests: st.SearchStrategy[Test] = st.one_of(
    st.builds(Equals, SCALARS),
    st.just(Absent()),
    st.builds(Glob, st.sampled_from(["*", "kyc*", "k?c", "[!k]*", "*_process", "\\*", "[x"])),
    st.builds(Regex, st.sampled_from(["^k", "c$", "", "K.C", "(?i)kyc"])),
    st.builds(Compare, st.sampled_from(["gt", "gte", "lt", "lte"]), NUMBERS),
    st.builds(Contains, st.sampled_from(["", "yc", "SS"])),
)
condition_tests: st.SearchStrategy[Test] = st.recursive(
    _leaf_tests,
    lambda inner: st.one_of(
        st.builds(OneOf, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Together, st.lists(inner, min_size=1, max_size=2).map(tuple)),
        st.builds(NotTest, inner),
        st.builds(Every, inner),
        st.builds(NoElement, inner),
    ),
    max_leaves=4,
)
conditions: st.SearchStrategy[Condition] = st.recursive(
    st.one_of(
        st.builds(Field, st.sampled_from(PATHS), condition_tests),
        st.just(Always()),
        st.builds(If, st.sampled_from(EXPRESSIONS)),
    ),
    lambda inner: st.one_of(
        st.builds(AllOf, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Not, inner),
    ),
    max_leaves=6,
)
