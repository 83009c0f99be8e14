// A write that the kernel refused → what to do about it, where that is known.

import { ERRNO } from '../linux/errno.ts'
import { exists, listDirectory } from '../native/file.ts'
import { readKnobIfPresent } from './knob.ts'
import type { Setting } from './setting.ts'

interface Remedy {
  readonly file: RegExp
  readonly errno: number
  /** @param directory of the cgroup @returns undefined when it isn't that */
  readonly hint: (setting: Setting, directory: string) => string | undefined
}

const { EACCES, EBUSY, EINVAL, ENODEV, ENOENT, EOPNOTSUPP } = ERRNO

const noDevice = ({ line }: Setting) => `this machine has no block device ${line?.key}`
const schedulerIsAnother = ({ line }: Setting) =>
  `the scheduler of block device ${line?.key} has no weights: write bfq to /sys/dev/block/${line?.key}/queue/scheduler`

const REMEDIES: readonly Remedy[] = [
  { file: /^memory\.limit_in_bytes$/, errno: EBUSY, hint: (_, directory) => inUse(directory) },
  { file: /^memory\.memsw\./, errno: ENOENT, hint: () => 'boot the kernel with swapaccount=1' },
  { file: /^cpuset\./, errno: EINVAL, hint: ({ file }, directory) => above(directory, file) },
  { file: /^cpuset\./, errno: EACCES, hint: ({ file }, directory) => above(directory, file) },
  { file: /^cpu\.rt_/, errno: EINVAL, hint: (_, directory) => above(directory, 'cpu.rt_runtime_us') },
  { file: /^cpu\.(cfs_|max)/, errno: EINVAL, hint: tooMuchOfCpu },
  { file: /^hugetlb\./, errno: ENOENT, hint: pageSizes },
  { file: /^blkio\.leaf_weight/, errno: ENOENT, hint: () => 'Linux has no leaf weights since 5.0' },
  { file: /^(blkio|io)\..*weight/, errno: ENOENT, hint: () => 'weights need a kernel with CONFIG_BFQ_GROUP_IOSCHED' },
  { file: /^(blkio|io)\..*weight/, errno: EOPNOTSUPP, hint: schedulerIsAnother },
  { file: /^(blkio|io)\./, errno: ENODEV, hint: noDevice },
  { file: /^net_prio\./, errno: ENODEV, hint: ({ line }) => `this machine has no network device ${line?.key}` },
  { file: /^rdma\./, errno: EINVAL, hint: ({ line }) => `has this machine an RDMA device ${line?.key}?` },
  { file: /^rdma\./, errno: ENODEV, hint: ({ line }) => `this machine has no RDMA device ${line?.key}` },
]

/** @param directory of the cgroup @returns the cure, when it is known */
export function remedyFor(setting: Setting, directory: string, errno: number): string | undefined {
  const remedy = REMEDIES.find((each) => each.errno === errno && each.file.test(setting.file))
  return remedy?.hint(setting, directory)
}

function inUse(directory: string): string | undefined {
  const used = readKnobIfPresent(`${directory}/memory.usage_in_bytes`)
  return used === undefined ? undefined : `${used} bytes are in use and can not be freed`
}

/** What the group above has of it: none may have more. */
function above(directory: string, file: string): string | undefined {
  const path = `${directory.slice(0, directory.lastIndexOf('/'))}/${file}`
  const value = readKnobIfPresent(path)
  return value === undefined ? undefined : `no more than the cgroup above has, ${path}: ${value}`
}

function tooMuchOfCpu({ file }: Setting, directory: string): string {
  const more = above(directory, file)
  const range = 'a period is 1000 to 1000000 µs, a quota at least 1000 µs, and burst no more than the quota'
  return more === undefined ? range : `${range}; ${more}`
}

const SIZES = '/sys/kernel/mm/hugepages'

function pageSizes(): string {
  const names = exists(SIZES) ? listDirectory(SIZES).map(({ name }) => sizeOf(name)) : []
  return names.length === 0 ? 'this kernel has no huge pages' : `page sizes of this machine: ${names.sort().join(', ')}`
}

/** hugepages-2048kB → 2MB, as in the names of the cgroup's files. */
function sizeOf(name: string): string {
  const kilobytes = Number(/\d+/.exec(name)?.[0])
  if (kilobytes >= 1048576) return `${kilobytes / 1048576}GB`
  return kilobytes >= 1024 ? `${kilobytes / 1024}MB` : `${kilobytes}KB`
}
