"""Requests that cannot be answered as asked; each text says what to ask instead."""


class BadRequest(Exception):
    """The request makes no sense; the text says what to send instead."""


class Conflict(Exception):
    """The thing is not in a state for it; the text says what it is in."""


class NotThere(Exception):
    """There is no such thing; the text says what was looked for."""
