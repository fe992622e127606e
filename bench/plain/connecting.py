"""What the plain scripts have in common: a login, as the examples of pyvmomi do it."""

import ssl
import sys
from pathlib import Path
from typing import Any

from pyVim.connect import SmartConnect


def connect() -> tuple[Any, list[str]]:
    """Log in with the first four arguments; the content of the service, and the other arguments."""
    server, user, password_file, ca_file, *rest = sys.argv[1:]
    host, port = server.split(":")
    service = SmartConnect(
        host=host,
        port=int(port),
        user=user,
        pwd=Path(password_file).read_text().strip(),
        sslContext=ssl.create_default_context(cafile=ca_file),
    )
    return service.RetrieveContent(), rest
