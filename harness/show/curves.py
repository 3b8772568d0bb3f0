"""Curves as text, for where nothing else can draw. Pure."""

from __future__ import annotations

from collections.abc import Sequence

Points = Sequence[tuple[float, float]]


def text_plot(points: Points, *, across: str, up: str, width: int = 84, height: int = 14) -> list[str]:
    """Points as a picture of characters: x to the right, y up from 0; `across` and `up` name the axes, with units."""
    if not points:
        return ["     (nothing to draw)"]
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    top = max(y for _, y in points) or 1.0
    grid = [[" "] * width for _ in range(height)]
    for x, y in points:
        column = round((x - left) / ((right - left) or 1.0) * (width - 1))
        row = round(max(y, 0.0) / top * (height - 1))
        grid[height - 1 - row][column] = "*"
    lines = [f"     {up}"]
    for number, row_of_grid in enumerate(grid):
        value = top * (height - 1 - number) / (height - 1)
        label = f"{value:>8.4g}" if number % 4 == 0 or number == height - 1 else " " * 8
        lines.append(f"{label} |{''.join(row_of_grid).rstrip()}")
    lines.append(f"{'':>8} +{'-' * width}")
    lines.append(f"{'':>10}{left:<10.4g}{across:^{width - 20}}{right:>10.4g}")
    return lines


def bars(rows: Sequence[tuple[str, float]], *, unit: str, width: int = 60) -> list[str]:
    """Named values as bars from 0."""
    most = max((value for _, value in rows), default=0.0) or 1.0
    longest = max((len(name) for name, _ in rows), default=0)
    return [
        f"     {name:<{longest}}  {'#' * round(value / most * width):<{width}} {value:,.4g} {unit}"
        for name, value in rows
    ]
