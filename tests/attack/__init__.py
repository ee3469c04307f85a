"""Attacks of strangers on a running router, bounded and on loopback, beside a sender that behaves.

`make attack` runs them all and prints a table. An attack is a function of a folder's module that
takes a Target and how many seconds it may last, and counts what it was answered; its entry in
`catalogue.py` says which answers are right. It runs in a process of its own that yields to the
router, as a stranger's machine would.
"""
