"""Pure: what each step did on each host, folded into results of hosts and the status of a run."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from diaken_cli.errors import Canceled, DiakenError, PartlyFailed
from diaken_cli.types import HostCounters, HostResult, HostStatus, RunStatus

WORST_FIRST = (
    HostStatus.FAILED,
    HostStatus.UNREACHABLE,
    HostStatus.ABORTED,
    HostStatus.SUCCESS,
    HostStatus.SKIPPED,
)


def fold(results: Iterable[HostResult]) -> list[HostResult]:
    """One result a host, in the order in which the hosts came: the worst, all counters added."""
    folded: dict[str, HostResult] = {}
    for result in results:
        known = folded.get(result.host)
        folded[result.host] = result if known is None else _together(known, result)
    return list(folded.values())


def status_of_hosts(results: Sequence[HostResult], return_code: int) -> RunStatus:
    """What the results on the hosts, and Ansible's return code, come to by the contract."""
    good = [result for result in results if result.status is HostStatus.SUCCESS]
    if len(good) == len(results):
        return RunStatus.SUCCESS if return_code == 0 else RunStatus.FAILED
    return RunStatus.PARTIAL if good else RunStatus.FAILED


def status_of_error(error: DiakenError, *, left_as_it_is: bool) -> RunStatus:
    """The status of a run that an error ended. `left_as_it_is`: it was forced not even to undo."""
    match error:
        case Canceled() if left_as_it_is:
            return RunStatus.INTERRUPTED
        case Canceled():
            return RunStatus.CANCELED
        case PartlyFailed():
            return RunStatus.PARTIAL
        case _:
            return RunStatus.FAILED


def _together(first: HostResult, second: HostResult) -> HostResult:
    first_counters, second_counters = first.counters, second.counters
    worst = min(first, second, key=lambda result: WORST_FIRST.index(result.status))
    return replace(
        worst,
        counters=HostCounters(
            ok=first_counters.ok + second_counters.ok,
            changed=first_counters.changed + second_counters.changed,
            failed=first_counters.failed + second_counters.failed,
            unreachable=first_counters.unreachable + second_counters.unreachable,
            skipped=first_counters.skipped + second_counters.skipped,
            ignored=first_counters.ignored + second_counters.ignored,
        ),
    )
