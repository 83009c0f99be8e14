import { runContainer } from '../../lifecycle/run.ts'
import type { Command } from '../command.ts'
import { LAUNCH_FLAGS, launchOptions } from './launch-flags.ts'
import { printProfile, startProfile } from './profile.ts'

export const run: Command = {
  name: 'run',
  operands: 'NEW_ID',
  summary: 'create a container, start it, and wait for its end',
  details: [
    'Like create, start and, once the program has ended, delete. In the foreground runt passes signals on to the program and ends as it does.',
  ],
  flags: [
    ...LAUNCH_FLAGS,
    { name: 'detach', short: 'd', kind: 'boolean', help: "don't wait for its end" },
    { name: 'keep', kind: 'boolean', help: 'leave it on record when it has ended' },
    { name: 'no-subreaper', kind: 'boolean', help: "don't become the parent of its orphans" },
  ],
  examples: [
    ['runt run --bundle box mine', "in the foreground, with the program's exit status"],
    ['runt run --detach --bundle box --pid-file box/pid mine', 'in the background'],
  ],
  arity: [1, 1],
  async run(args, globals) {
    const mode = args.boolean('detach') ? 'run' : 'run-foreground'
    const options = launchOptions(args, globals, mode)
    const profile = await startProfile(options.profile)
    const status = await runContainer(
      globals.store,
      { ...options, keep: args.boolean('keep'), noSubreaper: args.boolean('no-subreaper') },
      profile,
    )
    printProfile(profile)
    return status
  },
}
