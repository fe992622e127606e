"""The playbooks that ship, each on a real host: what they do, and that the second time is quiet."""

from collections.abc import Iterator
from typing import Any

import pytest

from diaken_cli.requests import RunOptions
from diaken_cli.services.ansible import catalog
from diaken_cli.types import HostResult, HostStatus
from tests.integration.ansible.bench import VMS, Bench, Ran
from tests.lab_fixture import Lab, running_lab

# A package apache2 as Debian's is to Ansible: an init script, and an answer on port 80.
APACHE = r"""
    cd /tmp
    mkdir -p apache2/DEBIAN apache2/etc/init.d
    printf 'Package: apache2\nVersion: 2.4\nArchitecture: all\nMaintainer: x <x@x.example>
Description: stands in for the web server\n' >apache2/DEBIAN/control
    cat >apache2/etc/init.d/apache2 <<'SCRIPT'
#!/bin/sh
### BEGIN INIT INFO
# Provides: apache2
# Required-Start:
# Required-Stop:
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
### END INIT INFO
case $1 in
  start) start-stop-daemon -Sbmp /run/apache2.pid -x /usr/bin/python3 -- -m http.server 80 ;;
  status)
    start-stop-daemon -Tp /run/apache2.pid && echo apache2 is running && exit
    echo apache2 is not running
    exit 3 ;;
esac
SCRIPT
    chmod 755 apache2/etc/init.d/apache2
    repository=/usr/local/share/lab-repository
    dpkg-deb --root-owner-group --build apache2 $repository/apache2.deb >/dev/null
    { cat apache2/DEBIAN/control
      echo Filename: ./apache2.deb
      echo Size: $(stat -c %s $repository/apache2.deb)
      echo SHA256: $(sha256sum $repository/apache2.deb | cut -d' ' -f1)
      echo
    } >>$repository/Packages
    touch -d '2 hours ago' /var/lib/apt/lists  # apt 3 keeps a copy there: it is to be made anew
"""
PACKAGES = r"""
    cd "$(mktemp -d)"
    make() {
      mkdir -p $1/DEBIAN
      { printf 'Package: %s\nVersion: 1\nArchitecture: all\n' $1
        printf 'Maintainer: x <x@x.example>\nDescription: stands in for a kernel\n'
        [ -z "$2" ] || echo "Depends: $2"
      } >$1/DEBIAN/control
      dpkg-deb --root-owner-group --build $1 >/dev/null
      dpkg --install $1.deb >/dev/null
    }
"""
KERNELS = """
    for kernel in 5.10.0-9-amd64 5.10.0-28-amd64 "$(uname -r)" 99.1.0-9-amd64 99.1.0-12-amd64; do
      make linux-image-$kernel
    done
    make linux-headers-5.10.0-9-amd64
    make linux-image-amd64 linux-image-99.1.0-12-amd64
"""
PROVISIONING = {
    "target_hostname": "shop01",
    "target_domain": "example.com",
    "target_ip": "10.77.0.107",
    "target_prefix": 24,
    "target_gateway": "10.77.0.254",
    "target_dns": ["10.77.0.53", "10.77.0.54"],
}


@pytest.fixture(scope="module")
def ansible_lab() -> Iterator[Lab]:
    """A lab of its own: what is provisioned here has another name afterwards."""
    with running_lab("test-shipped", "--vms", str(VMS)) as started:
        yield started


def shipped(
    bench: Bench,
    name: str,
    number: int,
    variables: dict[str, Any] | None = None,
    *,
    check: bool = False,
) -> Ran:
    """Carry out a playbook that ships, by the account that has to use sudo."""
    return bench.carry_out(
        catalog.find(name, []).path,
        bench.targets(number, user="deploy"),
        options=RunOptions(check=check),
        extra_variables=(variables or {},),
    )


def good(ran: Ran) -> HostResult:
    """The only result, which has to be good."""
    (result,) = ran.outcome.results
    assert result.status is HostStatus.SUCCESS, (result, ran.outcome.reason)
    return result


def failed(ran: Ran) -> HostResult:
    """The only result, which has to be a failure."""
    (result,) = ran.outcome.results
    assert result.status is HostStatus.FAILED, result
    return result


def said(ran: Ran) -> str:
    """All that Ansible printed."""
    return "\n".join(event.text for event in ran.finished)


