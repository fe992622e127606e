"""The lab's vCenter as diaken and the plain scripts know it."""

from bench.place import Place
from diaken_cli.actions.vcenters import add_vcenter
from diaken_cli.inventory_options import VCenterOptions
from tests.lab_fixture import Lab


def add(place: Place, lab: Lab) -> int:
    """Add the lab's first vCenter as `lab`: its number."""
    given = VCenterOptions(
        server=lab.server,
        username=lab.username,
        password_file=str(lab.password_file),
        ca_file=str(lab.ca_file),
    )
    return add_vcenter(place.store, name="lab", typed=given).id


def arguments(lab: Lab) -> list[str]:
    """How a plain script reaches it."""
    return [lab.server, lab.username, str(lab.password_file), str(lab.ca_file)]
