"""What a source says of servers, in the form that all sources share."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from diaken_cli import units
from diaken_cli.requests import HostOptions


class NameFrom(StrEnum):
    """Who says what a VM is called: vCenter, or the guest in it."""

    VM = "vm"
    GUEST = "guest"


@dataclass(frozen=True)
class Candidate:
    """A server that may become a host.

    `origin` says where it stands in the source. `given` is what is said of it, as if it had been
    typed, but for its variables: these have their types. `groups` has the main one first.
    `addresses` are others that it has too. `unfit` is a reason why it is no host now and nobody's
    mistake; `mistakes` are sentences, and `group_mistake` is one where no group is named for all.
    `notes` say what was made different of a sound one, and `group_notes` where no group is named
    for all. `name_from` says whose word the name of a VM is.
    """

    origin: str
    name: str | None
    given: HostOptions
    variables: Mapping[str, Any] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    unfit: str | None = None
    mistakes: tuple[str, ...] = ()
    group_mistake: str | None = None
    notes: tuple[str, ...] = ()
    group_notes: tuple[str, ...] = ()
    name_from: NameFrom | None = None


@dataclass(frozen=True)
class Source:
    """All that a source says.

    `labels` is what it calls a value, by the name of our option (`NAME`, `--ip`). `guesses`: the
    names and groups of the candidates only stand for what nobody has said. `group_variables` are
    those of a group, should it have to be made. `empty_groups` have no host, and playbooks may
    still ask for them. `for_all` are variables of all hosts, where neither a host nor a group says
    otherwise; each host that is in a group is in one of the `outer_groups`.
    """

    candidates: tuple[Candidate, ...]
    labels: Mapping[str, str]
    guesses: bool = False
    group_variables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    empty_groups: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    for_all: Mapping[str, Any] = field(default_factory=dict)
    outer_groups: tuple[str, ...] = ()


def as_group_name(text: str) -> str | None:
    """The name of a group, or what comes near: `Web Servers` is `Web-Servers`; None for none."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    near = re.sub(r"[^A-Za-z0-9_-]+", "-", plain).strip("-")[: units.LONGEST_NAME]
    for label in (text, near):
        try:
            return units.check_group_name(label)
        except ValueError:
            continue
    return None
