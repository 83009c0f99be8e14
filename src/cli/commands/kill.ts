import { killContainer } from '../../lifecycle/kill.ts'
import type { Command } from '../command.ts'
import { forEachContainer, REGEX_FLAG } from './by-regex.ts'

export const kill: Command = {
  name: 'kill',
  operands: 'ID [SIGNAL]',
  summary: "send a signal (SIGTERM) to a container's init",
  details: [
    'A signal is a number or a name in capital or small letters, with or without SIG: TERM, sigkill, 9, RTMIN+3, SIGRTMAX-1. 0 sends none, and tells whether it could be.',
    'Where the container shares a pid namespace, KILL goes to all of its processes, since the others would not end with the first. A paused container is ended by KILL; it gets other signals when it is resumed.',
  ],
  flags: [{ name: 'all', short: 'a', kind: 'boolean', help: 'to every process of the container' }, REGEX_FLAG],
  examples: [
    ['runt kill mine', 'SIGTERM to its first process'],
    ['runt kill mine KILL', 'its end'],
    ['runt kill --all mine USR1', 'a signal to all of its processes'],
  ],
  arity: [1, 2],
  async run(args, globals) {
    const signal = args.operands[1] ?? ''
    const options = { all: args.boolean('all') }
    await forEachContainer(args, globals, (id) =>
      killContainer(globals.store, id, signal === '' ? 'SIGTERM' : signal, options),
    )
    return 0
  },
}
