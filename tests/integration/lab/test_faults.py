"""What is ordered to go wrong in the lab goes wrong as lab/README.md says, and no longer."""

import http.client
import threading
import time
import urllib.error
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from pyVim.connect import SmartConnect
from pyVmomi import vim, vmodl

from tests.integration.lab.machines import TaskFailed, destroy, find, finish, start_clone
from tests.lab_fixture import Lab
from tests.waiting import PATIENCE, until


@pytest.fixture
def service(lab: Lab) -> Iterator[Any]:
    with lab.connect() as service:
        yield service
        lab.sim("clear")


@pytest.fixture
def vm(service: Any) -> Iterator[Any]:
    """A VM that is off."""
    vm = finish(start_clone(service, "faulty"))
    yield vm
    destroy(vm)


def names(service: Any) -> list[str]:
    content = service.RetrieveContent()
    return sorted(entity.name for entity in content.rootFolder.childEntity[0].vmFolder.childEntity)


def tell(task: Any, told: list[int]) -> int:
    """Add a task's progress, in percent, where it is news; returns how often it was."""
    progress = task.info.progress
    if progress is not None and progress not in told:
        told.append(progress)
    return len(told)


def test_calls_are_counted_from_one_question_to_the_next(lab: Lab, service: Any) -> None:
    lab.sim("calls")
    service.CurrentTime()
    service.CurrentTime()
    assert lab.sim("calls")["calls"] == {"CurrentTime": 2}
    assert lab.sim("calls")["calls"] == {}


def test_delay_holds_each_call_up_until_cleared(lab: Lab, service: Any) -> None:
    def seconds() -> float:
        before = time.monotonic()
        service.CurrentTime()
        return time.monotonic() - before

    lab.sim("delay", method="CurrentTime", ms=1500)
    assert seconds() >= 1.5
    assert seconds() >= 1.5
    lab.sim("clear")
    assert seconds() < 1.5


def test_a_shorter_delay_lets_go_of_a_call_that_waits(lab: Lab, service: Any) -> None:
    lab.sim("delay", method="CurrentTime", ms=60_000)
    lab.sim("calls")
    caller = threading.Thread(target=service.CurrentTime)
    caller.start()
    while not lab.sim("calls")["calls"].get("CurrentTime"):
        assert caller.is_alive()
    lab.sim("delay", method="CurrentTime", ms=0)
    caller.join(PATIENCE)
    assert not caller.is_alive()


def test_an_order_for_all_methods_spares_those_that_have_their_own(lab: Lab, service: Any) -> None:
    lab.sim("soapfault", method="*", fault="NoPermission", count=1)
    lab.sim("delay", method="CurrentTime", ms=1)
    service.CurrentTime()
    with pytest.raises(vim.fault.NoPermission):
        service.RetrieveContent()
    service.RetrieveContent()


def test_a_task_with_a_delay_tells_of_its_progress_and_can_be_canceled(
    lab: Lab, service: Any
) -> None:
    before = names(service)
    lab.sim("taskdelay", method="CloneVM_Task", ms=1500)
    task = start_clone(service, "slow")
    assert task.info.state == "running"
    told: list[int] = []
    until(lambda: tell(task, told) >= 3, "progress is told")
    assert told == sorted(told)
    assert task.info.cancelable
    task.CancelTask()
    with pytest.raises(TaskFailed) as ended:
        finish(task)
    assert isinstance(ended.value.fault, vmodl.fault.RequestCanceled)
    assert task.info.cancelled
    assert names(service) == before
    lab.sim("taskdelay", method="CloneVM_Task", ms=100)
    destroy(finish(start_clone(service, "slow")))


def test_an_endless_task_ends_only_by_cancel_and_did_nothing(lab: Lab, vm: Any) -> None:
    lab.sim("endless", method="PowerOnVM_Task")
    task = vm.PowerOnVM_Task()
    time.sleep(0.5)
    assert task.info.state == "running"
    task.CancelTask()
    with pytest.raises(TaskFailed) as ended:
        finish(task)
    assert isinstance(ended.value.fault, vmodl.fault.RequestCanceled)
    assert vm.runtime.powerState == "poweredOff"
    finish(vm.PowerOnVM_Task())  # one was ordered


def test_a_deaf_task_is_canceled_and_ends_well(lab: Lab, vm: Any) -> None:
    lab.sim("taskdelay", method="PowerOnVM_Task", ms=500)
    lab.sim("deaf", method="PowerOnVM_Task")
    task = vm.PowerOnVM_Task()
    task.CancelTask()
    assert task.info.cancelled
    finish(task)
    assert vm.runtime.powerState == "poweredOn"


