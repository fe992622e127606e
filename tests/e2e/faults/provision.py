"""What goes wrong while Ansible works on the new host."""

from tests.e2e.faults.fault import BAD, GOOD, Fault, expire

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
        said="nobody",
    ),
    Fault(
        "A task of a playbook fails",
        more=BAD,
        step="provision",
        code="provision_failed",
        said="Start nginx: port 80 is taken",
    ),
    Fault(
        "A playbook can't be parsed",
        more=("--playbook", "broken"),
        step="provision",
        code="ansible",
        said="broken",
    ),
    Fault(
        "vCenter ends the session while a playbook runs",
        more=GOOD,
        during="provision",
        then=expire,
    ),
)