def on(bench: Bench, number: int, script: str) -> str:
    """Run a script inside a host, as root; what it printed."""
    done = bench.lab.sh(f"web{number:02}", "sh", "-ec", script)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_all_have_a_description_and_their_variables_have_defaults() -> None:
    found = catalog.list_playbooks([])

    assert [playbook.name for playbook in found] == [
        *("basic_info", "install_apache", "provision_vm"),
        *("remove_old_kernels", "update", "verify_reboot"),
    ]
    for playbook in found:
        assert playbook.description
        assert playbook.description.endswith(".")
        for variable in playbook.variables:
            assert variable.default, (playbook.name, variable)
            assert variable.name in playbook.path.read_text().partition("\n---\n")[2]


def test_provision_vm_makes_it_a_server_of_its_own_once(bench: Bench) -> None:
    on(bench, 7, "echo 'options timeout:2' >/etc/resolv.conf")
    more = {"provision_packages": ["lab-extra"], "domain": "a setting of that name"}

    planned = shipped(bench, "provision_vm", 7, PROVISIONING, check=True)
    first = good(shipped(bench, "provision_vm", 7, PROVISIONING | more))
    second = good(shipped(bench, "provision_vm", 7, PROVISIONING | more))

    assert good(planned).counters.changed >= 4
    assert first.counters.changed == 7
    assert second.counters.changed == 0
    assert on(bench, 7, "cat /etc/hostname; uname -n; hostname -f; lab-tools; lab-extra") == (
        "shop01\nshop01\nshop01.example.com\nlab-tools 1.1\nlab-extra 1.0\n"
    )
    assert on(bench, 7, "cat /etc/hosts") == (
        "127.0.0.1\tlocalhost\n10.77.0.107\tshop01.example.com shop01\n"
    )
    assert on(bench, 7, "cat /etc/resolv.conf") == (
        "options timeout:2\nsearch example.com\nnameserver 10.77.0.53\nnameserver 10.77.0.54\n"
    )


def test_provision_vm_keeps_what_a_person_added_to_etc_hosts(bench: Bench) -> None:
    lines = "10.77.0.107 www shop01.example.com shop01 mail # ours\n10.77.0.1 other\n"
    on(bench, 7, f"printf '{lines}' >/etc/hosts")

    good(shipped(bench, "provision_vm", 7, PROVISIONING))

    assert on(bench, 7, "cat /etc/hosts") == lines


def test_provision_vm_without_variables_takes_the_inventorys_name(bench: Bench) -> None:
    good(shipped(bench, "provision_vm", 8))

    assert on(bench, 8, "cat /etc/hostname; grep web08 /etc/hosts") == (
        "web08\n10.77.0.108\tweb08\n"
    )
    assert good(shipped(bench, "provision_vm", 8)).counters.changed == 0


def test_provision_vm_leaves_name_servers_to_the_program_that_writes_them(bench: Bench) -> None:
    on(bench, 8, "echo '# Generated by NetworkManager' >/etc/resolv.conf")
    signed = shipped(bench, "provision_vm", 8, {"target_dns": ["10.77.0.53"]})
    on(bench, 8, "mv /etc/resolv.conf /run/stub; ln -s /run/stub /etc/resolv.conf")
    linked = shipped(bench, "provision_vm", 8, {"target_dns": ["10.77.0.53"]})

    for ran in (signed, linked):
        assert good(ran).counters.changed == 0
        assert "is written by a program: its name servers stay none" in said(ran)
    assert on(bench, 8, "readlink /etc/resolv.conf; cat /run/stub") == (
        "/run/stub\n# Generated by NetworkManager\n"
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"target_ip": "10.77.0.9"},
            "the address has to be 10.77.0.9; there are 127.0.0.1/8, 10.77.0.102/24",
        ),
        (
            {"target_prefix": 25},
            "the address has to be 10.77.0.102/25; there are 127.0.0.1/8, 10.77.0.102/24",
        ),
        ({"target_gateway": "10.77.0.9"}, "the gateway has to be 10.77.0.9, not 10.77.0.254"),
        (
            {"provision_packages": "vim"},
            'target_dns and provision_packages have to be lists, as in ["vim", "chrony"]',
        ),
    ],
)
def test_provision_vm_says_what_is_wrong_before_it_changes_anything(
    bench: Bench, wrong: dict[str, Any], message: str
) -> None:
    result = failed(shipped(bench, "provision_vm", 2, wrong))

    assert result.message == message
    assert result.counters.changed == 0


def test_update_takes_all_updates_once_and_says_whether_to_restart(bench: Bench) -> None:
    first, second = (
        shipped(bench, "update", 9),
        shipped(bench, "update", 9, {"update_reboot": "true"}),
    )

    assert good(first).counters.changed == 1
    assert good(second).counters.changed == 0
    assert on(bench, 9, "lab-tools") == "lab-tools 1.1\n"
    assert "needs no restart" in said(second)


