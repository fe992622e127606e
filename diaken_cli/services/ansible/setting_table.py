"""The settings of Ansible, and who decides each: the repository that a playbook is of, or diaken.

As `ansible-config list` has them, of ansible-core 2.16 to 2.21; what has no key in an ansible.cfg
is not here. A name with colons is an option of a plugin: type, plugin, option.
docs/reference/ansible-settings.md is made from this.
"""

from dataclasses import dataclass
from enum import StrEnum


class Owner(StrEnum):
    """Whose word counts."""

    REPOSITORY = "the repository's ansible.cfg"
    DIAKEN = "diaken"
    NOBODY = "nobody: it has no effect on a playbook"


@dataclass(frozen=True)
class Setting:
    """A setting: its keys in an ansible.cfg as `section.key`, and how paths in it are told."""

    name: str
    keys: tuple[str, ...]
    paths: str | None  # "path", or a list of them: "pathspec" with colons, "pathlist" with commas


@dataclass(frozen=True)
class Topic:
    """Settings that one decides for the same reason."""

    owner: Owner
    title: str
    reason: str
    settings: tuple[Setting, ...]


def _settings(lines: str) -> tuple[Setting, ...]:
    """Each line: name, keys with commas, the type where it holds paths."""
    rows = [line.split() for line in lines.splitlines() if line.strip()]
    return tuple(
        Setting(name, tuple(keys.split(",")), paths[0] if paths else None)
        for name, keys, *paths in rows
    )


