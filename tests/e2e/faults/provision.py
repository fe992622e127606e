"""What goes wrong while Ansible works on the new host."""

from tests.e2e.deploy.deploying import NAME, Deploying
from tests.e2e.faults.fault import (
    BAD,
    BOTH,
    GOOD,
    MARKED,
    SLOW_POWER,
    UNAVAILABLE,
    Fault,
    expire,
    expire_and_refuse,
    full_disk,
)
from tests.e2e.faults.somebody import powers_it_off
from tests.waiting import until


def powers_it_off_in_the_playbook(deploying: Deploying) -> None:
    """The VM is powered off once the playbook has begun to work on it."""
    begun = ("test", "-e", "/tmp/begun")
    until(lambda: deploying.lab.sh(NAME, *begun).returncode == 0, "the playbook has begun")
    powers_it_off(deploying)


def removes_the_playbook(deploying: Deploying) -> None:
    """The playbook that was there when all was checked is gone."""
    (deploying.folder / "playbooks" / "good.yml").unlink()


def short_timeout(deploying: Deploying) -> None:
    """The config file gives a playbook two seconds."""
    deploying.configure(
        f'[playbooks]\npaths = ["{deploying.folder / "playbooks"}"]\n[ansible]\ntimeout = "2s"'
    )


PROVISION = (
    Fault(
        "SSH does not answer",
        more=("--playbook", "good", "--port", "2222", "--ssh-timeout", "2s"),
        step="provision",
        code="no_ssh",
        said="within 2 s",
    ),
    Fault(
        "SSH refuses the user",
        more=("--playbook", "good", "--user", "nobody", "--ssh-timeout", "6s"),
        step="provision",
        code="no_ssh",
        said="refuses the SSH login: nobody@",
    ),
    Fault(
        "A task of a playbook fails",
        more=BAD,
        step="provision",
        code="provision_failed",
        said="Start nginx: port 80 is taken",
    ),
    Fault(
        "vCenter ends the session while a playbook runs",
        more=GOOD,
        during="provision",
        then=expire,
    ),
    Fault(
        "vCenter ends the session and refuses the password while a playbook runs",
        more=GOOD,
        during="provision",
        then=expire_and_refuse,
        warned="this run's identity",
        left=MARKED,
    ),
    Fault(
        "vCenter is down while a playbook runs, and the playbook succeeds",
        more=GOOD,
        during="provision",
        then=UNAVAILABLE,
        warned="this run's identity",
        left=MARKED,
        world="impatient",
    ),
    Fault(
        "vCenter is down while a playbook runs, and the playbook fails",
        more=BAD,
        during="provision",
        then=UNAVAILABLE,
        step="provision",
        code="provision_failed",
        warned="could not be undone",
        left=BOTH,
        world="impatient",
    ),
    Fault(
        "Somebody powers the VM off while a playbook runs",
        more=("--playbook", "waits"),
        during="provision",
        then=powers_it_off_in_the_playbook,
        step="provision",
        code="provision_failed",
        said="waits failed on web01",
    ),
    Fault(
        "A playbook is removed meanwhile",
        (SLOW_POWER,),
        more=GOOD,
        during="power_on",
        then=removes_the_playbook,
        step="provision",
        code="ansible",
        said="good",
    ),
    Fault(
        "A playbook takes longer than `[ansible] timeout`",
        (short_timeout,),
        more=("--playbook", "slow"),
        step="provision",
        code="timed_out",
        said="[ansible]",
    ),
    full_disk("The disk of the database is full while a playbook runs", "provision", more=GOOD),
)
