"""The router: case events in, the right messages out.

An event's path, and where each step lives:

    web/receiver.py   POST /hooks/...: who is it, how big is it, the raw body
    accept.py         decode it, route it, write it down; only then 202
    route.py          pure: (event, ruleset) -> decisions and the deliveries they make
    timing.py         pure: when they are due, and what is asked of them at that moment
    ledger/           events, rulesets, deliveries, attempts: what must not be forgotten;
                      its gate asks what is due, its turns and lanes say what may go
    worker.py         claim what may go; attempt.py: render -> deliver -> record the attempt
    render/           template and event -> title and body, safe for the channel's format
    delivery/         message -> far end, and what the far end answered

Around it: rulebook/ reads rules.yaml, match/ answers conditions, calendar.py knows open
hours, chores.py and watch.py look after what nobody posts, service.py is the one process,
web/ and cli/ are the two doors. Imports only go down this staircase
(tests/test_house.py holds it).
"""

__version__ = "0.1.0"
