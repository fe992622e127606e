"""The outside: vCenter, Ansible, files and secrets. Foreign faults become ours here."""
