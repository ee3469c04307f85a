"""A process with bounds of its own that renders a template, or asks an expression, from stdin."""

import json
import resource
import sys
from datetime import UTC, datetime

MEMORY = 1_500 * 1024**2
SECONDS = 60


def render(source: str, given: dict[str, object]) -> str:
    from router.render import TemplateFault  # noqa: PLC0415 - after the bounds
    from router.render.templates import Templates  # noqa: PLC0415

    twice = "{% include 'self' %}"
    templates = {
        "t": source,
        "self": twice + twice,
        "selves": "{% for x in long %}{% include 'selves' %}{% endfor %}",
        "i40": "x",
        "m40": "x",
    }
    for number in range(40):
        following = number + 1
        templates[f"i{number}"] = f"{{% include 'i{following}' %}}" * 2
        templates[f"m{number}"] = f"{{% import 'm{following}' as a %}}" * 2
    try:
        return f"ok {len(Templates(templates).whole('text', 't', given))}"
    except TemplateFault as fault:
        return f"fault {fault.text}"


def ask(source: str, given: dict[str, object]) -> str:
    from router.match import ExpressionError  # noqa: PLC0415 - after the bounds
    from router.render.expression import (  # noqa: PLC0415
        ExpressionSyntax,
        compile_expression,
    )

    try:
        return f"ok {compile_expression(source)(given)}"
    except (ExpressionSyntax, ExpressionError) as fault:
        return f"fault {fault}"


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    values: dict[str, object] = {
        "case_id": 42,
        "case_name": "Acme",
        "long": list(range(5000)),
        "huge": 10**60000,
        "long_text": "a" * 60000,
        "received_at": datetime.now(UTC),
    }
    sys.stdout.write({"render": render, "ask": ask}[sys.argv[1]](json.load(sys.stdin), values))
