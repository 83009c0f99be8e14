import { RuntError } from '../../errors.ts'
import { updateContainer } from '../../lifecycle/update.ts'
import type { UpdateFlag } from '../../lifecycle/update-request.ts'
import type { Flag, Parsed } from '../args.ts'
import type { Command } from '../command.ts'

const LIMITS: readonly (readonly [name: UpdateFlag, value: string, help: string])[] = [
  ['blkio-weight', 'N', 'weight of its block I/O, 10 to 1000'],
  ['cpu-period', 'USEC', 'period of the CPU quota in microseconds'],
  ['cpu-quota', 'USEC', 'CPU time in a period; -1: no limit'],
  ['cpu-burst', 'USEC', 'CPU time that may be saved up for a later period'],
  ['cpu-share', 'N', 'share of CPU time against other containers'],
  ['cpu-rt-period', 'USEC', 'period of the real-time budget (cgroup v1)'],
  ['cpu-rt-runtime', 'USEC', 'real-time budget in a period (cgroup v1)'],
  ['cpuset-cpus', 'LIST', 'CPUs to run on, as 0-3,7'],
  ['cpuset-mems', 'LIST', 'memory nodes to use, as 0-1'],
  ['cpu-idle', '0|1', 'run only when no other wants the CPU'],
  ['kernel-memory', 'SIZE', 'limit of kernel memory (refused: current kernels have none)'],
  ['kernel-memory-tcp', 'SIZE', 'limit of TCP buffers (cgroup v1)'],
  ['memory', 'SIZE', 'limit of memory; -1: none'],
  ['memory-reservation', 'SIZE', 'soft limit of memory'],
  ['memory-swap', 'SIZE', 'limit of memory and swap together; -1: none'],
  ['pids-limit', 'N', 'number of processes; -1: no limit'],
]

/** What belongs to linux.intelRdt. */
const RDT_FLAGS: readonly Flag[] = [
  { name: 'l3-cache-schema', kind: 'string', value: 'TEXT', help: 'Intel RDT: L3 cache (not supported yet)' },
  { name: 'mem-bw-schema', kind: 'string', value: 'TEXT', help: 'Intel RDT: memory bandwidth (not supported yet)' },
]

export const update: Command = {
  name: 'update',
  operands: 'ID',
  summary: "change a container's limits",
  details: [
    'What is not mentioned stays. SIZE is in bytes, or by 1024 with a letter: 512m, 1.5g.',
    'FILE holds what linux.resources of a config.json may hold, all of it: also block devices, huge pages, RDMA, files of cgroup v2 (unified) and devices. A list of device rules takes the place of the one before; entries for a device, a page size or a file of other lists are added or changed one by one.',
    'Either all limits are changed or none: when one can not be had, those that were written before it are taken back.',
  ],
  flags: [
    {
      name: 'resources',
      short: 'r',
      kind: 'string',
      value: 'FILE',
      help: 'read the limits from FILE, a JSON object; - for the standard input',
    },
    ...LIMITS.map(([name, value, help]): Flag => ({ name, kind: 'string', value, help })),
    ...RDT_FLAGS,
  ],
  arity: [1, 1],
  async run(args, { store }) {
    refuseRdt(args)
    const [id = ''] = args.operands
    const given = LIMITS.flatMap(([name]): [UpdateFlag, string][] => {
      const text = args.string(name)
      return text === undefined ? [] : [[name, text]]
    })
    await updateContainer(store, id, { file: args.string('resources'), flags: new Map(given) })
    return 0
  },
}

function refuseRdt(args: Parsed): void {
  const flag = RDT_FLAGS.find(({ name }) => args.string(name) !== undefined)
  if (flag === undefined) return
  throw new RuntError('config-unsupported', `--${flag.name}: runt does not support linux.intelRdt yet`)
}
