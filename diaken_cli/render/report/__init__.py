"""A run as one self-contained HTML page: no script, no font and no picture from elsewhere."""

from diaken_cli.render.report.page import render_page, vm_fields

__all__ = ["render_page", "vm_fields"]
