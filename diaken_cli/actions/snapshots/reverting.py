"""Taking VMs back to a snapshot: what is lost, the way there, and whether they came back."""

from collections.abc import Callable, Sequence

from diaken_cli.actions.outside import Outside
from diaken_cli.actions.playbook import ssh_settings
from diaken_cli.actions.snapshots.choosing import Chosen
from diaken_cli.errors import Conflict, DiakenError
from diaken_cli.events import Emit, StepProgressed, Warned
from diaken_cli.services.ansible import known_hosts
from diaken_cli.services.vsphere import guest, power, snapshots, tasks
from diaken_cli.services.vsphere.session import Session

TIMEOUT = 1800.0  # seconds for all reverts, and for all power-ons
ADDRESS_TIMEOUT = 300.0  # seconds for a VM to report its address again
Result = tuple[Chosen, str | None]


def question(chosen: Sequence[Chosen]) -> str:
    """What a person has to know before saying yes."""
    names = [each.host.name for each in chosen]
    which = ", ".join(names) if len(names) < 6 else f"{len(names)} hosts"
    ages = sorted((each.clock - each.snapshot.created_at).total_seconds() / 3600 for each in chosen)
    old = " to ".join(dict.fromkeys(f"{age:.1f}" for age in (ages[0], ages[-1])))
    running = sum(each.machine.vm.power_state == "on" for each in chosen)
    hard = "will be powered off hard, reverted and started."
    stopped = f" {running} of the VMs are running: they {hard}" if running else ""
    if len(chosen) == 1 and running:
        stopped = f" The VM is running: it {hard}"
    newer = sum(len(each.newer) for each in chosen)
    kept = f" Newer snapshots ({newer}) stay." if newer else ""
    return (
        f"Take {which} back to {chosen[0].snapshot.name!r}, which is {old} h old?"
        " Everything that was written or set there since then is lost,"
        f" unless a newer snapshot has it.{stopped}{kept}"
    )


def refuse_strangers(chosen: Sequence[Chosen]) -> None:
    """Raise Conflict where a VM reports another address than its host has.

    Then the stored UUID and the inventory disagree on which machine this is.
    """
    for each in chosen:
        reported = each.machine.vm.addresses
        if reported and each.host.ip not in reported:
            raise Conflict(
                f"the VM of {each.host.name} reports {', '.join(reported)}, not {each.host.ip}:"
                " which machine is meant?",
                code="address_mismatch",
                hint=f"Correct it with: diaken hosts set {each.host.name} --ip … or --vm-uuid …",
            )


def revert_all(
    session: Session,
    chosen: Sequence[Chosen],
    outside: Outside,
    emit: Emit,
    should_stop: Callable[[], bool],
) -> list[Result]:
    """Revert the VMs of one vCenter, all at the same time; the reason for each that failed.

    What was powered on is powered on again, its SSH key is forgotten (the old one came back with
    the disk, or another one), and its address is waited for.
    """
    results: dict[str, str | None] = {}
    tasks_of = _begin(chosen, results, lambda each: _revert(session, each))
    _wait(session, tasks_of, results, emit, should_stop)
    reverted = [each for each in chosen if results[each.host.name] is None]
    for each in reverted:
        _forget_key(each, outside)
    to_power_on = [each for each in reverted if each.machine.vm.power_state == "on"]
    tasks_of = _begin(to_power_on, results, lambda each: _power_on(session, each))
    _wait(session, tasks_of, results, emit, should_stop)
    for each in to_power_on:
        if results[each.host.name] is None:
            _read_address(session, each, emit, should_stop)
    return [(each, results[each.host.name]) for each in chosen]


def _begin(
    chosen: Sequence[Chosen],
    results: dict[str, str | None],
    begin: Callable[[Chosen], str | None],
) -> dict[str, Chosen]:
    tasks_of = {}
    for each in chosen:
        results[each.host.name] = None
        try:
            task = begin(each)
        except DiakenError as error:
            results[each.host.name] = error.message
        else:
            if task is not None:
                tasks_of[task] = each
    return tasks_of


def _revert(session: Session, each: Chosen) -> str:
    """Off stays off, also where the snapshot has memory and the VM could go on with it."""
    was_on = each.machine.vm.power_state == "on"
    return snapshots.revert(session, each.snapshot.id, stay_off=not was_on)


def _power_on(session: Session, each: Chosen) -> str | None:
    """Nothing where the snapshot has memory, and the VM goes on with it."""
    state = power.state(session, each.machine.vm.ref)
    return None if state == "on" else power.power_on(session, each.machine.vm.ref)


def _wait(
    session: Session,
    tasks_of: dict[str, Chosen],
    results: dict[str, str | None],
    emit: Emit,
    should_stop: Callable[[], bool],
) -> None:
    def progress(state: tasks.TaskState) -> None:
        emit(StepProgressed(step="revert", percent=state.percent))

    try:
        states = tasks.wait(
            session, tasks_of, timeout=TIMEOUT, on_progress=progress, should_stop=should_stop
        )
    except DiakenError as error:
        results |= {each.host.name: error.message for each in tasks_of.values()}
        return
    for task, state in states.items():
        if state.error is not None:
            results[tasks_of[task].host.name] = state.error.message
        elif not state.ended:
            results[tasks_of[task].host.name] = f"not waited for to its end: task {task} in vCenter"


def _forget_key(each: Chosen, outside: Outside) -> None:
    ssh = outside.config.ssh
    path = ssh_settings(outside.store, ssh).known_hosts
    known_hosts.forget(path, each.host.name, each.host.ip, port=each.host.port or ssh.port)


def _read_address(
    session: Session, each: Chosen, emit: Emit, should_stop: Callable[[], bool]
) -> None:
    reported = guest.wait_for_address(
        session,
        each.machine.vm.ref,
        each.host.ip,
        timeout=ADDRESS_TIMEOUT,
        should_stop=should_stop,
    )
    if each.host.ip not in reported:
        said = ", ".join(reported) or "none"
        message = f"it reports {said} after the revert, not {each.host.ip}"
        emit(Warned(message=message, host=each.host.name))
