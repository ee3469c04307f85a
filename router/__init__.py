"""The router: case events in, the right messages out.

An event's path, and where each step lives:

    web/receiver.py   POST /hooks/...: who is it, how big is it, the raw body
    accept.py         decode it, route it, write it down; only then 202
    route.py          pure: (event, ruleset) -> decisions and the deliveries they make
    timing.py         pure: when they are due, and what is asked of them at that moment
    gate.py           pure: the answer, by what is remembered
    ledger/           events, rulesets, deliveries, attempts: what must not be forgotten;
                      its gate remembers, its turns and lanes say what may go
    worker.py         claim what may go; attempt.py: render -> deliver -> record the attempt
    render/           template and event -> title and body, safe for the channel's format
    delivery/         message -> far end, and what the far end answered

Around it: rulebook/ reads rules.yaml, match/ answers conditions, calendar.py knows open
hours, rehearse.py goes this path in memory on the events' own clock, chores.py and watch.py
look after what nobody posts, service.py is the one process, web/ and cli/ are the two doors.
Imports only go down this staircase (tests/test_house.py holds it).
"""

__version__ = "0.1.0"
