import { containerStats, followEvents, type OomEvent, type StatsEvent } from '../../lifecycle/events.ts'
import type { Command } from '../command.ts'
import { parseDuration } from '../duration.ts'
import { print, toJson } from '../output.ts'

export const events: Command = {
  name: 'events',
  operands: 'ID',
  summary: 'tell, a JSON document a line, what a container uses and that it ran out of memory, until it stops',
  details: [
    'Each line is a JSON document with type, id and, for stats, data: cpu, cpuset, memory, pids, blkio, hugetlb, intel_rdt and network_interfaces in the words of runc, on cgroup v1 and v2. Where the kernel measures pressure, cpu, memory and blkio have it as psi.',
    'An event of type oom is told at the moment when the kernel runs out of memory for the container. The stream ends with the container.',
  ],
  flags: [
    { name: 'interval', kind: 'string', value: 'DURATION', help: 'time between two of its stats (5s)' },
    { name: 'stats', kind: 'boolean', help: 'print the stats once, and nothing else' },
  ],
  examples: [
    ['runt events --interval 1s mine', 'what it uses, each second, until it ends'],
    ['runt events --stats mine', 'the same once'],
  ],
  arity: [1, 1],
  async run(args, { store }) {
    const [id = ''] = args.operands
    const interval = parseDuration('interval', args.string('interval') ?? '5s')
    if (args.boolean('stats')) print(`${toJson(containerStats(store, id))}\n`)
    else followEvents(store, id, interval, tell)
    return 0
  },
}

function tell(event: StatsEvent | OomEvent): void {
  print(`${toJson(event)}\n`)
}
