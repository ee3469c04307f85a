"""Ending a thread, or holding it up, wherever it is at that moment."""

import ctypes
import threading
import time


class Hold(BaseException):
    """Raised in a thread, it holds that thread up: Python makes it there."""

    def __init__(self) -> None:
        time.sleep(86400)


FAULTS: dict[str, type[BaseException]] = {"end": SystemExit, "hold": Hold}


def strike_thread(thread: threading.Thread, fault: type[BaseException]) -> int:
    """Have a fault raised in a thread when it next runs; returns 1, or 0 if it has ended."""
    ident = ctypes.c_ulong(thread.ident or 0)
    return int(ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(fault)))
