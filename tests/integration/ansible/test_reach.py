"""Waiting for SSH on a host that refuses the log-in at first."""

import subprocess
import threading
from dataclasses import replace

from diaken_cli.services.ansible import remote
from tests.integration.ansible.bench import Bench
from tests.lab_fixture import LAB

# An sshd as it is by default: since OpenSSH 9.8 it locks out an address that it refused too often.
LOCK_THE_DOOR = """
mv /root/.ssh/authorized_keys /root/.ssh/aside
sed -i /PerSourcePenalties/d /etc/ssh/sshd_config
kill -HUP "$(cat /run/sshd.pid)"
"""
ADDRESS = "10.77.0.64"
UNLOCK = "mv /root/.ssh/aside /root/.ssh/authorized_keys"


def test_a_key_that_comes_late_is_let_in(bench: Bench) -> None:
    target = replace(bench.target(1), address=ADDRESS)

    def wait(timeout: float) -> remote.NotReached | None:
        with bench.lab.inside():
            return remote.wait_for_ssh(
                target, bench.ssh, timeout=timeout, should_stop=lambda: False
            )

    def inside(script: str) -> None:
        bench.lab.sh(f"host-{ADDRESS}", "sh", "-ec", script).check_returncode()

    subprocess.run([LAB, "host", ADDRESS, "--name", bench.lab.name], check=True)
    assert wait(timeout=60) is None
    inside(LOCK_THE_DOOR)
    refused = wait(timeout=5)
    assert refused is not None
    assert refused.host_refused
    assert "Permission denied (publickey" in refused.message
    unlocked = threading.Timer(13, inside, [UNLOCK])
    unlocked.start()
    try:
        assert wait(timeout=58) is None
    finally:
        unlocked.join()
    inside("! grep 'drop connection' /run/sshd.log")
