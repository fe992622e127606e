"""A run as one self-contained HTML page: no script, no font and no picture from elsewhere."""

from diaken_cli.render.report.machine import machine
from diaken_cli.render.report.page import page

__all__ = ["machine", "page"]
