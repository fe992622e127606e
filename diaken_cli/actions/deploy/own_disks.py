"""The disks of a deploy's VM: which ones the clone made, and the first one made larger."""

from diaken_cli.actions.deploy import ownership
from diaken_cli.actions.deploy.deploy import Deploy
from diaken_cli.actions.deploy.own_vm import call_with_retry, wait_for_task, wait_for_tasks_on_vm
from diaken_cli.errors import OperationFailed, VSphereError
from diaken_cli.services.vsphere import tasks
from diaken_cli.services.vsphere.disks import Disk, enlarge_first_disk, read_disks
from diaken_cli.types import DeployStep


def find_disks_made(deploy: Deploy, vm: str, *, just_now: bool) -> dict[str, str | None]:
    """The files of the disks that the clone made, as far as that can be told from what is there.

    `just_now`: nobody can have attached another one yet.
    """
    disks = read_disks(deploy.vcenter, vm)
    return ownership.disks_made(disks, _template_disks(deploy), just_now=just_now)


def refuse_foreign_disks(deploy: Deploy, vm: str) -> None:
    """Raise OperationFailed where the VM has disks that the clone did not make.

    Destroy_Task would remove their files, too, whoever they belong to.
    """
    made = deploy.known(DeployStep.CLONE).get("disk_files")
    disks, template = read_disks(deploy.vcenter, vm), _template_disks(deploy)
    if made is None:  # it died before it could look
        made = ownership.disks_made(disks, template, just_now=False)
    foreign = ownership.foreign_disks(disks, made, template)
    if foreign:
        raise OperationFailed(
            f"the VM {deploy.request.name} has disks that this run did not create:"
            f" {', '.join(foreign)}",
            code="foreign_disk",
            hint="Detach them in vCenter, keeping their files."
            f" Then: diaken deploy abort {deploy.run.id}",
        )


def _template_disks(deploy: Deploy) -> tuple[Disk, ...]:
    """The template's own disks; none where it is gone."""
    template = deploy.known(DeployStep.VALIDATE)["placement"]["template"]
    try:
        return read_disks(deploy.vcenter, template)
    except VSphereError as fault:
        if fault.code != "gone":
            raise
        return ()


def enlarge_disk(deploy: Deploy) -> None:
    """Make the VM's own first disk as large as was requested, where it is not yet."""
    size, vm = deploy.request.disk or 0, deploy.known(DeployStep.CLONE)["vm"]

    def is_large_enough() -> bool:
        # vSphere counts in KiB.
        return any(disk.size >= size // 1024 * 1024 for disk in read_disks(deploy.vcenter, vm)[:1])

    def do() -> bool:
        task = enlarge_first_disk(deploy.vcenter, vm, size)
        deploy.note(DeployStep.CLONE, disk_task=task)
        timeout = deploy.request.clone_timeout
        wait_for_task(deploy, task, timeout, "enlarging the disk", "--clone-timeout")
        if not is_large_enough():
            raise OperationFailed("vCenter reports that the disk was enlarged, but it was not")
        return True

    def look() -> bool:
        wait_for_tasks_on_vm(deploy, vm)
        return is_large_enough()

    if size and not is_large_enough():
        refuse_foreign_disks(deploy, vm)
        call_with_retry(deploy, do, look)


def cancel_enlarging(deploy: Deploy) -> None:
    """Cancel an enlargement that an earlier process began: what it works on goes anyway."""
    task = deploy.known(DeployStep.CLONE).get("disk_task")
    if task is not None and not tasks.wait(deploy.vcenter, [task], timeout=0)[task].ended:
        tasks.cancel(deploy.vcenter, task)
