import { containerPids, psTable } from '../../lifecycle/ps.ts'
import { printableLines } from '../../printable.ts'
import { oneOf } from '../args.ts'
import type { Command } from '../command.ts'
import { print } from '../output.ts'

export const ps: Command = {
  name: 'ps',
  operands: 'ID [PS_OPTION ...]',
  summary: 'show the processes of a container',
  details: [
    'What follows the id are options of ps(1), -ef when there are none; they must show the pid. Processes in cgroups that the container made itself are shown, too.',
  ],
  flags: [
    { name: 'format', short: 'f', kind: 'string', value: 'table|json', help: 'what ps(1) says, or pids (table)' },
  ],
  examples: [
    ['runt ps mine', 'its processes, as ps -ef shows them'],
    ['runt ps mine -o pid,rss,args', 'other columns'],
    ['runt ps --format json mine', 'pids alone'],
  ],
  arity: [1, Number.POSITIVE_INFINITY],
  stopEarly: true,
  async run(args, { store }) {
    const [id = '', ...options] = args.operands
    const format = oneOf(args, 'format', ['table', 'json'])
    const pids = containerPids(store, id)
    const own = options[0] === '--' ? options.slice(1) : options
    print(
      format === 'json' ? `${JSON.stringify(pids)}\n` : printableLines(psTable(pids, own.length === 0 ? ['-ef'] : own)),
    )
    return 0
  },
}
