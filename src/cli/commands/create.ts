import { createContainer } from '../../lifecycle/create.ts'
import type { Command } from '../command.ts'
import { LAUNCH_FLAGS, launchOptions } from './launch-flags.ts'
import { printProfile, startProfile } from './profile.ts'

export const create: Command = {
  name: 'create',
  operands: 'ID',
  summary: 'create a container from a bundle; its program waits for start',
  flags: [...LAUNCH_FLAGS],
  arity: [1, 1],
  async run(args, globals) {
    const options = launchOptions(args, globals, 'create')
    const profile = await startProfile(options.profile)
    await createContainer(globals.store, options, profile)
    printProfile(profile)
    return 0
  },
}
