"""Tables on a terminal: columns as wide as what is in them, the last one folded under itself."""

from __future__ import annotations

import click

from router.cli.paper import clip, fold, plain, visible, width

GAP = 2
LEAST = 8
"""Columns that a cell keeps, however narrow the terminal is."""
NOTE = 32
"""Columns that the last cell needs to stand in its row; with fewer it has a line of its own."""


class Table:
    """A head and rows. Cells may have colours; the last column may be long, and may be empty."""

    def __init__(self, *columns: str) -> None:
        self._columns = columns
        self._rows: list[tuple[str, ...]] = []

    def add_row(self, *cells: str) -> None:
        """Add a row, one cell for each column; what a terminal would obey is taken out."""
        self._rows.append(tuple(_quiet(cell) for cell in cells))

    def show(self) -> None:
        """Write it; where nobody looks (a pipe) every row stays on one line."""
        columns = width()
        wide = [
            max(visible(row[n]) for row in (self._columns, *self._rows))
            for n in range(len(self._columns))
        ]
        if columns is not None:
            _narrow(wide, columns)
        start = sum(wide[:-1]) + GAP * (len(wide) - 1)
        beside = columns is None or start + min(wide[-1], NOTE) <= columns
        noted = any(row[-1] for row in self._rows)
        head = self._columns if beside and noted else (*self._columns[:-1], "")
        click.echo(click.style(_line(head, wide), dim=True))
        for row in self._rows:
            if beside:
                click.echo(_line((*row[:-1], fold(row[-1], start, columns)), wide))
                continue
            click.echo(_line((*row[:-1], ""), wide))
            if row[-1]:
                click.echo("    " + fold(row[-1], 4, columns))


def _narrow(wide: list[int], columns: int) -> None:
    """Take from the widest columns what the terminal does not have; the last one is not asked."""
    while sum(wide[:-1]) + GAP * (len(wide) - 2) > columns:
        widest = max(range(len(wide) - 1), key=lambda n: wide[n])
        if wide[widest] <= LEAST:
            return
        wide[widest] -= 1


def _line(cells: tuple[str, ...], wide: list[int]) -> str:
    padded = []
    for cell, room in zip(cells[:-1], wide, strict=False):
        shown = clip(cell, room) if visible(cell) > room else cell
        padded.append(shown + " " * (room - visible(shown) + GAP))
    return ("".join(padded) + cells[-1]).rstrip()


def _quiet(cell: str) -> str:
    """Colours of our own stay; signs of control that came from outside do not."""
    if visible(cell) == len(cell):
        return plain(cell).replace("\n", " ")
    return cell
