// Flags that create and run share, and what they mean for lifecycle/.

import type { CreateOptions } from '../../lifecycle/create.ts'
import type { Flag, Parsed } from '../args.ts'
import type { Globals } from '../command.ts'
import { absolute } from '../path.ts'

export const LAUNCH_FLAGS: readonly Flag[] = [
  { name: 'bundle', short: 'b', kind: 'string', value: 'DIR', help: 'the folder with config.json (.)' },
  {
    name: 'config',
    short: 'f',
    kind: 'string',
    value: 'FILE',
    help: 'the config, instead of config.json of the bundle',
  },
  { name: 'console-socket', kind: 'string', value: 'PATH', help: "Unix socket that gets the terminal's master" },
  { name: 'pid-file', kind: 'string', value: 'FILE', help: "write init's pid to FILE" },
  { name: 'pidfd-socket', kind: 'string', value: 'PATH', help: "Unix socket that gets init's pidfd" },
  { name: 'no-pivot', kind: 'boolean', help: 'change the root by moving its mount: for a rootfs on a ramdisk' },
  { name: 'no-new-keyring', kind: 'boolean', help: "keep the caller's session keyring" },
  { name: 'preserve-fds', kind: 'string', value: 'N', help: 'pass N descriptors from 3 on to the container (0)' },
  { name: 'profile', kind: 'boolean', help: 'print where the time goes' },
]

export const MOST_FDS = 1 << 16

/** @throws RuntError for contradictions */
export function launchOptions(args: Parsed, globals: Globals, mode: CreateOptions['mode']): CreateOptions {
  const config = args.string('config')
  return {
    id: args.operands[0] ?? '',
    mode,
    bundle: absolute(args.string('bundle') ?? '.'),
    config: config === undefined ? undefined : absolute(config),
    consoleSocket: args.string('console-socket'),
    pidFile: args.string('pid-file'),
    pidfdSocket: args.string('pidfd-socket'),
    noPivot: args.boolean('no-pivot'),
    noNewKeyring: args.boolean('no-new-keyring'),
    preserveFds: args.number('preserve-fds', 0, MOST_FDS) ?? 0,
    profile: args.boolean('profile'),
    rootless: globals.rootless,
    systemdCgroup: globals.systemdCgroup,
    noCgroups: globals.noCgroups,
    supervised: globals.supervised,
  }
}
