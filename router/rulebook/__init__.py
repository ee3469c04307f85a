"""The rulebook: rules.yaml and its templates, read and checked. The only YAML."""

from router.rulebook.as_test import Written, as_test
from router.rulebook.build import Built, build, build_unseen, rebuild
from router.rulebook.covers import unreached
from router.rulebook.edit import edited, texts_of
from router.rulebook.files import Files, read_files
from router.rulebook.prove import prove
from router.rulebook.rule_test import Proved, RuleTest
from router.rulebook.schema import schema, schema_text

__all__ = [
    "Built",
    "Files",
    "Proved",
    "RuleTest",
    "Written",
    "as_test",
    "build",
    "build_unseen",
    "edited",
    "prove",
    "read_files",
    "rebuild",
    "schema",
    "schema_text",
    "texts_of",
    "unreached",
]
