"""Pure: growing costs as a small picture, one panel a series."""

from collections.abc import Sequence
from html import escape

from bench.figures import Series

WIDTH, HEIGHT = 250, 190  # of a panel
LEFT, RIGHT, TOP, BOTTOM = 52, 18, 40, 34
COLUMNS = 3
STYLE = (
    "text{font:12px sans-serif;fill:#333}.name{font-weight:bold}.small{font-size:10px;fill:#666}"
    ".axis{stroke:#999;fill:none}.chord{stroke:#bbb;stroke-dasharray:4 3}"
    ".cost{stroke:#1f6feb;fill:none;stroke-width:2}circle{fill:#1f6feb}"
)


def picture(series: Sequence[Series]) -> str:
    """An SVG document: costs over sizes, from nought, and dashed the straight line for each."""
    columns = min(COLUMNS, len(series)) or 1
    rows = -(-len(series) // columns)
    width, height = columns * WIDTH, rows * HEIGHT
    panels = [
        f'<g transform="translate({number % columns * WIDTH} {number // columns * HEIGHT})">'
        f"{_panel(each)}</g>"
        for number, each in enumerate(series)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" role="img">\n'
        "<title>CPU seconds as the work grows</title>\n"
        f"<style>{STYLE}</style>\n"
        f'<rect width="{width}" height="{height}" fill="#fff"/>\n'
        + "\n".join(panels)
        + "\n</svg>\n"
    )


def _panel(series: Series) -> str:
    most_size = max(size for size, _ in series.points)
    most = max(cost for _, cost in series.points) or 1.0

    def at(size: int, cost: float) -> tuple[str, str]:
        x = LEFT + (WIDTH - LEFT - RIGHT) * size / most_size
        y = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * cost / most
        return f"{x:.1f}", f"{y:.1f}"

    points = [at(size, cost) for size, cost in series.points]
    (x1, y1), (x2, y2) = points[0], points[-1]
    foot = HEIGHT - BOTTOM
    return (
        f'<text class="name" x="{LEFT}" y="20">{escape(series.name)}</text>'
        f'<path class="axis" d="M{LEFT} {TOP}V{foot}H{WIDTH - RIGHT}"/>'
        f'<line class="chord" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>'
        f'<polyline class="cost" points="{" ".join(map(",".join, points))}"/>'
        + "".join(f'<circle cx="{x}" cy="{y}" r="3"/>' for x, y in points)
        + f'<text class="small" x="{LEFT - 4}" y="{TOP + 8}" text-anchor="end">{_time(most)}</text>'
        f'<text class="small" x="{LEFT - 4}" y="{foot}" text-anchor="end">0</text>'
        f'<text class="small" x="{WIDTH - RIGHT}" y="{foot + 16}" text-anchor="end">'
        f"{most_size:,} {escape(series.unit)}</text>"
    )


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"
