"""docs/operations.md tells every limit, with the number that the code has."""

from __future__ import annotations

from pathlib import Path

from router import (
    access,
    clock,
    log_writer,
    pools,
    readiness,
    retry,
    scheduler,
    senders,
    service,
    supervisor,
    tries,
)
from router.delivery import gateway, wire
from router.ledger import ledger, postgres, writer
from router.ledger import pools as databases
from router.match import pattern
from router.render import limits as templates
from router.rulebook import tree
from router.server import LIMITS, connections, slices
from router.trial import __main__ as trial
from router.trial import aside, backtests, confine, rerun
from router.web import app, forms, secrets, tryout, turnstile
from router.worker import CLOCK_SILENCE

PAGE = Path(__file__).parent.parent / "docs" / "operations.md"


def size(number: int) -> str:
    for unit, many in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if number % many == 0:
            return f"{number // many} {unit}"
    return f"{number:,} bytes"


def time(seconds: float) -> str:
    for unit, many in (("h", 3600), ("min", 60)):
        if seconds >= 2 * many and seconds % many == 0:
            return f"{seconds / many:g} {unit}"
    return f"{seconds:g} s"


def pool(one: pools.Pool) -> str:
    threads = one._most_threads
    patience = f", {time(one._patience)} each" if one._patience else ""
    return f"{threads} at once, {one._most - threads} wait{patience}"


def wrong(limits: dict[str, tries.Limit]) -> str:
    return "; ".join(
        f"{limits[way].many:,}, then one in {time(limits[way].every)}"
        for way in ("login", "basic", "token")
    )


