"""`router explain`: verdicts with their conditions, near misses first, and what became of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from far_end import Answer, HttpFarEnd, wait_until
from router.ledger import Own, open_ledger
from router.secret import Secret
from typed import SAMPLE, run, run_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from running import Running

RULES = """
version: 1
sources: {{ atfinity: {{ secret: "${{ATFINITY_SECRET}}" }} }}
channels:
  sink: {{ webhook: {{ url: {url}/in }} }}
  later: {{ webhook: {{ url: {url}/later }} }}
calendars: {{ never: {{ timezone: UTC, days: mon-sun, hours: "00:00-24:00" }} }}
rules:
  - name: far
    when: {{ trigger: case_created, process_key: credit, case_version: {{ gt: 3 }} }}
    notify: sink
  - name: near
    when: {{ trigger: case_comment, process_key: credit }}
    notify: sink
  - {{ name: spoke, when: {{ trigger: case_comment }}, notify: sink, title: "T {{{{ case_id }}}}" }}
  - name: waits
    when: {{ trigger: case_comment }}
    digest: {{ every: 1h }}
    notify: later
    title: digest
"""
EVENT = {"trigger": "case_comment", "case_id": 1, "process_key": "kyc", "case_version": 1}


def test_conditions_are_told_with_expected_and_actual() -> None:
    done = run("explain", str(SAMPLE))
    lines = [line.split() for line in done.stdout.splitlines()]
    assert "fails current_state_key expected in_review found approved".split() in lines
    assert "holds previous_state_key expected in_review found in_review".split() in lines


def test_near_misses_come_before_rules_that_failed_on_many() -> None:
    shown = run("explain", str(SAMPLE)).stdout
    order = ("review finished", "stuck in review", "case opened", "documents generated")
    places = [shown.index(f"\n  {name} ") for name in order]
    assert places == sorted(places)
    many = next(line for line in shown.splitlines() if "credit decided" in line)
    assert "trigger is `case_state_changed`, none of case_approved, case_declined" in many
    assert "process_key is `kyc_process`, not like credit_*" in many


def test_no_line_is_wider_than_the_terminal_and_a_pipe_is_not_folded() -> None:
    for columns in ("60", "90"):
        shown = run("explain", str(SAMPLE), COLUMNS=columns).stdout.splitlines()[1:]
        assert max(map(len, shown)) <= int(columns)
    assert max(map(len, run("explain", str(SAMPLE)).stdout.splitlines())) > 120


def test_a_terminal_folds_what_is_of_no_interest(tmp_path: Path) -> None:
    rule = "  - {{ name: r{0}, when: {{ trigger: x, case_id: {0} }}, notify: sink, title: x }}\n"
    rules = "".join(rule.format(number) for number in range(60))
    head = RULES.format(url="http://127.0.0.1:9").split("rules:")[0]
    (tmp_path / "rules.yaml").write_text(f"{head}rules:\n{rules}")
    given = ("explain", str(SAMPLE), "--rules", str(tmp_path / "rules.yaml"))
    shown = run(*given, COLUMNS="100").stdout
    assert "and 45 more that stayed silent" in shown
    assert run(*given).stdout.count("no match") == 60


def test_an_events_file_is_told_in_the_shape_of_the_api() -> None:
    told = json.loads(run("explain", str(SAMPLE), "--json").stdout)
    assert (told["id"], told["trigger"], told["body"]["case_user_readable_id"]) == (
        None, "case_state_changed", "KYC-1042",
    )  # fmt: skip
    found = next(d for d in told["decisions"] if d["rule"] == "stuck in review")
    assert (found["matched"], found["misses"]) == (False, 1)
    assert found["conditions"][1]["expected"] == "in_review"
    assert [d["channel"] for d in told["deliveries"]] == ["kyc-team", "compliance"]


def test_a_stored_event_says_what_became_of_each_delivery(
    router: Callable[..., Running], tmp_path: Path
) -> None:
    with HttpFarEnd() as far:
        running = router(RULES.format(url=far.url))
        far.answers.append(Answer(404))
        running.post(EVENT)
        running.post(b"no json")
        wait_until(lambda: running.deliveries("state=failed"))
        shown = running.command("explain", "1").stdout
        folded = " ".join(shown.split())
        assert '-> sink "T 1" failed, 1 attempt,' in folded
        assert "404 Not Found: ok (delivery 1)" in folded
        assert "waits until " in folded
        assert "collected for a digest) (delivery 2)" in folded
        names = [line.split()[0] for line in shown.splitlines() if line[:3].strip()]
        order = [name for name in names if name in ("far", "near", "spoke", "waits")]
        assert order == ["spoke", "waits", "near", "far"]
        told = json.loads(running.command("explain", "1", "--json").stdout)
        assert told["deliveries"][0]["attempts"][0]["status"] == 404
        other = tmp_path / "other.yaml"
        other.write_text(RULES.format(url=far.url).replace("process_key: credit }", "case_id: 1 }"))
        under = running.command("explain", "1", "--rules", str(other)).stdout
        assert "by " in under.splitlines()[1]
        assert "-> sink  at once" in under
        assert "what really became of it:" in under
        assert (
            "event 2 was rejected: the body is not JSON" in running.command("explain", "2").stdout
        )
        missing = running.command("explain", "99")
        assert (missing.returncode, missing.stderr) == (
            1, "there is no event 99; `router events` lists them\n",
        )  # fmt: skip


def test_what_the_router_told_about_itself_is_explained_in_its_words(tmp_path: Path) -> None:
    ledger = open_ledger(Secret(f"sqlite:///{tmp_path / 'router.db'}"), lambda: 1.8e9)
    told = {"title": "Channel post fails", "text": "since an hour"}
    ledger.upkeep.tell(
        Own(
            key="k", again_at=1.9e9, rule="channel_failing: any", trigger="channel_failing",
            fields=told, channels=("duty",), ruleset="h",
        )
    )  # fmt: skip
    ledger.close()
    done = run_in(tmp_path, ["explain", "1"], {})
    assert done.returncode == 0
    assert "the router told this about itself" in done.stdout
    assert (
        "  Channel post fails\n  since an hour\n  channel_failing: any\n    -> duty" in done.stdout
    )


def test_wrong_usage_is_answered_in_words(tmp_path: Path) -> None:
    nowhere = {"ROUTER_DATABASE_URL": f"sqlite:///{tmp_path / 'none.db'}"}
    done = run("explain", "7", **nowhere)
    assert done.returncode == 1
    assert "there is no database" in done.stderr
    assert "`router serve` makes it" in done.stderr
    assert not (tmp_path / "none.db").exists()
    done = run("explain", str(SAMPLE), "--source", "atfinty")
    assert (done.returncode, done.stderr) == (
        2, "there is no source `atfinty`; did you mean `atfinity`?\n",
    )  # fmt: skip
