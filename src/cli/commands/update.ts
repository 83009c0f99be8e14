import { updateContainer } from '../../lifecycle/update.ts'
import type { SchemataFlag, UpdateFlag } from '../../lifecycle/update-request.ts'
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
  ['kernel-memory', 'SIZE', 'limit of kernel memory (ignored with a warning: current kernels have none)'],
  ['kernel-memory-tcp', 'SIZE', 'limit of TCP buffers (cgroup v1)'],
  ['memory', 'SIZE', 'limit of memory; -1: none'],
  ['memory-reservation', 'SIZE', 'soft limit of memory'],
  ['memory-swap', 'SIZE', 'limit of memory and swap together; -1: none'],
  ['pids-limit', 'N', 'number of processes; -1: no limit'],
]

const SCHEMATA: readonly (readonly [name: SchemataFlag, value: string, help: string])[] = [
  ['l3-cache-schema', 'LINE', 'share of the L3 cache, as "L3:0=ff;1=f0", of its resctrl group'],
  ['mem-bw-schema', 'LINE', 'memory bandwidth, as "MB:0=50;1=100", of its resctrl group'],
]

export const update: Command = {
  name: 'update',
  operands: 'ID',
  summary: "change a container's limits",
  details: [
    'What is not mentioned stays. SIZE is in bytes, or by 1024 with a letter: 512m, 1.5g.',
    'FILE holds what linux.resources of a config.json may hold, all of it: also block devices, huge pages, RDMA, files of cgroup v2 (unified) and devices. A list of device rules takes the place of the one before; entries for a device, a page size or a file of other lists are added or changed one by one.',
    'The limits of a resctrl group are those of all containers in it. They may be given beside FILE.',
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
    ...SCHEMATA.map(([name, value, help]): Flag => ({ name, kind: 'string', value, help })),
  ],
  examples: [
    ['runt update --memory 512m --pids-limit 100 mine', 'other limits'],
    ['runt update --cpu-quota -1 mine', 'none for CPU time'],
    [
      'echo \'{"memory": {"limit": 1073741824}}\' | runt update --resources - mine',
      'what JSON on the standard input says',
    ],
  ],
  arity: [1, 1],
  async run(args, { store }) {
    const [id = ''] = args.operands
    await updateContainer(store, id, {
      file: args.string('resources'),
      flags: given(args, LIMITS),
      schemata: given(args, SCHEMATA),
    })
    return 0
  },
}

/** Those of the flags that were given, with their texts. */
function given<T extends string>(
  args: Parsed,
  flags: readonly (readonly [name: T, ...rest: unknown[]])[],
): Map<T, string> {
  return new Map(
    flags.flatMap(([name]): [T, string][] => {
      const text = args.string(name)
      return text === undefined ? [] : [[name, text]]
    }),
  )
}