TOPICS: tuple[Topic, ...] = (
    Topic(
        Owner.REPOSITORY,
        "Roles, collections, plugins",
        "Where the repository has its code; without a key of its own Ansible looks in "
        "`~/.ansible` and `/usr/share/ansible`, as ever.",
        _settings("""
            DEFAULT_ROLES_PATH defaults.roles_path pathspec
            COLLECTIONS_ON_ANSIBLE_VERSION_MISMATCH defaults.collections_on_ansible_version_mismatch
            COLLECTIONS_PATHS defaults.collections_path,defaults.collections_paths pathspec
            COLLECTIONS_SCAN_SYS_PATH defaults.collections_scan_sys_path
            DEFAULT_ACTION_PLUGIN_PATH defaults.action_plugins pathspec
            DEFAULT_CACHE_PLUGIN_PATH defaults.cache_plugins pathspec
            DEFAULT_CLICONF_PLUGIN_PATH defaults.cliconf_plugins pathspec
            DEFAULT_CONNECTION_PLUGIN_PATH defaults.connection_plugins pathspec
            DEFAULT_FILTER_PLUGIN_PATH defaults.filter_plugins pathspec
            DEFAULT_HTTPAPI_PLUGIN_PATH defaults.httpapi_plugins pathspec
            DEFAULT_LOOKUP_PLUGIN_PATH defaults.lookup_plugins pathspec
            DEFAULT_MODULE_PATH defaults.library pathspec
            DEFAULT_MODULE_UTILS_PATH defaults.module_utils pathspec
            DEFAULT_NETCONF_PLUGIN_PATH defaults.netconf_plugins pathspec
            DEFAULT_STRATEGY_PLUGIN_PATH defaults.strategy_plugins pathspec
            DEFAULT_TERMINAL_PLUGIN_PATH defaults.terminal_plugins pathspec
            DEFAULT_TEST_PLUGIN_PATH defaults.test_plugins pathspec
            DEFAULT_VARS_PLUGIN_PATH defaults.vars_plugins pathspec
            BECOME_PLUGIN_PATH defaults.become_plugins pathspec
            DOC_FRAGMENT_PLUGIN_PATH defaults.doc_fragment_plugins pathspec
            PLUGIN_FILTERS_CFG defaults.plugin_filters_cfg path
            MODULE_IGNORE_EXTS defaults.module_ignore_exts
            OLD_PLUGIN_CACHE_CLEARING defaults.old_plugin_cache_clear
            VALIDATE_ACTION_GROUP_METADATA defaults.validate_action_group_metadata
            NETWORK_GROUP_MODULES defaults.network_group_modules
            VARIABLE_PLUGINS_ENABLED defaults.vars_plugins_enabled
        """),
    ),
    Topic(
        Owner.REPOSITORY,
        "Variables and templates",
        "What the playbooks were written for.",
        _settings("""
            DEFAULT_HASH_BEHAVIOUR defaults.hash_behaviour
            DEFAULT_JINJA2_EXTENSIONS defaults.jinja2_extensions
            DEFAULT_JINJA2_NATIVE defaults.jinja2_native
            JINJA2_NATIVE_WARNING defaults.jinja2_native_warning
            DEFAULT_UNDEFINED_VAR_BEHAVIOR defaults.error_on_undefined_vars
            DEFAULT_NULL_REPRESENTATION defaults.null_representation
            DEFAULT_MANAGED_STR defaults.ansible_managed
            VARIABLE_PRECEDENCE defaults.precedence
            DEFAULT_PRIVATE_ROLE_VARS defaults.private_role_vars
            YAML_FILENAME_EXTENSIONS defaults.yaml_valid_extensions
            PLAYBOOK_VARS_ROOT defaults.playbook_vars_root
            DUPLICATE_YAML_DICT_KEY defaults.duplicate_dict_key
            DEFAULT_ALLOW_UNSAFE_LOOKUPS defaults.allow_unsafe_lookups
            ALLOW_BROKEN_CONDITIONALS defaults.allow_broken_conditionals
            ALLOW_EMBEDDED_TEMPLATES defaults.allow_embedded_templates
            STRING_TYPE_FILTERS jinja2.dont_type_filters
            STRING_CONVERSION_ACTION defaults.string_conversion_action
            lookup:url:ca_path url_lookup.ca_path
            lookup:url:ciphers url_lookup.ciphers
            lookup:url:follow_redirects url_lookup.follow_redirects
            lookup:url:force url_lookup.force
            lookup:url:force_basic_auth url_lookup.force_basic_auth
            lookup:url:http_agent url_lookup.agent
            lookup:url:timeout url_lookup.timeout
            lookup:url:unix_socket url_lookup.unix_socket
            lookup:url:unredirected_headers url_lookup.unredirected_headers
            lookup:url:use_gssapi url_lookup.use_gssapi
            lookup:url:use_netrc url_lookup.use_netrc
        """),
    ),
    Topic(
        Owner.REPOSITORY,
        "Facts",
        "How they are gathered and kept.",
        _settings("""
            DEFAULT_GATHERING defaults.gathering
            DEFAULT_GATHER_SUBSET defaults.gather_subset
            DEFAULT_GATHER_TIMEOUT defaults.gather_timeout
            DEFAULT_FACT_PATH defaults.fact_path
            FACTS_MODULES defaults.facts_modules
            INJECT_FACTS_AS_VARS defaults.inject_facts_as_vars
            CACHE_PLUGIN defaults.fact_caching
            CACHE_PLUGIN_CONNECTION defaults.fact_caching_connection
            CACHE_PLUGIN_PREFIX defaults.fact_caching_prefix
            CACHE_PLUGIN_TIMEOUT defaults.fact_caching_timeout
        """),
    ),
    Topic(
        Owner.REPOSITORY,
        "How tasks are carried out",
        "What the authors count as a failure, and what their modules need on the hosts. A "
        "Python interpreter of the host itself, or of `[ssh]` in the config file, goes "
        "first.",
        _settings("""
            ANY_ERRORS_FATAL defaults.any_errors_fatal
            DEFAULT_FORCE_HANDLERS defaults.force_handlers
            DEFAULT_STRATEGY defaults.strategy
            DEFAULT_NO_LOG defaults.no_log
            ERROR_ON_MISSING_HANDLER defaults.error_on_missing_handler
            INVALID_TASK_ATTRIBUTE_FAILED defaults.invalid_task_attribute_failed
            HOST_PATTERN_MISMATCH inventory.host_pattern_mismatch
            DEFAULT_POLL_INTERVAL defaults.poll_interval
            DEFAULT_INTERNAL_POLL_INTERVAL defaults.internal_poll_interval
            TASK_TIMEOUT defaults.task_timeout
            WIN_ASYNC_STARTUP_TIMEOUT defaults.win_async_startup_timeout
            DEFAULT_EXECUTABLE defaults.executable
            DEFAULT_MODULE_COMPRESSION defaults.module_compression
            INTERPRETER_PYTHON defaults.interpreter_python
            MODULE_STRICT_UTF8_RESPONSE defaults.module_strict_utf8_response
            PYTHON_MODULE_RLIMIT_NOFILE defaults.python_module_rlimit_nofile
            TAGS_RUN tags.run
            TAGS_SKIP tags.skip
            DIFF_CONTEXT diff.context
            MAX_FILE_SIZE_FOR_DIFF defaults.max_diff_size
            DEFAULT_LIBVIRT_LXC_NOSECLABEL selinux.libvirt_lxc_noseclabel
            DEFAULT_SELINUX_SPECIAL_FS selinux.special_context_filesystems
            DEFAULT_NO_TARGET_SYSLOG defaults.no_target_syslog
            DEFAULT_SYSLOG_FACILITY defaults.syslog_facility
            TARGET_LOG_INFO defaults.target_log_info
            shell:sh:admin_users defaults.admin_users
            shell:sh:common_remote_group defaults.common_remote_group
            shell:sh:world_readable_temp defaults.allow_world_readable_tmpfiles
        """),
    ),
    Topic(
        Owner.REPOSITORY,
        "Retry files",
        "Written only where the repository asks for them; `--retry-failed` needs none.",
        _settings("""
            RETRY_FILES_ENABLED defaults.retry_files_enabled
            RETRY_FILES_SAVE_PATH defaults.retry_files_save_path path
        """),
    ),
    Topic(
        Owner.DIAKEN,
        "Inventory",
        "Hosts and groups are those of diaken.",
        _settings("""
            DEFAULT_HOST_LIST defaults.inventory
            DEFAULT_INVENTORY_PLUGIN_PATH defaults.inventory_plugins
            INVENTORY_ANY_UNPARSED_IS_FAILED inventory.any_unparsed_is_failed
            INVENTORY_ENABLED inventory.enable_plugins
            INVENTORY_EXPORT inventory.export
            INVENTORY_IGNORE_EXTS defaults.inventory_ignore_extensions,inventory.ignore_extensions
            INVENTORY_IGNORE_PATTERNS defaults.inventory_ignore_patterns,inventory.ignore_patterns
            INVENTORY_UNPARSED_IS_FAILED inventory.unparsed_is_failed
            INVENTORY_UNPARSED_WARNING inventory.inventory_unparsed_warning
            INVENTORY_CACHE_ENABLED inventory.cache
            INVENTORY_CACHE_PLUGIN inventory.cache_plugin
            INVENTORY_CACHE_PLUGIN_CONNECTION inventory.cache_connection
            INVENTORY_CACHE_PLUGIN_PREFIX inventory.cache_prefix
            INVENTORY_CACHE_TIMEOUT inventory.cache_timeout
            TRANSFORM_INVALID_GROUP_CHARS defaults.force_valid_group_names
            RUN_VARS_PLUGINS defaults.run_vars_plugins
            PLAYBOOK_DIR defaults.playbook_dir
        """),
    ),
    Topic(
        Owner.DIAKEN,
        "Connections and host keys",
        "`[ssh]` in the config file, each host's own values, and diaken's known_hosts; "
        "`--forks`, `--timeout` and `[ansible]`.",
        _settings("""
            HOST_KEY_CHECKING defaults.host_key_checking
            DEFAULT_TRANSPORT defaults.transport
            DEFAULT_REMOTE_USER defaults.remote_user
            DEFAULT_REMOTE_PORT defaults.remote_port
            DEFAULT_PRIVATE_KEY_FILE defaults.private_key_file
            DEFAULT_ASK_PASS defaults.ask_pass
            CONNECTION_PASSWORD_FILE defaults.connection_password_file
            DEFAULT_TIMEOUT defaults.timeout
            DEFAULT_FORKS defaults.forks
            ANSIBLE_PIPELINING defaults.pipelining,connection.pipelining
            USE_PERSISTENT_CONNECTIONS defaults.use_persistent_connections
            ANSIBLE_CONNECTION_PATH persistent_connection.ansible_connection_path
            PARAMIKO_HOST_KEY_AUTO_ADD paramiko_connection.host_key_auto_add
            PARAMIKO_LOOK_FOR_KEYS paramiko_connection.look_for_keys
            PERSISTENT_COMMAND_TIMEOUT persistent_connection.command_timeout
            PERSISTENT_CONNECT_RETRY_TIMEOUT persistent_connection.connect_retry_timeout
            PERSISTENT_CONNECT_TIMEOUT persistent_connection.connect_timeout
            PERSISTENT_CONTROL_PATH_DIR persistent_connection.control_path_dir
            SSH_AGENT connection.ssh_agent
            SSH_AGENT_EXECUTABLE connection.ssh_agent_executable
            SSH_AGENT_KEY_LIFETIME connection.ssh_agent_key_lifetime
            NETCONF_SSH_CONFIG netconf_connection.ssh_config
            WORKER_SESSION_ISOLATION defaults.worker_session_isolation
        """),
    ),
    Topic(
        Owner.DIAKEN,
        "Privileges",
        "`--become`, `--become-password-command` and `[ansible]` in the config file; "
        "`become` in plays and tasks is theirs.",
        _settings("""
            DEFAULT_BECOME privilege_escalation.become
            DEFAULT_BECOME_ASK_PASS privilege_escalation.become_ask_pass
            DEFAULT_BECOME_EXE privilege_escalation.become_exe
            DEFAULT_BECOME_FLAGS privilege_escalation.become_flags
            DEFAULT_BECOME_METHOD privilege_escalation.become_method
            DEFAULT_BECOME_USER privilege_escalation.become_user
            BECOME_ALLOW_SAME_USER privilege_escalation.become_allow_same_user
            BECOME_PASSWORD_FILE defaults.become_password_file
            AGNOSTIC_BECOME_PROMPT privilege_escalation.agnostic_become_prompt
            DEFAULT_SU defaults.su
        """),
    ),
    Topic(
        Owner.DIAKEN,
        "Vaults",
        "`--vault-id`, `--vault-password-file` and `[ansible]` in the config file.",
        _settings("""
            DEFAULT_ASK_VAULT_PASS defaults.ask_vault_pass
            DEFAULT_VAULT_ENCRYPT_IDENTITY defaults.vault_encrypt_identity
            DEFAULT_VAULT_IDENTITY defaults.vault_identity
            DEFAULT_VAULT_IDENTITY_LIST defaults.vault_identity_list
            DEFAULT_VAULT_ID_MATCH defaults.vault_id_match
            DEFAULT_VAULT_PASSWORD_FILE defaults.vault_password_file
            VAULT_ENCRYPT_SALT defaults.vault_encrypt_salt
        """),
    ),
    Topic(
        Owner.DIAKEN,
        "Output, callbacks and logging",
        "diaken reads what Ansible reports, and keeps it in its history.",
        _settings("""
            DEFAULT_STDOUT_CALLBACK defaults.stdout_callback
            CALLBACKS_ENABLED defaults.callbacks_enabled
            DEFAULT_CALLBACK_PLUGIN_PATH defaults.callback_plugins
            DEFAULT_LOAD_CALLBACK_PLUGINS defaults.bin_ansible_callbacks
            SHOW_CUSTOM_STATS defaults.show_custom_stats
            DISPLAY_ARGS_TO_STDOUT defaults.display_args_to_stdout
            DISPLAY_SKIPPED_HOSTS defaults.display_skipped_hosts
            DISPLAY_TRACEBACK defaults.display_traceback
            DIFF_ALWAYS diff.always
            DEFAULT_VERBOSITY defaults.verbosity
            VERBOSE_TO_STDERR defaults.verbose_to_stderr
            DEFAULT_DEBUG defaults.debug
            DEFAULT_LOG_PATH defaults.log_path
            DEFAULT_LOG_FILTER defaults.log_filter
            LOG_VERBOSITY defaults.log_verbosity
            ACTION_WARNINGS defaults.action_warnings
            DEPRECATION_WARNINGS defaults.deprecation_warnings
            DEVEL_WARNING defaults.devel_warning
            LOCALHOST_WARNING defaults.localhost_warning
            SYSTEM_WARNINGS defaults.system_warnings
            ANSIBLE_FORCE_COLOR defaults.force_color
            ANSIBLE_NOCOLOR defaults.nocolor
            ANSIBLE_NOCOWS defaults.nocows
            ANSIBLE_COW_ACCEPTLIST defaults.cowsay_enabled_stencils
            ANSIBLE_COW_PATH defaults.cowpath
            ANSIBLE_COW_SELECTION defaults.cow_selection
            COLOR_CHANGED colors.changed
            COLOR_CONSOLE_PROMPT colors.console_prompt
            COLOR_DEBUG colors.debug
            COLOR_DEPRECATE colors.deprecate
            COLOR_DIFF_ADD colors.diff_add
            COLOR_DIFF_LINES colors.diff_lines
            COLOR_DIFF_REMOVE colors.diff_remove
            COLOR_DOC_CONSTANT colors.doc_constant
            COLOR_DOC_DEPRECATED colors.doc_deprecated
            COLOR_DOC_LINK colors.doc_link
            COLOR_DOC_MODULE colors.doc_module
            COLOR_DOC_PLUGIN colors.doc_plugin
            COLOR_DOC_REFERENCE colors.doc_reference
            COLOR_ERROR colors.error
            COLOR_HIGHLIGHT colors.highlight
            COLOR_INCLUDED colors.included
            COLOR_OK colors.ok
            COLOR_SKIP colors.skip
            COLOR_UNREACHABLE colors.unreachable
            COLOR_VERBOSE colors.verbose
            COLOR_WARN colors.warn
            ENABLE_TASK_DEBUGGER defaults.enable_task_debugger
            TASK_DEBUGGER_IGNORE_ERRORS defaults.task_debugger_ignore_errors
            callback:default:check_mode_markers defaults.check_mode_markers
            callback:default:display_failed_stderr defaults.display_failed_stderr
            callback:default:display_ok_hosts defaults.display_ok_hosts
            callback:default:pretty_results defaults.callback_format_pretty
            callback:default:result_format defaults.callback_result_format
            callback:default:show_per_host_start defaults.show_per_host_start
            callback:default:show_task_path_on_failure defaults.show_task_path_on_failure
        """),
    ),
    Topic(
        Owner.DIAKEN,
        "Temporary folders",
        "They are removed when a run ends, also where it is stopped. A host or a group "
        "that needs another one has the variable `ansible_remote_tmp`.",
        _settings("""
            ANSIBLE_HOME defaults.home
            DEFAULT_LOCAL_TMP defaults.local_tmp
            DEFAULT_KEEP_REMOTE_FILES defaults.keep_remote_files
            shell:sh:remote_tmp defaults.remote_tmp
            shell:sh:system_tmpdirs defaults.system_tmpdirs
            shell:sh:async_dir defaults.async_dir
        """),
    ),
    Topic(
        Owner.NOBODY,
        "Not for playbooks",
        "Other commands of Ansible read them.",
        _settings("""
            GALAXY_CACHE_DIR galaxy.cache_dir path
            GALAXY_COLLECTIONS_PATH_WARNING galaxy.collections_path_warning
            GALAXY_COLLECTION_SKELETON galaxy.collection_skeleton path
            GALAXY_COLLECTION_SKELETON_IGNORE galaxy.collection_skeleton_ignore
            GALAXY_DISABLE_GPG_VERIFY galaxy.disable_gpg_verify
            GALAXY_DISPLAY_PROGRESS galaxy.display_progress
            GALAXY_GPG_KEYRING galaxy.gpg_keyring path
            GALAXY_IGNORE_CERTS galaxy.ignore_certs
            GALAXY_IGNORE_INVALID_SIGNATURE_STATUS_CODES galaxy.ignore_signature_status_codes
            GALAXY_REQUIRED_VALID_SIGNATURE_COUNT galaxy.required_valid_signature_count
            GALAXY_ROLE_SKELETON galaxy.role_skeleton path
            GALAXY_ROLE_SKELETON_IGNORE galaxy.role_skeleton_ignore
            GALAXY_SERVER galaxy.server
            GALAXY_SERVER_LIST galaxy.server_list
            GALAXY_SERVER_TIMEOUT galaxy.server_timeout
            GALAXY_TOKEN_PATH galaxy.token_path path
            DEFAULT_MODULE_ARGS defaults.module_args
            DEFAULT_MODULE_NAME defaults.module_name
            DOCSITE_ROOT_URL defaults.docsite_root_url
            EDITOR defaults.editor
            PAGER defaults.pager
        """),
    ),
)

# Whole sections that are about what diaken decides, also where a plugin of others reads them.
DIAKEN_SECTIONS = (
    *("connection", "*_connection", "winrm", "psrp", "powershell", "local"),
    *("privilege_escalation", "*_become_plugin"),
    *("inventory", "inventory_plugin*", "vars_host_group_vars"),
    *("callback_*", "colors", "diff"),
)
