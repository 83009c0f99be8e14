// Checks of /process (runtime-spec config.md, Process).

import { cpuMask } from '../linux/cpu-list.ts'
import { MOST_RANGES } from './check-linux.ts'
import type { Check, Checks } from './checks.ts'
import type { OciConfig, OciProcess } from './generated/oci.d.ts'
import { cleanPath } from './path.ts'
import type { Report } from './problems.ts'

/** struct winsize has 16 bits for each. */
const LONGEST_SIDE = 65535

const args: Check = ({ process }, report) => {
  if (process === undefined) return
  if (process.args === undefined) report('/process/args', undefined, 'is missing')
  else if (process.args.length === 0) report('/process/args', process.args, 'must name the program to run')
  else if (process.args[0] === '') report('/process/args/0', '', 'must name the program to run')
}

/** Past CVE-2024-21626: a folder behind a descriptor may be one of the host's. */
const cwd: Check = ({ process }, report) => {
  if (process === undefined || !process.cwd.includes('/proc')) return
  if (leadsThroughDescriptor(process.cwd)) report('/process/cwd', process.cwd, 'must not lead through a descriptor')
}

/** /proc/self/fd/7 and the like. */
export function leadsThroughDescriptor(path: string): boolean {
  return /^\/proc\/(self|thread-self|\d+)(\/task\/\d+)?\/fd(\/|$)/.test(cleanPath(path))
}

/** Without a terminal its size is ignored. */
const consoleSize: Check = ({ process }, report) => {
  if (process?.terminal !== true || process.consoleSize === undefined) return
  for (const side of ['height', 'width'] as const) {
    const size = process.consoleSize[side]
    if (size > LONGEST_SIDE) report(`/process/consoleSize/${side}`, size, `must be at most ${LONGEST_SIDE}`)
  }
}

/** Each type once, and no soft limit above its ceiling. setrlimit(2) */
const rlimits: Check = ({ process }, report) => {
  const first = new Map<string, number>()
  process?.rlimits?.forEach(({ type, soft, hard }, index) => {
    const earlier = first.get(type)
    if (earlier !== undefined) {
      report(`/process/rlimits/${index}/type`, type, 'is listed already at', { other: `/process/rlimits/${earlier}` })
    }
    first.set(type, earlier ?? index)
    if (soft > hard) report(`/process/rlimits/${index}/soft`, soft, `must not be above the hard limit, ${hard}`)
  })
}

/** In a new user namespace only mapped ids exist. user_namespaces(7) */
const user: Check = ({ process, linux }, report, namespaces) => {
  if (process === undefined || namespaces.get('user') !== 'new') return
  const { uidMappings = [], gidMappings = [] } = linux ?? {}
  const isMapped = ({ length }: readonly unknown[]) => length > 0 && length <= MOST_RANGES
  if (!isMapped(uidMappings) || !isMapped(gidMappings)) return // told by the check of the mappings
  const { uid = 0, gid = 0, additionalGids = [] } = process.user ?? {}
  requireMapped('/process/user/uid', uid, { mappings: uidMappings, list: 'linux.uidMappings', report })
  requireMapped('/process/user/gid', gid, { mappings: gidMappings, list: 'linux.gidMappings', report })
  additionalGids.forEach((group, index) => {
    const pointer = `/process/user/additionalGids/${index}`
    requireMapped(pointer, group, { mappings: gidMappings, list: 'linux.gidMappings', report })
  })
}

interface Mapped {
  readonly mappings: NonNullable<NonNullable<OciConfig['linux']>['uidMappings']>
  readonly list: string
  readonly report: Report
}

function requireMapped(pointer: string, id: number, { mappings, list, report }: Mapped): void {
  const mapped = mappings.some(({ containerID, size }) => id >= containerID && id < containerID + size)
  if (!mapped) report(pointer, id, `is not in the container: ${list} doesn't map it`)
}

const STATIC_PRIORITY = new Set(['SCHED_FIFO', 'SCHED_RR'])

/** sched_setattr(2): which number belongs to which policy. */
const scheduler: Check = ({ process }, report) => {
  const given = process?.scheduler
  if (given === undefined) return
  const { policy, priority = 0 } = given
  const isStatic = STATIC_PRIORITY.has(policy)
  if (isStatic && priority < 1) {
    report('/process/scheduler/priority', given.priority, `must be 1 to 99 for ${policy}`)
  }
  if (!isStatic && priority !== 0) {
    report('/process/scheduler/priority', priority, `is for SCHED_FIFO and SCHED_RR, not for ${policy}`)
  }
  if (policy === 'SCHED_DEADLINE') return deadline(given, report)
  for (const name of ['runtime', 'deadline', 'period'] as const) {
    const value = given[name]
    if (value !== undefined && value > 0) {
      report(`/process/scheduler/${name}`, value, `is for SCHED_DEADLINE, not for ${policy}`)
    }
  }
}

/** sched(7): runtime ≤ deadline ≤ period, a period of 0 being the deadline's length. */
function deadline(given: NonNullable<OciProcess['scheduler']>, report: Report): void {
  const { runtime = 0, deadline = 0, period = 0 } = given
  if (runtime <= 0) report('/process/scheduler/runtime', given.runtime, 'must be given for SCHED_DEADLINE')
  if (runtime > deadline)
    report('/process/scheduler/deadline', given.deadline, `must not be below the runtime, ${runtime}`)
  if (period > 0 && deadline > period) {
    report('/process/scheduler/period', period, `must not be below the deadline, ${deadline}`)
  }
}

const execCPUAffinity: Check = ({ process }, report) => {
  for (const moment of ['initial', 'final'] as const) {
    const list = process?.execCPUAffinity?.[moment]
    if (list === undefined || list === '' || cpuMask(list) !== undefined) continue
    report(`/process/execCPUAffinity/${moment}`, list, 'must be a list of CPUs as "0-3,7"')
  }
}

export const PROCESS_CHECKS: Checks = { args, cwd, consoleSize, rlimits, user, scheduler, execCPUAffinity }
