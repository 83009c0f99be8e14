// Out of memory in a container, told by the kernel: nothing here asks again and again.

import { O } from '../linux/open-flags.ts'
import { close, exists, open, writeAll } from '../native/file.ts'
import { syscall, trySyscall } from '../native/syscall.ts'
import { type Cgroup, UNIFIED, v1DirectoryOf } from './cgroup.ts'
import { numberOf, tableOf } from './stats-files.ts'

export interface OomWatch extends Disposable {
  /** Readable when there is something to take; poll it. */
  readonly fd: number
  /** How often it happened since the last time. */
  take(): number
}

/**
 * Watch a container's memory cgroup, with those below it.
 * @returns undefined when no memory controller accounts for the container
 */
export function watchOom(cgroup: Cgroup): OomWatch | undefined {
  const v1 = v1DirectoryOf(cgroup, 'memory')
  if (v1 !== undefined) return watchV1(v1)
  const unified = cgroup.directories[UNIFIED]
  return unified === undefined ? undefined : watchV2(unified)
}

/** The kernel's killings in a container since its memory ran out. */
export interface OomKills {
  readonly oomKills: number
  /** The innermost limit that was reached; absent when that is the machine's memory. */
  readonly limit?: { readonly cgroup: string; readonly bytes: number }
}

/** @returns undefined when there were none, or nobody counts */
export function oomKills(cgroup: Cgroup): OomKills | undefined {
  const v1 = v1DirectoryOf(cgroup, 'memory')
  const directory = v1 ?? cgroup.directories[UNIFIED]
  if (directory === undefined) return undefined
  const events = tableOf(`${directory}/${v1 === undefined ? 'memory.events' : 'memory.oom_control'}`)
  const kills = Number(events.get('oom_kill') ?? 0n)
  if (kills === 0) return undefined
  const limit = reachedLimit(directory, cgroup.path, v1 === undefined ? LIMIT_V2 : LIMIT_V1)
  return { oomKills: kills, ...(limit && { limit }) }
}

/** Was this folder's limit reached, and what is it? */
interface LimitFiles {
  readonly wasReached: (directory: string) => boolean
  readonly limit: string
}

const LIMIT_V1: LimitFiles = {
  wasReached: (directory) => numberOf(`${directory}/memory.failcnt`) > 0n,
  limit: 'memory.limit_in_bytes',
}

const LIMIT_V2: LimitFiles = {
  wasReached: (directory) => (tableOf(`${directory}/memory.events.local`).get('oom') ?? 0n) > 0n,
  limit: 'memory.max',
}

/** From the container's folder outwards. @param path the folder's, from the mount point */
function reachedLimit(directory: string, path: string, files: LimitFiles): OomKills['limit'] {
  const mountpoint = directory.slice(0, directory.length - path.length)
  for (let inner = path; inner !== '' && inner !== '/'; inner = inner.slice(0, inner.lastIndexOf('/'))) {
    const folder = `${mountpoint}${inner}`
    if (files.wasReached(folder)) return { cgroup: inner, bytes: Number(numberOf(`${folder}/${files.limit}`)) }
  }
  return undefined
}

const EFD_NONBLOCK_CLOEXEC = 0o2004000
const COUNTER_BYTES = 8

/** An eventfd that counts, bound to memory.oom_control by cgroup.event_control. cgroup-v1/memory.rst, 10. OOM Control */
function watchV1(directory: string): OomWatch | undefined {
  const file = `${directory}/cgroup.event_control`
  if (!exists(file)) return undefined
  const fd = syscall('eventfd2', 0, EFD_NONBLOCK_CLOEXEC)
  const oomControl = open(`${directory}/memory.oom_control`, O.RDONLY)
  const eventControl = open(file, O.WRONLY)
  writeAll(eventControl, `${fd} ${oomControl}`)
  close(eventControl)
  return {
    fd,
    take() {
      const counter = new Uint8Array(COUNTER_BYTES)
      if (trySyscall('read', fd, counter, COUNTER_BYTES) < 0) return 0
      // The cgroup's removal is told in the same way.
      return exists(file) ? Number(new DataView(counter.buffer).getBigUint64(0, true)) : 0
    },
    [Symbol.dispose]() {
      close(oomControl)
      close(fd)
    },
  }
}

const IN_NONBLOCK_CLOEXEC = 0o2004000
const IN_MODIFY = 0x2
const ROOM_FOR_EVENTS = 4096

/** memory.events counts; the kernel says that it has changed, at most every 10 ms. cgroup-v2.rst, Memory Interface Files */
function watchV2(directory: string): OomWatch | undefined {
  const file = `${directory}/memory.events`
  if (!exists(file)) return undefined
  const fd = syscall('inotify_init1', IN_NONBLOCK_CLOEXEC)
  syscall('inotify_add_watch', fd, file, IN_MODIFY)
  const count = () => Number(tableOf(file).get('oom_kill') ?? 0n)
  let known = count()
  return {
    fd,
    take() {
      const events = new Uint8Array(ROOM_FOR_EVENTS)
      while (trySyscall('read', fd, events, ROOM_FOR_EVENTS) > 0);
      const before = known
      known = Math.max(before, count())
      return known - before
    },
    [Symbol.dispose]: () => close(fd),
  }
}
