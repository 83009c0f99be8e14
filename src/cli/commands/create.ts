import { createContainer } from '../../lifecycle/create.ts'
import type { Command } from '../command.ts'
import { LAUNCH_FLAGS, launchOptions } from './launch-flags.ts'
import { printProfile, startProfile } from './profile.ts'

export const create: Command = {
  name: 'create',
  operands: 'NEW_ID',
  summary: 'create a container from a bundle; its program waits for start',
  details: [
    "The container's namespaces, mounts, cgroup and all else are made as config.json says; its program is found, and not yet executed. When create is back, the first process waits, its pid is in the pid file, and runt start lets it go.",
    'With the global flag --systemd-cgroup the cgroup is a scope of systemd: of the machine for root, of the user otherwise. linux.cgroupsPath has the form slice:prefix:name then, for a unit prefix-name.scope in that slice; without one it is runt-ID.scope in system.slice, or in user.slice. Annotations org.systemd.property.NAME, in GVariant text, set some of its properties: TimeoutStopUSec, CollectMode, After …',
    "What can't be done as the config asks is an error, and leaves nothing behind.",
  ],
  flags: [
    ...LAUNCH_FLAGS,
    { name: 'no-subreaper', kind: 'boolean', help: "don't become the parent of its orphans: create never does" },
  ],
  examples: [
    ['runt create --bundle box --pid-file box/pid mine', 'a container whose program waits for runt start mine'],
    ['runt --systemd-cgroup create --bundle box mine', 'the same in a scope of systemd'],
  ],
  arity: [1, 1],
  async run(args, globals) {
    const options = launchOptions(args, globals, 'create')
    const profile = await startProfile(options.profile)
    await createContainer(globals.store, options, profile)
    printProfile(profile)
    return 0
  },
}