def test_a_task_fault_is_the_end_of_so_many_tasks(lab: Lab, service: Any, vm: Any) -> None:
    lab.sim("taskfault", method="CloneVM_Task", fault="NoDiskSpace")
    lab.sim("taskfault", method="PowerOnVM_Task", fault="InsufficientResourcesFault", count=2)
    for begin, fault in (
        (lambda: start_clone(service, "none"), vim.fault.NoDiskSpace),
        (vm.PowerOnVM_Task, vim.fault.InsufficientResourcesFault),
        (vm.PowerOnVM_Task, vim.fault.InsufficientResourcesFault),
    ):
        with pytest.raises(TaskFailed) as ended:
            finish(begin())
        assert isinstance(ended.value.fault, fault)
    assert "none" not in names(service)
    finish(vm.PowerOnVM_Task())


def test_a_soap_fault_refuses_so_many_calls(lab: Lab, service: Any) -> None:
    lab.sim("soapfault", method="Login", fault="InvalidLogin")
    with pytest.raises(vim.fault.InvalidLogin), lab.connect():
        pass
    with lab.connect() as other:
        assert other.CurrentTime()
    lab.sim("soapfault", method="CurrentTime", fault="NoPermission", count=2)
    for _ in range(2):
        with pytest.raises(vim.fault.NoPermission):
            service.CurrentTime()
    assert service.CurrentTime()


@pytest.mark.parametrize("status", [None, 502])
def test_an_http_status_is_the_answer_to_so_many_calls(
    lab: Lab, service: Any, status: int | None
) -> None:
    asked = {} if status is None else {"status": status}
    lab.sim("http", method="CurrentTime", **asked)
    with pytest.raises(http.client.HTTPException, match=str(status or 503)):
        service.CurrentTime()
    assert service.CurrentTime()


def test_a_reset_connection_did_nothing_before_and_everything_after(lab: Lab, service: Any) -> None:
    lab.sim("reset", method="CloneVM_Task")
    with pytest.raises(ConnectionResetError):
        start_clone(service, "lost")
    assert "lost" not in names(service)
    lab.sim("reset", method="CloneVM_Task", when="after")
    with pytest.raises(ConnectionResetError):
        start_clone(service, "lost")
    until(lambda: "lost" in names(service), "the clone whose answer was lost is there")
    destroy(find(service, vim.VirtualMachine, "lost"))


def test_expire_ends_all_sessions(lab: Lab) -> None:
    with lab.inside():
        host, port = lab.server.split(":")
        service = SmartConnect(
            host=host,
            port=int(port),
            user=lab.username,
            pwd=lab.password,
            disableSslCertValidation=True,
        )
        service.content.rootFolder.name  # noqa: B018  a property is a call
        assert lab.sim("expire")["expired"] >= 1
        with pytest.raises(vim.fault.NotAuthenticated):
            service.content.rootFolder.name  # noqa: B018
        service.content.sessionManager.Login(lab.username, lab.password)
        assert service.content.rootFolder.name == "Datacenters"


def test_backdated_snapshots_are_older_and_others_are_not(lab: Lab, service: Any, vm: Any) -> None:
    for name in ("Before executing a", "by hand", "Before executing b"):
        finish(vm.CreateSnapshot_Task(name=name, description="", memory=False, quiesce=False))
    changed = lab.sim("backdate", vm="faulty", prefix="Before executing", by="36h")
    assert changed == {"changed": 2}
    ages = []
    trees = vm.snapshot.rootSnapshotList
    while trees:
        ages.append((service.CurrentTime() - trees[0].createTime) // timedelta(hours=1))
        trees = trees[0].childSnapshotList
    assert ages == [36, 0, 36]


def test_the_tools_report_what_they_are_told_to(lab: Lab, vm: Any) -> None:
    finish(vm.PowerOnVM_Task())
    lab.sim("guest", vm="faulty", ip="10.77.0.99")
    assert (vm.guest.ipAddress, vm.guest.toolsRunningStatus) == ("10.77.0.99", "guestToolsRunning")
    lab.sim("guest", vm="faulty", ip="")
    assert (vm.guest.ipAddress or "", vm.guest.toolsRunningStatus) == ("", "guestToolsNotRunning")


@pytest.mark.parametrize(
    ("request_", "parameters", "said"),
    [
        ("nonsense", {}, "taskfault"),
        ("delay", {"ms": 1}, "method="),
        ("delay", {"method": "Login", "ms": "soon"}, "soon"),
        ("taskfault", {"method": "Login", "fault": "Gremlins"}, "Gremlins"),
        ("soapfault", {"method": "Login", "fault": "VirtualDisk"}, "is not a fault"),
        ("http", {"method": "Login", "status": 200}, "400 to 599"),
        ("reset", {"method": "Login", "when": "never"}, "none of before, after and ahead"),
        ("guest", {"vm": "web77", "ip": ""}, "web77"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_with_what_is_wrong(
    lab: Lab, request_: str, parameters: dict[str, Any], said: str
) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        lab.sim(request_, **parameters)
    with refused.value as answer:
        assert answer.code in (400, 404)
        assert said in answer.read().decode()
