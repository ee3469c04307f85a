"""The rulebook: rules.yaml and its templates, read and checked. The only YAML."""

from router.rulebook.build import Built, build, rebuild
from router.rulebook.files import Files, read_files
from router.rulebook.schema import schema, schema_text

__all__ = ["Built", "Files", "build", "read_files", "rebuild", "schema", "schema_text"]
