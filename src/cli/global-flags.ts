// Flags before the command: they are the same for all.

import type { Flag } from './args.ts'

export const GLOBAL_FLAGS: readonly Flag[] = [
  {
    name: 'root',
    kind: 'string',
    value: 'DIR',
    help: 'where containers are on record (/run/runt; for others $XDG_RUNTIME_DIR/runt, or in /run/user/UID or /tmp/runt-UID)',
  },
  {
    name: 'log',
    kind: 'string',
    value: 'FILE',
    help: 'write log lines to FILE instead of stderr; also file:FILE, or journald:NAME and syslog:NAME',
  },
  { name: 'log-format', kind: 'string', value: 'text|json', help: 'form of the log lines (text)' },
  { name: 'log-level', kind: 'string', value: 'debug|info|warning|error', help: 'the least that is logged (warning)' },
  { name: 'debug', kind: 'boolean', help: 'log what is being done: --log-level debug' },
  { name: 'systemd-cgroup', kind: 'boolean', help: 'let systemd make the cgroup: cgroupsPath is slice:prefix:name' },
  {
    name: 'cgroup-manager',
    kind: 'string',
    value: 'cgroupfs|systemd|disabled',
    help: 'who makes the cgroup: runt, systemd (as --systemd-cgroup), or nobody: the container stays in that of the caller (cgroupfs)',
  },
  {
    name: 'rootless',
    kind: 'string',
    value: 'true|false|auto',
    help: 'go on without cgroups where they may not be used (auto: for an ordinary user, and in a user namespace)',
  },
  {
    name: 'supervised',
    kind: 'boolean',
    help: 'make a container, or add a process to it, step by step, with runt beside it',
  },
  { name: 'help', short: 'h', kind: 'boolean', help: 'show help' },
  { name: 'version', short: 'v', kind: 'boolean', help: 'show the version' },
]
