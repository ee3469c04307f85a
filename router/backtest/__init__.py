"""Backtest: what new rules would have said otherwise about events that came. Pure."""

from router.backtest.backtest import Backtest, backtest
from router.backtest.changes import Change, Kind, Report, Row
from router.backtest.words import Side, diff

__all__ = ["Backtest", "Change", "Kind", "Report", "Row", "Side", "backtest", "diff"]
