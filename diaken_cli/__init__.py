"""Create virtual machines in vSphere and change them with Ansible, safely."""

__version__ = "0.1.0"
