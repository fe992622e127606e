"""How the VMs of a vCenter are named, and which can be no hosts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diaken_cli.actions.importing.candidates import as_group_name
from diaken_cli.units import check_group_name
from tests.unit.importing.planning import UUID, done, host, planned, server, vms

GUESTS = (
    server("web01", "10.0.4.1", uuid=UUID[:-1] + "1", guest_name="other"),
    server("Web 2 (new)", "10.0.4.2", uuid=UUID[:-1] + "2", guest_name="web02.example.com"),
    server("web03", "10.0.4.3", uuid=UUID[:-1] + "3", guest_name="localhost"),
    server("web04", "10.0.4.4", uuid=UUID[:-1] + "4", guest_name="10.0.4.21"),
    server("web05", "10.0.4.5", uuid=UUID[:-1] + "5", guest_name="evil\x1b[2J\n" * 1000),
    server("web06", "10.0.4.6", uuid=UUID[:-1] + "6"),
    server("web07", "10.0.4.7", uuid=UUID[:-1] + "7", guest_name="web07"),
)


def test_a_vm_is_called_by_its_own_name_whatever_its_guest_says() -> None:
    rows = planned(vms(*GUESTS)).rows
    assert [row.name for row in rows] == [each.vm.name for each in GUESTS]
    assert {row.name_from for row in rows} == {"vm"}
    assert [row.name for row in rows if row.mistake] == ["Web 2 (new)"]
    reason = rows[1].reason or ""
    assert "'Web 2 (new)' is not a host name" in reason
    assert "its guest reports web02.example.com, used only with --guest-names" in reason


def test_a_guest_is_believed_only_with_guest_names_and_that_is_marked() -> None:
    rows = planned(vms(*GUESTS, guest_names=True)).rows
    assert [(row.name, row.name_from) for row in rows] == [
        ("other", "guest"),
        ("web02.example.com", "guest"),
        *((f"web0{number}", "vm") for number in range(3, 8)),
    ]
    assert not any(row.mistake for row in rows)
    reasons = [row.reason or "" for row in rows]
    assert reasons[:2] == [
        "its guest reports the name other",
        "its guest reports the name web02.example.com",
    ]
    assert reasons[2] == "its guest reports 'localhost', which is not a valid host name"
    assert "'10.0.4.21'" in reasons[3]
    assert reasons[4].isprintable()
    assert len(reasons[4]) < 150
    assert reasons[5:] == ["its guest reports no name", ""]


def test_no_guest_takes_the_name_of_another() -> None:
    there = host("web01", "10.0.4.21")
    found = vms(
        server("a", "10.0.4.1", uuid=UUID[:-1] + "1", guest_name="web01"),
        server("b", "10.0.4.2", uuid=UUID[:-1] + "2", guest_name="same"),
        server("c", "10.0.4.3", uuid=UUID[:-1] + "3", guest_name="same"),
        guest_names=True,
    )
    says = "its name comes from its guest"
    both = f"VM /DC0/vm/b, VM /DC0/vm/c have the same name; {says}"
    already = "host web01 already exists, but its address is 10.0.4.21, not 10.0.4.1"
    assert done(found, there) == [
        ("skipped", f"{already}; {says}"),
        ("skipped", both),
        ("skipped", both),
    ]


def test_a_vms_name_that_could_do_something_is_shown_and_not_taken() -> None:
    (row,) = planned(vms(server("web01\n10.0.0.1 \x1b[2Jx", "10.0.4.1"))).rows
    assert row.mistake
    assert row.name == r"web01\n10.0.0.1 \x1b[2Jx"
    assert row.origin == rf"VM /DC0/vm/{row.name}"
    assert (row.reason or "").isprintable()


def test_vms_that_can_be_no_host_now_are_skipped_and_nobodys_mistake() -> None:
    found = vms(
        server("a", "10.0.4.1", power="off"),
        server("b", power="suspended"),
        server("c", local=("169.254.7.7", "127.0.0.1")),
        server("e"),
        server("d", "10.0.4.4", uuid=""),
    )
    rows = planned(found).rows
    assert [row.reason for row in rows] == [
        "the VM is powered off",
        "the VM is suspended",
        "the VM reports only 169.254.7.7, 127.0.0.1, by which no other machine reaches it",
        "the VM reports no IPv4 address",
        "the VM's instance UUID can't be read",
    ]
    assert not any(row.mistake for row in rows)
    assert planned(found).groups == ()


@pytest.mark.parametrize(
    ("folder", "label"),
    [
        ("web", "web"),
        ("web_servers", "web_servers"),
        ("Web Servers_1", "Web-Servers_1"),
        ("Büro/Süd", "Buro-Sud"),
        ("3rd floor", None),
        ("all", None),
        ("日本", None),
        ("--", None),
        ("a" * 300, "a" * 253),
    ],
)
def test_the_name_of_a_group_comes_near_the_folders(folder: str, label: str | None) -> None:
    assert as_group_name(folder) == label


@given(st.text())
def test_what_is_called_a_group_can_be_one(text: str) -> None:
    label = as_group_name(text)
    assert label is None or check_group_name(label) == label
