"""The options of a playbook run, which several commands share."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from diaken_cli.actions.run.options import TypedOptions

SNAPSHOT = "Snapshot before the run"
ANSIBLE = "As with ansible-playbook"
SECRETS = "Becoming root, and vaults"


@dataclass(frozen=True)
class PlaybookOptions:
    """The options of every playbook run, as typed."""

    snapshot: Annotated[
        bool | None,
        typer.Option(
            "--snapshot/--no-snapshot",
            rich_help_panel=SNAPSHOT,
            help="Take a snapshot of each host's VM first, all at the same time. Where one can't be"
            " taken, the run goes on without it, unless --require-snapshot is there.",
        ),
    ] = None
    require_snapshot: Annotated[
        bool | None,
        typer.Option(
            "--require-snapshot/--no-require-snapshot",
            rich_help_panel=SNAPSHOT,
            help="The same, and do not begin where one can't be taken.",
        ),
    ] = None
    check: Annotated[
        bool | None,
        typer.Option(
            "--check/--no-check", rich_help_panel=ANSIBLE, help="Predict, change nothing."
        ),
    ] = None
    diff: Annotated[
        bool | None,
        typer.Option("--diff/--no-diff", rich_help_panel=ANSIBLE, help="Show changes in files."),
    ] = None
    tags: Annotated[
        list[str] | None,
        typer.Option("--tags", metavar="TAGS", rich_help_panel=ANSIBLE, help="Only these tasks."),
    ] = None
    skip_tags: Annotated[
        list[str] | None,
        typer.Option("--skip-tags", metavar="TAGS", rich_help_panel=ANSIBLE),
    ] = None
    limit: Annotated[
        str | None,
        typer.Option(
            "--limit",
            metavar="PATTERN",
            rich_help_panel=ANSIBLE,
            help="Only hosts of the target that it matches: 'web0*:!web03'.",
        ),
    ] = None
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            "--exclude", metavar="HOST", rich_help_panel=ANSIBLE, help="Can be given again."
        ),
    ] = None
    extra_vars: Annotated[
        list[str] | None,
        typer.Option(
            "--extra-var",
            "-e",
            metavar="K=V|@FILE",
            rich_help_panel=ANSIBLE,
            help="K=V is stored in the history as given; of @FILE only the path, and it is read"
            " when the run begins: that is the way for secrets. Can be given again.",
        ),
    ] = None
    forks: Annotated[
        str | None,
        typer.Option(
            "--forks", metavar="N", rich_help_panel=ANSIBLE, help="Hosts at the same time."
        ),
    ] = None
    timeout: Annotated[
        str | None,
        typer.Option(
            "--timeout",
            metavar="DURATION",
            rich_help_panel=ANSIBLE,
            help="Stop the playbook after this time: 30m, 2h.",
        ),
    ] = None
    become: Annotated[
        bool | None, typer.Option("--become/--no-become", rich_help_panel=SECRETS)
    ] = None
    become_password_command: Annotated[
        str | None,
        typer.Option(
            "--become-password-command",
            metavar="COMMAND",
            rich_help_panel=SECRETS,
            help="A command that prints the password; no shell.",
        ),
    ] = None
    vault_password_file: Annotated[
        str | None,
        typer.Option("--vault-password-file", metavar="FILE", rich_help_panel=SECRETS),
    ] = None
    vault_ids: Annotated[
        list[str] | None,
        typer.Option(
            "--vault-id",
            metavar="LABEL@FILE",
            rich_help_panel=SECRETS,
            help="The file that opens the vaults of that label, or a program that prints their"
            " password. Can be given again.",
        ),
    ] = None

    @property
    def snapshot_is_decided(self) -> bool:
        """Whether the options decide about a snapshot; a check changes nothing and needs none."""
        return self.snapshot is not None or bool(self.require_snapshot or self.check)

    def typed(self) -> "TypedOptions":
        """The same for the flow."""
        from diaken_cli.actions.run.options import TypedOptions

        return TypedOptions(**vars(self))
