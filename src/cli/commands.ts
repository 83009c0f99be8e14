// The list of commands; help, completion and the manual read it. Each is loaded when it is called.

import { RuntError } from '../errors.ts'
import { nearest } from '../nearest.ts'
import { noSuchCommand } from '../words.ts'
import type { Command, Commands } from './command.ts'

export const COMMANDS: Commands = {
  checkpoint: async () => (await import('./commands/checkpoint.ts')).checkpoint,
  completion: async () => (await import('./commands/completion.ts')).completion,
  create: async () => (await import('./commands/create.ts')).create,
  delete: async () => (await import('./commands/delete.ts')).deleteCommand,
  events: async () => (await import('./commands/events.ts')).events,
  features: async () => (await import('./commands/features.ts')).features,
  exec: async () => (await import('./commands/exec.ts')).exec,
  kill: async () => (await import('./commands/kill.ts')).kill,
  list: async () => (await import('./commands/list.ts')).list,
  pause: async () => (await import('./commands/pause.ts')).pause,
  plan: async () => (await import('./commands/plan.ts')).plan,
  ps: async () => (await import('./commands/ps.ts')).ps,
  restore: async () => (await import('./commands/restore.ts')).restore,
  resume: async () => (await import('./commands/resume.ts')).resume,
  run: async () => (await import('./commands/run.ts')).run,
  spec: async () => (await import('./commands/spec.ts')).spec,
  start: async () => (await import('./commands/start.ts')).start,
  state: async () => (await import('./commands/state.ts')).state,
  update: async () => (await import('./commands/update.ts')).update,
  validate: async () => (await import('./commands/validate.ts')).validate,
}

/** @throws RuntError 'usage' when there is no command of that name */
export function loadCommand(name: string): Promise<Command> {
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (load !== undefined) return load()
  const meant = nearest(name, Object.keys(COMMANDS))
  const hint = meant === undefined ? 'runt help lists the commands' : `did you mean ${meant}?`
  throw new RuntError('usage', `${noSuchCommand(name)}: there is no such command`, { hint })
}
