import { killContainer } from '../../lifecycle/kill.ts'
import type { Command } from '../command.ts'

export const kill: Command = {
  name: 'kill',
  operands: 'ID [SIGNAL]',
  summary: "send a signal (SIGTERM) to a container's init",
  flags: [{ name: 'all', short: 'a', kind: 'boolean', help: 'to every process of the container' }],
  arity: [1, 2],
  async run(args, { store }) {
    const [id = '', signal = ''] = args.operands
    killContainer(store, id, signal === '' ? 'SIGTERM' : signal, { all: args.boolean('all') })
    return 0
  },
}
