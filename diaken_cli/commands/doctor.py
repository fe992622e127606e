"""`diaken doctor`: whether all is there that diaken needs, and what to do where it is not."""

import os

import typer

from diaken_cli.commands.call import Call
from diaken_cli.commands.define import command, group

app = group("doctor")


@command(app)
def doctor(call: Call) -> None:
    """Check everything that diaken needs, and say how to fix what is wrong.

    Checks the config file, the database, playbooks, SSH keys, Ansible, each vCenter, cron and the
    hosts file. Nothing is changed. Exit status: 1 if there is a problem, else 0 (warnings too).

    Example: diaken doctor

    Example: diaken doctor --json | jq '.[] | select(.status == "problem")'
    """
    from diaken_cli.actions.doctor import Health
    from diaken_cli.actions.doctor.examination import examine
    from diaken_cli.caller import now
    from diaken_cli.render.doctor import finding_as_json, print_findings, summarize
    from diaken_cli.render.output import Format

    findings = examine(call.options.config, os.environ, now())
    if call.output.format is Format.TEXT:
        print_findings(findings, call.output.out)
        call.output.info(summarize(findings))
    else:
        call.output.print_rows([finding_as_json(finding) for finding in findings], {}, nothing="")
    if any(finding.status is Health.PROBLEM for finding in findings):
        raise typer.Exit(1)
