import { createContainer } from '../../lifecycle/create.ts'
import { noProfile, Recorder } from '../../lifecycle/profile.ts'
import type { Command } from '../command.ts'
import { LAUNCH_FLAGS, launchOptions } from './launch-flags.ts'
import { printProfile } from './profile.ts'

export const create: Command = {
  name: 'create',
  operands: 'ID',
  summary: 'create a container from a bundle; its program waits for start',
  flags: [...LAUNCH_FLAGS],
  arity: [1, 1],
  async run(args, globals) {
    const options = launchOptions(args, globals, 'create')
    const profile = options.profile ? new Recorder() : noProfile
    await createContainer(globals.store, options, profile)
    printProfile(profile)
    return 0
  },
}
