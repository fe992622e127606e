"""Ansible and SSH: run a playbook and say what it did, find playbooks, reach hosts."""