def test_a_restart_that_is_needed_is_said_and_done_only_when_asked_for(bench: Bench) -> None:
    on(
        bench,
        9,
        """
        echo libc6 >/run/reboot-required.pkgs; touch /run/reboot-required
        kernel=$(uname -r)
        touch /boot/vmlinuz-$kernel /boot/vmlinuz-0.1${kernel#*.*.*[0-9]} /boot/vmlinuz-999.0-other
        """,
    )
    reasons = said(shipped(bench, "verify_reboot", 9))
    not_asked = good(shipped(bench, "update", 9))
    asked = shipped(bench, "update", 9, {"update_reboot": "yes"}, check=True)
    on(bench, 9, "rm /run/reboot-required*")

    assert "needs a restart: the system asks for it (libc6)" in reasons
    assert "is installed" not in reasons, "a kernel of another flavour is no reason"
    assert not_asked.counters.changed == 0
    assert good(asked).counters.changed == 1  # the restart, which check mode only announces
    assert "needs no restart" in said(shipped(bench, "verify_reboot", 9))


def test_a_newer_kernel_of_the_same_flavour_is_a_reason(bench: Bench) -> None:
    running, newer = on(
        bench,
        10,
        """
        kernel=$(uname -r); newer=999.${kernel#*.}
        touch /boot/vmlinuz-$kernel /boot/vmlinuz-$newer; echo $kernel $newer
        """,
    ).split()

    ran = shipped(bench, "verify_reboot", 10)

    assert good(ran).counters.changed == 0
    assert f"needs a restart: kernel {newer} is installed, {running} runs" in said(ran)


def test_remove_old_kernels_keeps_the_newest_and_the_running_one(bench: Bench) -> None:
    on(bench, 10, PACKAGES + KERNELS)
    kernels = "dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' 'linux-[ih]*-[0-9]*' | grep ^ii"

    planned = good(shipped(bench, "remove_old_kernels", 10, check=True))
    first = good(shipped(bench, "remove_old_kernels", 10))
    second = good(shipped(bench, "remove_old_kernels", 10))
    left = set(on(bench, 10, kernels).split())

    assert planned.counters.changed == 1
    assert first.counters.changed == 1
    assert second.counters.changed == 0
    running = on(bench, 10, "uname -r").strip()
    newest = {"linux-image-99.1.0-9-amd64", "linux-image-99.1.0-12-amd64"}
    assert left - {"ii"} == {f"linux-image-{running}", *newest}


def test_remove_old_kernels_removes_none_that_something_needs(bench: Bench) -> None:
    on(bench, 10, PACKAGES + KERNELS + "make linux-image-5.10.0-3-amd64")
    on(bench, 10, PACKAGES + "make backup-agent linux-image-5.10.0-3-amd64")

    result = failed(shipped(bench, "remove_old_kernels", 10))
    on(bench, 10, "dpkg --purge backup-agent linux-image-5.10.0-3-amd64")

    assert result.message == "these need an old kernel, so none is removed: backup-agent"


@pytest.mark.parametrize("number", ["0", "-1", "two"])
def test_remove_old_kernels_wants_a_number(bench: Bench, number: str) -> None:
    result = failed(shipped(bench, "remove_old_kernels", 2, {"kernels_to_keep": number}))

    assert result.message == f"kernels_to_keep has to be a number from 1 on, not {number}"


def test_remove_old_kernels_leaves_a_host_whose_kernel_is_no_package(bench: Bench) -> None:
    on(bench, 6, PACKAGES + "for n in 1 2 3; do make linux-image-5.10.0-$n-amd64; done")

    assert good(shipped(bench, "remove_old_kernels", 6)).counters.changed == 0


def test_install_apache_installs_starts_and_looks_whether_it_answers(bench: Bench) -> None:
    on(bench, 6, "rm -f /sbin/init")  # by this link Ansible takes the host for one with systemd
    on(bench, 6, APACHE)

    first = good(shipped(bench, "install_apache", 6))
    second = good(shipped(bench, "install_apache", 6))

    assert first.counters.changed == 2
    assert second.counters.changed == 0
    assert "200" in on(
        bench,
        6,
        "python3 -c 'import urllib.request as u; print(u.urlopen(\"http://localhost\").status)'",
    )
    assert "apache2" in on(bench, 6, "ls /etc/rc2.d")


def test_basic_info_says_what_the_host_is_and_needs_no_privileges(bench: Bench) -> None:
    before = good(shipped(bench, "basic_info", 1))
    ran = shipped(bench, "basic_info", 1)

    assert before.counters == good(ran).counters
    assert before.counters.changed == 0
    for what in ('"10.77.0.101"', '"gateway": "10.77.0.254"', '"system": "', '"memory": "'):
        assert what in said(ran)
