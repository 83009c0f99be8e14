import type { State } from '../../lifecycle/container.ts'
import { listAllContainers, listContainers } from '../../lifecycle/state.ts'
import { callerEnvironment } from '../../native/caller.ts'
import { printable, printableJson } from '../../printable.ts'
import { oneOf } from '../args.ts'
import type { Command } from '../command.ts'
import { print, table } from '../output.ts'

const COLUMNS = ['id', 'pid', 'status', 'bundle', 'created', 'owner'] as const

export const list: Command = {
  name: 'list',
  operands: '',
  summary: 'list containers',
  details: [
    'Each engine of containers chooses a root of its own, as /run/docker/runtime-runt/moby. With --all-roots runt looks for them below /run and in the runtime folders of users, and says where each container is on record.',
  ],
  flags: [
    { name: 'format', short: 'f', kind: 'string', value: 'table|json', help: 'form of the list (table)' },
    { name: 'quiet', short: 'q', kind: 'boolean', help: 'only ids' },
    { name: 'all-roots', kind: 'boolean', help: 'also those of every other root that can be found below /run' },
  ],
  examples: [
    ['runt list', 'those of this root'],
    ['runt list --all-roots', 'those of all engines that use runt'],
    ['runt list --quiet', 'ids alone, for a script'],
  ],
  arity: [0, 0],
  async run(args, { store }) {
    const format = oneOf(args, 'format', ['table', 'json'])
    const allRoots = args.boolean('all-roots')
    const states: readonly (State & { readonly root?: string })[] = allRoots
      ? await listAllContainers(store, callerEnvironment().XDG_RUNTIME_DIR)
      : listContainers(store)
    if (args.boolean('quiet')) print(states.map(({ id }) => `${printable(id)}\n`).join(''))
    else if (format === 'json') print(printableJson(JSON.stringify(states)))
    else {
      const columns = allRoots ? ([...COLUMNS, 'root'] as const) : COLUMNS
      const rows = states.map((state) => columns.map((column) => `${state[column]}`))
      print(table([columns.map((column) => column.toUpperCase()), ...rows]))
    }
    return 0
  },
}
