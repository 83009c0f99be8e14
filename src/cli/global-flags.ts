// Flags before the command: they are the same for all.

import type { Flag } from './args.ts'

export const GLOBAL_FLAGS: readonly Flag[] = [
  {
    name: 'root',
    kind: 'string',
    value: 'DIR',
    help: 'where containers are on record (/run/runt; for others $XDG_RUNTIME_DIR/runt, or in /run/user/UID or /tmp/runt-UID)',
  },
  { name: 'log', kind: 'string', value: 'FILE', help: 'write log lines to FILE instead of stderr' },
  { name: 'log-format', kind: 'string', value: 'text|json', help: 'form of the log lines (text)' },
  { name: 'debug', kind: 'boolean', help: 'log what is being done' },
  { name: 'systemd-cgroup', kind: 'boolean', help: 'let systemd make the cgroup: cgroupsPath is slice:prefix:name' },
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
