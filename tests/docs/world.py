"""A machine for the commands of a page: a lab, and a root file system that is thrown away."""

import os
import selectors
import shlex
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.lab_fixture import Lab

SERVER = "vc.example.com"
PASSWORD = "Sesame-open!"  # what a page shows in the place of the lab's own
INSTALLED = "/opt/pipx/venvs/diaken-cli"  # … and of the environment that the tests run in
PATIENCE = 120.0  # seconds for one command
SEEDED = "<!-- begins with the inventory of the tutorial -->"
_SEED = f"""\
diaken config init --no-input --ssh-user root --ssh-key ~/.ssh/id_ed25519 &&
(umask 077; printf '%s\\n' '{PASSWORD}' > /etc/diaken/vcenter-password) &&
diaken vcenters add main --server {SERVER} --username administrator@vsphere.local \
  --password-file /etc/diaken/vcenter-password --ca-file /etc/diaken/vcenter-ca.pem &&
diaken environments add PROD &&
diaken groups add web --environment PROD &&
diaken hosts import --vcenter main --environment PROD --group web"""
_MARK = "\x01done "

# Every change of a file below these is made in memory, and gone with the shell. What this machine
# has there of diaken is not there.
_ENTER = f"""
set -e
mount --make-rprivate /
mount -t tmpfs world /mnt
for folder in /etc /root /var/lib /srv; do
  mkdir -p /mnt$folder/upper /mnt$folder/work
  layers=lowerdir=$folder,upperdir=/mnt$folder/upper,workdir=/mnt$folder/work
  mount -t overlay overlay -o $layers $folder
done
rm -rf /etc/diaken /etc/cron.d/diaken /var/lib/diaken
rm -rf /root/.config/diaken /root/.local/share/diaken /root/.ssh
install -d -m 700 /etc/diaken /root/.ssh
printf '127.0.0.1\\tlocalhost\\n127.0.0.1\\t{SERVER}\\n' >/etc/hosts
cp "$LAB/ca.pem" /etc/diaken/vcenter-ca.pem
install -m 600 "$LAB/id_ed25519" /root/.ssh/id_ed25519
cd /root
exec bash --norc
"""


class Shell:
    """A shell in that world, which carries out one command after the other."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": "/root",
            "LC_ALL": "C.UTF-8",
            "TZ": "Europe/Madrid",
            "LAB": str(lab.directory),
        }
        self._process = lab.popen(
            ["unshare", "--mount", "bash", "--norc", "-c", _ENTER],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, command: str) -> tuple[str, int]:
        """What a command printed, both streams as they came, and its exit status."""
        assert self._process.stdin is not None
        command = command.replace(PASSWORD, self._lab.password)
        mark = shlex.quote(f"{_MARK}%s\n")
        self._process.stdin.write(f"{{ {command}\n}} </dev/null\nprintf {mark} $?\n")
        self._process.stdin.flush()
        said, _, status = self._until_marked().rpartition(_MARK)
        for real, shown in ((self._lab.password, PASSWORD), (sys.prefix, INSTALLED)):
            said = said.replace(real, shown)
        return said, int(status)

    def begin(self, page: str) -> None:
        """Bring the world to where a page begins. Raises RuntimeError with what went wrong."""
        if SEEDED in page:
            printed, status = self.run(_SEED)
            if status != 0:
                raise RuntimeError(printed)

    def close(self) -> None:
        """End it, and with it all its files."""
        self._process.kill()
        self._process.communicate(timeout=PATIENCE)

    def _until_marked(self) -> str:
        assert self._process.stdout is not None
        said, deadline = "", time.monotonic() + PATIENCE
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while time.monotonic() < deadline:
                if selector.select(0.2):
                    got = os.read(self._process.stdout.fileno(), 65536).decode(errors="replace")
                    said += got
                    if not got or (said.endswith("\n") and _MARK in said):
                        break
        if _MARK not in said:
            raise TimeoutError(f"the command did not end; it said: {said}")
        return said


@contextmanager
def shell(lab: Lab) -> Iterator[Shell]:
    """A shell with a world of its own, in which the lab's vCenter is vc.example.com:443."""
    with _as_443(lab):
        opened = Shell(lab)
        try:
            yield opened
        finally:
            opened.close()


@contextmanager
def _as_443(lab: Lab) -> Iterator[None]:
    """Pass what comes to port 443 of the lab's network on to its vCenter."""
    host, port = lab.server.split(":")
    with lab.inside():
        listening = socket.create_server(("127.0.0.1", 443))

    def serve() -> None:
        with lab.inside():
            while True:
                try:
                    near, _ = listening.accept()
                except OSError:  # closed
                    return
                far = socket.create_connection((host, int(port)))
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=_pour, args=(source, sink), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(5)


def _pour(source: socket.socket, sink: socket.socket) -> None:
    with closing(source), closing(sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:  # one of the two went away: the other is closed
            return
