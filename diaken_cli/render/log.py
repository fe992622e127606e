"""What services log, as messages for who asks for more with --verbose."""

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diaken_cli.render.output import Output


def print_log(output: "Output") -> None:
    """From now on print what diaken's services log, once each."""
    logger = logging.getLogger("diaken_cli")
    logger.setLevel(logging.INFO)
    logger.addHandler(_Messages(output))


class _Messages(logging.Handler):
    def __init__(self, output: "Output") -> None:
        super().__init__(logging.INFO)
        self._output = output
        self._printed: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message not in self._printed:
            self._printed.add(message)
            self._output.info(message)
