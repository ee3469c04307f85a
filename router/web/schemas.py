"""The shapes of the API, as JSON Schema: what each key is, for those who ask and those who write.

A test holds them against what is really answered, key by key.
"""

from __future__ import annotations

from typing import Any, get_args

from router.identity import DEEDS, ROLES, Way
from router.ledger import STATES, MuteKind
from router.message import SEVERITIES, Format, Rung
from router.view import DECISIONS

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
WHOLE: Schema = {"type": "integer"}
YES: Schema = {"type": "boolean"}
TIME: Schema = {"type": "string", "format": "date-time"}
ANY: Schema = {}


def one_of(*words: str) -> Schema:
    return {"type": "string", "enum": list(words)}


def maybe(schema: Schema, says: str = "") -> Schema:
    """The same, or null."""
    known = schema.get("type")
    found: Schema = (
        {**schema, "type": [known, "null"]}
        if isinstance(known, str) and "enum" not in schema
        else {"anyOf": [schema, {"type": "null"}]}
    )
    return said(found, says) if says else found


def said(schema: Schema, says: str) -> Schema:
    """The same, with a sentence on what it is."""
    return {**schema, "description": says}


def many(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def of(name: str) -> Schema:
    """A shape that stands in the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def shape(says: str, optional: str = "", /, **keys: Schema) -> Schema:
    """An object with these keys; all are there but the `optional` ones. Others may come later."""
    needed = [key for key in keys if key not in optional.split()]
    return {"type": "object", "description": says, "properties": keys, "required": needed}


def page(name: str, order: str = "newest first", /, **more: Schema) -> Schema:
    """A list's answer."""
    cursor = maybe(TEXT, "the `cursor` of the next page; null on the last one")
    return shape(order, "", items=many(of(name)), next=cursor, **more)


_NULL_ALONE = "null where it goes alone"
SCHEMAS: dict[str, Schema] = {
    "Problem": shape(
        "why something was not done (RFC 9457)",
        "title",
        type=TEXT,
        title=TEXT,
        status=WHOLE,
        detail=said(TEXT, "what to do about it"),
    ),
    "Event": shape(
        "something that happened to a case",
        id=WHOLE,
        received_at=TIME,
        source=TEXT,
        trigger=maybe(TEXT),
        case_id=said(ANY, "as it was posted"),
        case=maybe(TEXT, "what people call the case"),
        body=said(ANY, "as it was posted; a text if it was no JSON object"),
        ruleset=maybe(TEXT, "the hash of the rules in force when it came"),
        matched=said(WHOLE, "how many rules spoke"),
        rejected=maybe(TEXT, "why it is no event"),
        decisions=said(
            many(of("Decision")),
            f"of every rule; on a page that would have more than {DECISIONS}, of those that"
            " matched or failed: the event's own address has all",
        ),
        deliveries=many(of("Delivery")),
    ),
    "Decision": shape(
        "why a rule spoke or stayed silent",
        rule=TEXT,
        matched=YES,
        outcome=TEXT,
        reason=TEXT,
        misses=said(WHOLE, "how many of its conditions do not hold"),
        conditions=many(of("Condition")),
    ),
    "Condition": shape(
        "one line of a rule, and whether it holds",
        field=TEXT,
        expected=TEXT,
        actual=TEXT,
        holds=YES,
        reason=TEXT,
    ),
    "Delivery": shape(
        "one message on its way to one channel",
        "captured",
        id=WHOLE,
        event=WHOLE,
        rule=TEXT,
        channel=TEXT,
        state=one_of(*STATES),
        reason=maybe(TEXT, "why it waits, failed or was not sent"),
        created_at=TIME,
        due_at=maybe(TIME, "when it is tried next; null once it ended"),
        ended_at=maybe(TIME),
        possible_repeat=said(YES, "an earlier attempt may have arrived"),
        resend_of=maybe(WHOLE, "the delivery that this one sends again"),
        fallback_of=maybe(WHOLE, "the delivery that failed"),
        carried_by=maybe(WHOLE, f"the delivery whose message lists it; {_NULL_ALONE}"),
        step=maybe(TEXT, "`reminder 2`, `escalation 1`; null for the message itself"),
        message=maybe(of("Message"), "null before its first attempt"),
        attempts=many(of("Attempt")),
        captured=said(of("Captured"), "in capture mode: what would have been sent"),
    ),
    "Message": shape(
        "the words of a delivery",
        "fault",
        title=TEXT,
        body=said(TEXT, "in its `format`"),
        format=one_of(*get_args(Format)),
        text=said(TEXT, "the body as plain text"),
        severity=one_of(*SEVERITIES),
        rung=said(one_of(*get_args(Rung)), "who spoke: the rule's template, or what stood in"),
        fault=said(TEXT, "why it was not the rule's template"),
    ),
    "Attempt": shape(
        "one try at a delivery",
        number=WHOLE,
        at=TIME,
        elapsed=maybe(NUMBER, "seconds"),
        outcome=TEXT,
        status=maybe(WHOLE, "the HTTP status or SMTP code"),
        detail=TEXT,
    ),
    "Captured": {
        "type": "object",
        "description": "the exact request (`http`) or mail (`smtp`) that was not sent",
        "properties": {"kind": one_of("http", "smtp")},
        "required": ["kind"],
    },
    "Rule": shape(
        "a rule in force",
        name=TEXT,
        enabled=YES,
        otherwise=said(YES, "it speaks where no other did"),
        stop=YES,
        channels=many(TEXT),
        template=maybe(TEXT),
        severity=maybe(one_of(*SEVERITIES)),
        line=maybe(WHOLE),
        file=maybe(TEXT),
        state=one_of("matched", "never matched", "muted", "parked"),
        matched_30d=said(WHOLE, "events it spoke about in 30 days"),
        last_matched=maybe(TIME),
        tests=said(many(TEXT), "the tests of the file that name it"),
        muted_until=maybe(TIME),
    ),
    "Channel": shape(
        "a channel, and how it does",
        name=TEXT,
        service=TEXT,
        state=TEXT,
        why=TEXT,
        fallback=maybe(TEXT),
        paused=YES,
        pause=maybe(of("Pause")),
        pending=said(WHOLE, "what waits for it, also for a later moment"),
        waiting_since=maybe(TIME),
        rate=maybe(NUMBER, "messages a second"),
        burst=maybe(WHOLE),
        overflow=one_of("digest", "keep"),
        failures=said(WHOLE, "in a row, of those that may pass"),
        failing_since=maybe(TIME),
        rests_until=maybe(TIME),
        error=maybe(TEXT),
        last_sent=maybe(TIME),
        last_error=maybe(TEXT),
        last_error_at=maybe(TIME),
        sent_24h=WHOLE,
        failed_24h=WHOLE,
    ),
    "Timer": shape(
        "what is to be said later",
        id=said(WHOLE, "of the delivery"),
        event=WHOLE,
        rule=TEXT,
        channel=TEXT,
        at=TIME,
        step=maybe(TEXT),
        unless=maybe(TEXT, "what keeps it from being said"),
        created_at=TIME,
        trigger=maybe(TEXT),
        case=maybe(TEXT),
    ),
    "Status": shape(
        "how the router itself does",
        version=TEXT,
        ready=YES,
        reasons=said(many(TEXT), "why it is not ready"),
        oldest_due_seconds=said(NUMBER, "seconds for which the oldest message might have gone"),
        ruleset=TEXT,
        rules_on_disk=one_of("changed", "unchanged", "broken", "unwritten"),
        database=shape("where it all stands", engine=TEXT, size=maybe(WHOLE), revision=TEXT),
        processes=many(
            shape(
                "one that shares the work",
                slot=WHOLE,
                host=TEXT,
                pid=WHOLE,
                role=TEXT,
                version=TEXT,
                started_at=TIME,
                ruleset=maybe(TEXT),
            )
        ),
        rulesets=many(shape("rules that were in force", hash=TEXT, at=TIME)),
    ),
    "Pause": shape("why a channel is held up", since=TIME, author=TEXT, reason=TEXT),
    "Mute": shape(
        "silence with an end and a reason",
        id=WHOLE,
        kind=one_of(*get_args(MuteKind)),
        name=TEXT,
        reason=TEXT,
        author=TEXT,
        created_at=TIME,
        until=TIME,
        ended_at=maybe(TIME),
        held={"type": "object", "additionalProperties": WHOLE, "description": "by channel"},
    ),
    "Deed": shape(
        "who did what",
        id=WHOLE,
        at=TIME,
        who=TEXT,
        role=one_of(*ROLES, "nobody"),
        way=one_of(*get_args(Way)),
        address=maybe(TEXT),
        what=one_of(*DEEDS),
        about=TEXT,
        detail=TEXT,
    ),
    "RuleProblem": shape(
        "one thing wrong in a file",
        file=TEXT,
        line=WHOLE,
        column=WHOLE,
        severity=one_of("error", "warning"),
        text=TEXT,
        notes=many(TEXT),
    ),
    "Preview": shape(
        "what the rules in force would say",
        decisions=many(of("Decision")),
        messages=many(of("PreviewedMessage")),
    ),
    "PreviewedMessage": {
        "allOf": [
            of("Message"),
            shape(
                "and where it would go",
                rule=TEXT,
                channel=TEXT,
                captured=maybe(of("Captured")),
            ),
        ]
    },
}
