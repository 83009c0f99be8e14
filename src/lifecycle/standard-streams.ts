// A container's standard streams in a checkpoint: the file descriptors.json beside CRIU's images, with a name for each stream
// that leads out of the container, so that restore can put its own in their place. The file is runc's, and so are the names.

import { pidsOf } from '../cgroup/processes.ts'
import { RuntError } from '../errors.ts'
import type { MountEntry } from '../host/mounts.ts'
import { takeDescriptor } from '../host/pidfd.ts'
import { F } from '../linux/fcntl.ts'
import { O } from '../linux/open-flags.ts'
import { close, listDirectory, readFileIfPresent, readLink } from '../native/file.ts'
import { SyscallError, syscall, trySyscall } from '../native/syscall.ts'
import type { Container } from './container.ts'

export const DESCRIPTORS_FILE = 'descriptors.json'

const STREAMS = [0, 1, 2]
const O_ACCMODE = 0o3

/**
 * What CRIU calls the standard streams of a container's init.
 * @param mounts that init sees
 * @returns for each stream "pipe:[N]", "file[MOUNT:INODE]", the path of a file of the container's own, or '' for one that
 *   restore has nothing to do with
 */
export function streamNames(container: Container, mounts: readonly MountEntry[]): string[] {
  return STREAMS.map((stream) => {
    const open = openFile(container.pid, stream)
    if (open === undefined) return ''
    if (open.link.startsWith('pipe:')) return isInner(container, open) ? '' : open.link
    if (!open.link.startsWith('/')) return ''
    if (mounts.some(({ id }) => id === open.mount)) return open.link
    return `file[${open.mount.toString(16)}:${open.inode.toString(16)}]`
  })
}

/** CRIU is to leave these files alone: they are not in the container's tree. */
export function externalFiles(names: readonly string[]): string[] {
  return [...new Set(names.filter((name) => name.startsWith('file[')))]
}

/**
 * Files that only take output are to be at their end for a while. CRIU then doesn't ask restore for a file of the same size:
 * what comes later goes behind whatever is in the new one.
 * @param names from streamNames()
 * @returns what makes them as they were, for all who have them open
 */
export function appendMeanwhile({ pid }: Container, names: readonly string[]): Disposable {
  const changed: { readonly descriptor: number; readonly flags: number }[] = []
  for (const [stream, name] of names.entries()) {
    if (!name.startsWith('file[')) continue
    const descriptor = takeDescriptor(pid, stream)
    const flags = syscall('fcntl', descriptor, F.GETFL)
    if ((flags & O_ACCMODE) === O.WRONLY && (flags & O.APPEND) === 0) {
      syscall('fcntl', descriptor, F.SETFL, flags | O.APPEND)
      changed.push({ descriptor, flags })
    } else close(descriptor)
  }
  return {
    [Symbol.dispose]() {
      for (const { descriptor, flags } of changed) {
        trySyscall('fcntl', descriptor, F.SETFL, flags)
        close(descriptor)
      }
    },
  }
}

/** What CRIU calls a pipe, and a file that is not in the container's tree. */
const OUTSIDE = /^(pipe:\[\d{1,20}\]|file\[[\da-f]{1,16}:[\da-f]{1,16}\])$/

/**
 * Names of a checkpoint's streams, by number, as CRIU takes those of restore for them.
 * @param text of descriptors.json
 * @throws RuntError when it isn't that
 */
export function inheritedStreams(text: string, path: string): { readonly key: string; readonly fd: number }[] {
  const names: unknown = parse(text, path)
  if (!Array.isArray(names) || names.length > STREAMS.length) throw malformed(path)
  if (!names.every((name) => typeof name === 'string')) throw malformed(path)
  return names.map((key: string, fd) => ({ key, fd })).filter(({ key }) => OUTSIDE.test(key))
}

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw malformed(path, cause)
  }
}

function malformed(path: string, cause?: unknown): RuntError {
  return new RuntError('criu', `${path}: not a list of names`, { cause, hint: 'it belongs to the checkpoint as it is' })
}

interface OpenFile {
  /** What /proc/PID/fd says: "pipe:[1234]", or a path. */
  readonly link: string
  /** flags of open(2) */
  readonly flags: number
  /** Id of the mount that it is on. */
  readonly mount: number
  readonly inode: bigint
}

/** @returns undefined when the process has no such descriptor (any more) */
function openFile(pid: number, descriptor: number): OpenFile | undefined {
  const info = readFileIfPresent(`/proc/${pid}/fdinfo/${descriptor}`)
  if (info === undefined) return undefined
  const field = (name: string): string => new RegExp(`^${name}:\\s*(\\d+)$`, 'm').exec(info)?.[1] ?? '0'
  try {
    return {
      link: readLink(`/proc/${pid}/fd/${descriptor}`),
      flags: Number.parseInt(field('flags'), 8),
      mount: Number(field('mnt_id')),
      inode: BigInt(field('ino')),
    }
  } catch (error) {
    if (error instanceof SyscallError) return undefined
    throw error
  }
}

/** A pipe whose other end is in the container, too, is restored with it. */
function isInner({ cgroup }: Container, stream: OpenFile): boolean {
  return pidsOf(cgroup, { recursive: true }).some((pid) =>
    descriptorsOf(pid).some((descriptor) => {
      const other = openFile(pid, descriptor)
      if (other?.link !== stream.link) return false
      const access = other.flags & O_ACCMODE
      return access === O.RDWR || access !== (stream.flags & O_ACCMODE)
    }),
  )
}

function descriptorsOf(pid: number): number[] {
  try {
    return listDirectory(`/proc/${pid}/fd`).map(({ name }) => Number(name))
  } catch (error) {
    if (error instanceof SyscallError) return [] // it has ended
    throw error
  }
}
