"""A deterministic simulation of faults: several routers, one database, one thread at a time.

All that runs takes its threads, waits and clock from a scheduler; here that is one which draws
from a seed who runs next, and where what fails. The same seed plays the same run.
`python -m simulation --help` says how; `make chaos` plays many.
"""
