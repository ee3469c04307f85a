"""Requests that cannot be answered as asked; each text says what to ask instead."""


class BadRequest(Exception):
    """The request makes no sense; the text says what to send instead."""


class Conflict(Exception):
    """The thing is not in a state for it; the text says what it is in."""


class BadFilter(BadRequest):
    """One filter of a list makes no sense; the list may be asked for without it."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


class NotThere(Exception):
    """There is no such thing; the text says what was looked for."""


class NotKnown(Exception):
    """It is not known who asks: what they sent is `wrong`, or they sent nothing.

    `kept` are the fields of a form that would otherwise be lost; one that is `too_large` is.
    """

    def __init__(
        self, *, wrong: bool, kept: tuple[tuple[str, str], ...] = (), too_large: bool = False
    ) -> None:
        super().__init__()
        self.wrong = wrong
        self.kept = kept
        self.too_large = too_large


class NotAllowed(Exception):
    """Who asks may not do that; the text says who may."""


class OtherSite(Exception):
    """A page of another site made the browser send it."""


class TooOften(Exception):
    """Too many wrong passwords: the next may be tried after `wait` seconds."""

    def __init__(self, wait: float) -> None:
        super().__init__()
        self.wait = wait
