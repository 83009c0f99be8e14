import { RuntError } from '../../errors.ts'
import { restoreContainer } from '../../lifecycle/restore.ts'
import { RIGHTS, type Right } from '../../lifecycle/saved-rights.ts'
import type { Command } from '../command.ts'
import { absolute } from '../path.ts'
import { CRIU_FLAGS, criuFlags } from './criu-flags.ts'

export const restore: Command = {
  name: 'restore',
  operands: 'NEW_ID',
  summary: 'make a container again from a checkpoint',
  details: [
    'CRIU (criu in $PATH, 3.15 or newer) makes the processes again as runt checkpoint saved them. Root file system, binds, devices, limits and hooks are those of the bundle, and the standard streams those of runt. Of the hooks, prestart, createRuntime and poststop run.',
    'In the foreground runt passes signals on to the program, ends as it does, and deletes the container.',
    'In a user namespace CRIU reads some of the images as its root: unless that is root of the machine, too, they must be readable for others.',
    'With the global flag --systemd-cgroup the cgroup is a scope of systemd, as with create. CRIU is in it until it has done its work, so a limit of memory must leave it some room.',
    'The rights of processes are in the images. Where config.json gives less (capabilities, noNewPrivileges, seccomp, user, rlimits, labels, namespaces, what is read-only or masked), that is an error which says what, unless --as-saved names it.',
    'What can not be restored is an error that quotes the log, and leaves nothing behind.',
  ],
  flags: [
    { name: 'bundle', short: 'b', kind: 'string', value: 'DIR', help: 'the folder with config.json (.)' },
    ...CRIU_FLAGS,
    { name: 'detach', short: 'd', kind: 'boolean', help: "don't wait for its end" },
    { name: 'pid-file', kind: 'string', value: 'FILE', help: "write init's pid to FILE" },
    { name: 'console-socket', kind: 'string', value: 'PATH', help: "Unix socket that gets the terminal's master" },
    { name: 'no-subreaper', kind: 'boolean', help: "don't become the parent of its orphans" },
    {
      name: 'no-pivot',
      kind: 'boolean',
      help: 'for a machine whose root is a ramdisk: cover it, so that CRIU can pivot',
    },
    { name: 'lsm-profile', kind: 'string', value: 'TYPE:NAME', help: 'another profile: selinux:… or apparmor:…' },
    {
      name: 'as-saved',
      kind: 'string',
      value: 'RIGHT,…',
      help: `rights that are as saved, though config.json is stricter: ${RIGHTS.join(', ')} or all`,
    },
    { name: 'lsm-mount-context', kind: 'string', value: 'CONTEXT', help: 'another SELinux context of its mounts' },
  ],
  examples: [['runt restore --bundle box --image-path saved mine', 'go on where runt checkpoint saved it']],
  arity: [1, 1],
  run(args, globals) {
    return restoreContainer(globals.store, {
      ...criuFlags(args),
      id: args.operands[0] ?? '',
      bundle: absolute(args.string('bundle') ?? '.'),
      consoleSocket: args.string('console-socket'),
      pidFile: args.string('pid-file'),
      detach: args.boolean('detach'),
      noSubreaper: args.boolean('no-subreaper'),
      noPivot: args.boolean('no-pivot'),
      lsmProfile: args.string('lsm-profile'),
      lsmMountContext: args.string('lsm-mount-context'),
      asSaved: args.strings('as-saved').flatMap((words) => words.split(',').flatMap(rights)),
      rootless: globals.rootless,
      systemdCgroup: globals.systemdCgroup,
      noCgroups: globals.noCgroups,
    })
  },
}

function rights(word: string): readonly Right[] {
  if (word === 'all') return RIGHTS
  const right = RIGHTS.find((known) => known === word)
  if (right !== undefined) return [right]
  throw new RuntError('usage', `--as-saved ${JSON.stringify(word)} is none of ${RIGHTS.join(', ')}, all`)
}