ROWS = (
    ("**a connection**", "", ""),
    ("the request line", size(LIMITS.request_line), "414"),
    ("a head, its fields", f"{size(LIMITS.head)}, {LIMITS.fields}", "431"),
    ("until its first byte comes", time(LIMITS.first_byte_within), "closed"),
    ("a whole head", time(LIMITS.head_within), "408"),
    (
        "a whole body",
        f"{time(LIMITS.body_grace)}, and a second for each {size(int(LIMITS.body_rate))}",
        "408",
    ),
    (
        "chunks and trailers",
        f"{size(LIMITS.framing + slices.SLICE)}, and as much as is in them",
        "400",
    ),
    (
        "silence between two requests, longer than the 60 s of nginx and cloud balancers",
        time(LIMITS.kept_alive),
        "closed",
    ),
    ("an answer that nobody reads", time(LIMITS.answer_read_within), "closed"),
    ("requests sent ahead", str(LIMITS.pipelined), "closed"),
    (
        "what still comes after an early answer, so that a proxy reads the 413",
        f"{size(LIMITS.lingering)}, {time(LIMITS.linger)}",
        "closed",
    ),
    (
        "requests that are not whole, all together",
        size(LIMITS.unfinished),
        "the one held longest makes room: 503",
    ),
    ("read at once, of all who send more", size(slices.SLICE), "the next one's turn"),
    ("requests that are being answered, all together", size(LIMITS.answering), "503"),
    (
        "connections",
        f"file descriptors less {connections.RESERVE}, {connections.MAX_CONNECTIONS:,} at most",
        "the one that has waited longest for a request makes room, or 503",
    ),
    (
        "file descriptors that the system allows",
        f"{connections.MIN_DESCRIPTORS} at least",
        "it says so, and ends with 1",
    ),
    (
        "threads that the system gives, beside those that must live",
        f"{scheduler.NEEDED_LATER} at least",
        "it says so, and ends with 1",
    ),
    ("**a request**", "", ""),
    ("an event (`ROUTER_MAX_BODY`)", size(256 * 1024), "413"),
    ("another body, a form of the playground", f"{size(app.BODY)}, {size(tryout.MOST)}", "413"),
    ("a form", f"{forms.MAX_FIELDS:,} fields", "400"),
    ("a form in parts", size(forms.MAX_KEPT), "400"),
    (
        "a form that is kept through a login",
        f"{size(forms.MAX_KEPT)}, {forms.MAX_KEPT_FIELDS} fields",
        "not kept, in words",
    ),
    ("a login, with what it carries", size(forms.MAX_LOGIN), "413"),
    ("the age of a signature", time(secrets.TOLERANCE), "404"),
    ("**wrong passwords**: logins; HTTP Basic; bearer tokens", "", ""),
    ("one after the other from one place", wrong(dict(tries.FROM_ONE_PLACE)), "429"),
    ("one after the other from everywhere", wrong(dict(tries.OVERALL)), "429"),
    ("passwords of scripts being proven", pool(pools.PASSWORDS), "429"),
    ("logins being proven", pool(pools.LOGINS), "429"),
    ("a session", f"{time(access.IDLE)} unused, {time(access.LONGEST)} at most", "log in again"),
    ("**waiting for pages**", "", ""),
    ("requests for pages and the API", f"{turnstile.MAX_QUEUED:,} wait", "503"),
    ("pages and calls that ask the database", pool(pools.PAGES), "503"),
    ("sessions and named tokens", pool(pools.SESSIONS), "503"),
    (
        f"forms of over {size(forms.MAX_PARSED_AT_ONCE)}: of people who were let in",
        pool(pools.FORMS),
        "503",
    ),
    (
        "of strangers, with pauses three times as long as each was read",
        pool(pools.STRANGERS_FORMS),
        "503",
    ),
    (
        "`/readyz`",
        f"{time(readiness.CHECK_WITHIN)}; one check at a time, {time(readiness.APART)} apart",
        "503",
    ),
    ("**the playground**", "", ""),
    (
        "a question",
        f"{time(aside.SECONDS)}, {time(aside.SHARED)} while another viewer waits",
        "stopped, in words",
    ),
    (
        "those who wait for a turn",
        (
            f"{aside.MAX_WAITING}, {aside.MAX_OF_ONE} of one viewer, {time(aside.PATIENCE)} each"
            " beside the start of its process"
        ),
        f"503, try again in {time(aside.RETRY_AFTER)}",
    ),
    ("the edited texts", f"{size(tryout.LONGEST)} of characters", "not tried, in words"),
    (
        "its process",
        ", ".join(
            (
                size(trial.MEMORY),
                f"{time(aside.SECONDS + confine.GRACE)} of a core",
                f"{time(aside.STARTING)} to start",
            )
        ),
        "ended, in words",
    ),
    (
        "backtests",
        f"{backtests.MAX_RUNNING} at once, {time(backtests.SECONDS)} and {size(rerun.MEMORY)} each",
        "409; ended, in words",
    ),
    ("**the database**", "", ""),
    ("a free connection; to connect", f"{time(databases.WRITING.connection)} each", "503"),
    (
        "what another process has locked: SQLite; PostgreSQL, pages",
        f"{time(writer.PATIENCE)}; {time(databases.WRITING.lock)}, {time(databases.PAGES.lock)}",
        "503",
    ),
    (
        "a statement of the service, of a page, of a command",
        ", ".join(
            time(one.statement) for one in (databases.READING, databases.PAGES, databases.HISTORY)
        ),
        "503",
    ),
    (
        "between two statements of a transaction (PostgreSQL): the service, a page, a command",
        ", ".join(
            time(one.idle) for one in (databases.WRITING, databases.PAGES, databases.HISTORY)
        ),
        "the session ends",
    ),
    (
        "bytes that PostgreSQL's machine does not take",
        time(postgres.USER_TIMEOUT_MS / 1000),
        "the connection ends",
    ),
    ("a post", time(writer.ACCEPTED_WITHIN), "503"),
    ("what waits to be written", f"{writer.QUEUE:,}", "503"),
    ("another process that brings the schema up to date", time(databases.MIGRATION_WAIT), "ends"),
    ("**far ends**", "", ""),
    ("to connect", time(wire.CONNECT), "tried again"),
    ("a whole send, to the end of its answer", time(gateway.SEND_DEADLINE), "tried again"),
    ("an answer that is read", size(wire.ANSWER), "the rest is not read"),
    (
        "how long one may ask to wait",
        time(retry.MAX_ASKED_WAIT),
        "tried after 24 h; failed at once if `retry.for` (by default 24 h) is over by then",
    ),
    ("threads that send", str(senders.MAX_THREADS), "they serve all channels in turn"),
    ("a thread that does not come back", time(senders.STUCK), "another takes its place"),
    ("**templates, conditions, rules**", "", ""),
    ("steps of one rendering", f"{templates.STEPS:,}", "the built-in words"),
    (
        "a text that is made, all that is printed",
        f"{templates.LONGEST:,}, {templates.PRINTED:,} characters",
        "the built-in words",
    ),
    (
        "a value that is looked at",
        f"{templates.HEAVIEST:,} characters and items",
        "the built-in words",
    ),
    ("templates within each other", str(templates.DEEPEST), "the built-in words"),
    ("a pattern's machine", size(pattern.MEMORY), "a problem of the rules"),
    (
        "a file of rules, its depth, its values",
        f"{size(tree.LARGEST)}, {tree.DEEPEST}, {tree.MOST_VALUES:,}",
        "a problem of the rules",
    ),
    ("**the process**", "", ""),
    ("lines of the log that nobody reads", size(log_writer.MAX_WAITING), "dropped and counted"),
    (
        "a thread that ends",
        f"{len(supervisor.PAUSES)} times within {time(supervisor.WINDOW)}",
        "status 70",
    ),
    ("a thread that the system does not give", time(supervisor.GONE_WITHOUT), "status 70"),
    ("no thread at all for what waits to be sent", time(senders.THREADLESS), "status 70"),
    ("a channel on which something may go, and nothing does", time(clock.SILENT), "`/readyz` 503"),
    (
        "silence of the event loop, the writer, the clock, what reads the rules",
        ", ".join(
            time(silence)
            for silence in (
                service.LOOP_SILENCE,
                ledger.WRITER_SILENCE,
                CLOCK_SILENCE,
                service.RULES_SILENCE,
            )
        ),
        "`/livez` 503; after twice as long status 70",
    ),
    ("a stop after it gave up", f"`ROUTER_DRAIN` and {time(service.LAST)}", "ends at once"),
)


def test_the_table_of_limits_says_what_the_code_does() -> None:
    text = PAGE.read_text(encoding="utf-8")
    section = text[text.index("## Limits") : text.index("## What to watch")]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    expected = ["| what | at most | beyond it |"]
    expected += [f"| {what} | {most} | {then} |" for what, most, then in ROWS]
    assert [line for line in lines if line not in expected] == []
    assert [line for line in expected if line not in lines] == []
