"""Chaos with real processes: replicas of `router serve`, faults, and a checker over the history.

`make chaos` runs all scenarios and prints a table; `python -m chaos --help` says the rest.
"""
