// The host's criu: where it is, which version it is, and what it can do on this kernel.

import { RuntError } from '../errors.ts'
import { F } from '../linux/fcntl.ts'
import { callerEnvironment } from '../native/caller.ts'
import { pipe } from '../native/descriptors.ts'
import { close } from '../native/file.ts'
import { trySyscall } from '../native/syscall.ts'
import { findProgram } from '../process/search.ts'
import { type CriuFeatures, type CriuRequest, type CriuResponse, REQUEST } from './messages.ts'
import { ask, startWorker } from './swrk.ts'

export interface Criu {
  /** Absolute path. */
  readonly program: string
  readonly version: Version
}

export type Version = readonly [major: number, minor: number]

/** The first that takes namespaces of others, freezes cgroup v2, and says when lazy pages are ready. */
const OLDEST: Version = [3, 15]

const HINT = 'checkpoint and restore are done by CRIU: install the package criu, 3.15 or newer'

/**
 * Look criu up in PATH and ask it for its version.
 * @throws RuntError 'host' when there is none, or one that is too old
 */
export async function findCriu(): Promise<Criu> {
  const program = findProgram('criu', callerEnvironment().PATH)
  if (program === undefined) throw new RuntError('host', 'criu: not found in $PATH', { hint: HINT })
  const { version } = await askOnce(program, { type: REQUEST.VERSION })
  const { major_number: major = 0, minor_number: minor = 0 } = version ?? {}
  const criu: Criu = { program, version: [major, minor] }
  requireVersion(criu, OLDEST, 'runt')
  return criu
}

export function isAtLeast({ version }: Criu, oldest: Version): boolean {
  const [major, minor] = version
  return major > oldest[0] || (major === oldest[0] && minor >= oldest[1])
}

/** @param what needs it, as the sentence begins @throws RuntError 'host' */
export function requireVersion(criu: Criu, oldest: Version, what: string): void {
  if (isAtLeast(criu, oldest)) return
  const { program, version } = criu
  throw new RuntError(
    'host',
    `${program} ${version.join('.')} is too old: ${what} needs ${oldest.join('.')} or newer`,
    {
      hint: HINT,
    },
  )
}

const FEATURES: Readonly<Record<keyof CriuFeatures, string>> = {
  mem_track: 'tracking of changed memory (CONFIG_MEM_SOFT_DIRTY of the kernel)',
  lazy_pages: 'lazy pages (userfaultfd of the kernel)',
}

/**
 * Ask whether this criu can do something on this kernel.
 * @param flag that asks for it
 * @throws RuntError 'host' when it can't
 */
export async function requireFeature({ program }: Criu, feature: keyof CriuFeatures, flag: string): Promise<void> {
  const { features } = await askOnce(program, { type: REQUEST.FEATURE_CHECK, features: { [feature]: true } })
  if (features?.[feature] === true) return
  throw new RuntError('host', `--${flag}: ${program} has no ${FEATURES[feature]} on this machine`)
}

/** As large CRIU's server of lazy pages makes a pipe. */
const PAGE_SERVER_PIPE = 1 << 22

/**
 * CRIU doesn't look whether it got the pipe that serves lazy pages, and fails when the first page is asked for: "splice: Bad
 * file descriptor". pipe(7): one beyond fs.pipe-max-size takes CAP_SYS_RESOURCE.
 * @returns a warning when it won't get one
 */
export function lazyServerTrouble(): string | undefined {
  const [read, write] = pipe()
  const result = trySyscall('fcntl', read, F.SETPIPE_SZ, PAGE_SERVER_PIPE)
  close(read)
  close(write)
  if (result >= 0) return undefined
  return `--lazy-pages: criu will fail to serve them: it needs CAP_SYS_RESOURCE, or sysctl fs.pipe-max-size=${PAGE_SERVER_PIPE}`
}

async function askOnce(program: string, request: CriuRequest): Promise<CriuResponse> {
  using worker = startWorker(program)
  return await ask(worker, request)
}
