"""Names for completion, from the database and the playbook folders, by the standard library."""

import os

from diaken_cli.completion.query import Query

MOST = 1000
IN_PLACE = """
    (:environment IS NULL OR environment.name = :environment)
    AND (:group IS NULL OR :group IN (
        SELECT each.name FROM host_group_member JOIN host_group AS each ON each.id = group_id
        WHERE host_id = host.id
    ))
"""
HOSTS = """
    SELECT host.name, environment.name || coalesce('/' || host_group.name, '') || ' ' || host.ip
    FROM host JOIN environment ON environment.id = host.environment_id
    LEFT JOIN host_group_member ON host_id = host.id AND position = 0
    LEFT JOIN host_group ON host_group.id = group_id
"""
RUNS = """
    SELECT id, coalesce(playbook, kind) || ' on ' || target || ', ' || status || ', '
        || substr(started_at, 1, 16)
    FROM run
"""
TASKS = """
    SELECT name, playbook || ' on ' || target || coalesce(', ' || substr(due_at, 1, 16), '')
    FROM scheduled_task
"""
LAST = "ORDER BY id DESC"

QUERIES = {
    "host": f"{HOSTS} WHERE {IN_PLACE} ORDER BY host.name",
    "active_host": f"{HOSTS} WHERE host.active AND {IN_PLACE} ORDER BY host.name",
    "any_host": f"{HOSTS} ORDER BY host.name",
    "group": """
        SELECT host_group.name, group_concat(environment.name, ', ')
        FROM host_group JOIN environment ON environment.id = host_group.environment_id
        WHERE :environment IS NULL OR environment.name = :environment
        GROUP BY host_group.name ORDER BY host_group.name
    """,
    "environment": "SELECT name, '' FROM environment ORDER BY name",
    "vcenter": "SELECT name, server FROM vcenter ORDER BY name",
    "setting": "SELECT key, value FROM setting ORDER BY key",
    "task": f"{TASKS} GROUP BY name ORDER BY max(id) DESC",
    "open_task": f"{TASKS} WHERE status IN ('pending', 'running') ORDER BY name",
    "run": f"{RUNS} {LAST}",
    "running_run": f"{RUNS} WHERE status = 'running' {LAST}",
    "failed_run": f"""
        {RUNS} WHERE kind = 'playbook' AND status IN ('partial', 'failed', 'canceled',
        'interrupted') {LAST}
    """,
    "open_deploy": f"""
        {RUNS} WHERE kind = 'deploy' AND status IN ('failed', 'canceled', 'interrupted', 'paused')
        {LAST}
    """,
}


def names(query: Query) -> list[tuple[str, str]]:
    """The names of that kind, with what they are; none where they can't be had at once."""
    kind = query.kind or ""
    candidates = _playbooks(query) if kind == "playbook" else _stored(QUERIES.get(kind), query)
    found = {name for name, _ in candidates}
    return candidates + [(name, "") for name in query.defaults.get(kind, ()) if name not in found]


def _stored(sql: str | None, query: Query) -> list[tuple[str, str]]:
    import sqlite3

    from diaken_cli import tick

    if sql is None:
        return []
    values = {"environment": query.values.get("environment"), "group": query.values.get("group")}
    try:
        path = tick.database_path(query.config, os.environ)
        quoted = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
        connection = sqlite3.connect(f"file:{quoted}?mode=ro", uri=True, timeout=0)
        try:
            rows = connection.execute(f"{sql} LIMIT {MOST}", values).fetchall()
        finally:
            connection.close()
    except (OSError, sqlite3.Error, tick.HandOver):
        return []
    return [(str(name), "" if meaning is None else str(meaning)) for name, meaning in rows]


def _playbooks(query: Query) -> list[tuple[str, str]]:
    from pathlib import Path

    from diaken_cli.config import load
    from diaken_cli.errors import ConfigurationError
    from diaken_cli.services.ansible.catalog import list_playbooks

    try:
        config = load(Path(query.config) if query.config else None, os.environ)
        playbooks = list_playbooks(config.playbooks.paths)
    except (OSError, ConfigurationError):
        return []
    return [(playbook.name, playbook.description or "") for playbook in playbooks]
