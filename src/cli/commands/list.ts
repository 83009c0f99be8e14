import { listContainers } from '../../lifecycle/state.ts'
import type { Command } from '../command.ts'
import { print, table } from '../output.ts'
import { formatOf } from './format.ts'

const HEADER = ['ID', 'PID', 'STATUS', 'BUNDLE', 'CREATED', 'OWNER']

export const list: Command = {
  name: 'list',
  operands: '',
  summary: 'list containers',
  flags: [
    { name: 'format', short: 'f', kind: 'string', value: 'table|json', help: 'form of the list (table)' },
    { name: 'quiet', short: 'q', kind: 'boolean', help: 'only ids' },
  ],
  arity: [0, 0],
  async run(args, { store }) {
    const format = formatOf(args, ['table', 'json'])
    const states = listContainers(store)
    if (args.boolean('quiet')) print(states.map(({ id }) => `${id}\n`).join(''))
    else if (format === 'json') print(JSON.stringify(states))
    else {
      const rows = states.map((state) => [
        state.id,
        `${state.pid}`,
        state.status,
        state.bundle,
        state.created,
        state.owner,
      ])
      print(table([HEADER, ...rows]))
    }
    return 0
  },
}
