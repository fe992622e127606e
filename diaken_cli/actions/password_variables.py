"""The variables that hold vCenters' passwords leave the environment that programs inherit.

Everything that diaken starts (ssh, Ansible, ping, a command that prints some password) inherits
this process's environment, and none of it needs the password of a vCenter. So such a variable is
taken out as soon as the database says which ones they are; who logs in to a vCenter still has it.
"""

import os
from collections import ChainMap
from collections.abc import Mapping

from diaken_cli.store import Store
from diaken_cli.types import SecretKind

_withheld: dict[str, str] = {}


def names(store: Store) -> frozenset[str]:
    """The environment variables that hold passwords of vCenters."""
    return frozenset(store.inventory.secret_references(SecretKind.ENV))


def withhold(store: Store) -> None:
    """Take them out of this process's environment, before any program is started."""
    for name in names(store):
        if (value := os.environ.pop(name, None)) is not None:
            _withheld[name] = value


def environment_for(kind: SecretKind) -> Mapping[str, str]:
    """Where a vCenter's password is looked for; a command that prints it has no other's."""
    return ChainMap(dict(os.environ), _withheld) if kind is SecretKind.ENV else os.environ
