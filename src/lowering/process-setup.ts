// Small properties of the process that need one or two calls each.

import { cpuMask } from '../linux/cpu-list.ts'
import { ERRNO } from '../linux/errno.ts'
import { AT, O } from '../linux/open-flags.ts'
import { PERSONALITIES } from '../linux/personality.ts'
import type { PlanBuilder } from '../plan/builder.ts'
import type { Value } from '../plan/step.ts'
import type { ProcessContext } from './context.ts'

const KEYCTL_JOIN_SESSION_KEYRING = 1
const KEYCTL_SETPERM = 5
/** Possessor all; user view, read, search, link. */
const SESSION_KEYRING_PERMISSIONS = 0x3f1b0000

/**
 * A session keyring of the container's own, so that it doesn't see the caller's keys. keyrings(7)
 * @param whose init's is made, others join it by its name
 */
export function lowerKeyring({ plan, facts }: ProcessContext, whose: 'init' | 'exec'): void {
  if (facts.noNewKeyring) return
  plan.section('', 'session keyring', () => {
    const none = plan.label('no_keyring')
    const ring = plan.syscall('keyctl', [KEYCTL_JOIN_SESSION_KEYRING, `_ses.${facts.id}`, 0, 0, 0], {
      name: 'keyring',
      onError: { ENOSYS: none, EPERM: none }, // a kernel, or an outer container, without keys
    })
    if (whose === 'init') {
      plan.syscall('keyctl', [KEYCTL_SETPERM, ring, SESSION_KEYRING_PERMISSIONS, 0, 0], { name: 'keyring_permissions' })
    }
    plan.place(none)
  })
}

/** process.oomScoreAdj, written in P0 with the host's rights; P1 inherits it. proc_pid_oom_score_adj(5) */
export function lowerOomScore({ plan, config }: ProcessContext): void {
  const score = config.process?.oomScoreAdj
  if (score === undefined) return
  plan.section('/process/oomScoreAdj', `oom_score_adj ${score}`, () => writeOomScore(plan, score))
}

/** @param ignore errors of the write, with why */
export function writeOomScore(plan: PlanBuilder, score: number, ignore: Readonly<Record<string, string>> = {}): void {
  const flags = { kind: 'open-flags', flags: O.WRONLY | O.CLOEXEC } as const
  const fd = plan.syscall('openat', [AT.FDCWD, '/proc/self/oom_score_adj', flags, 0], { name: 'oom_score_adj' })
  plan.syscall('write', [fd, `${score}`, `${score}`.length], { ignore })
  plan.syscall('close', [fd])
}

/** process.execCPUAffinity: the CPUs of a process of exec before it is in the container's cgroup, and from then on. */
export function lowerAffinity({ plan, config }: ProcessContext, moment: 'initial' | 'final'): void {
  const list = config.process?.execCPUAffinity?.[moment]
  const mask = list === undefined ? undefined : cpuMask(list)
  if (mask === undefined) return
  plan.section(`/process/execCPUAffinity/${moment}`, `CPUs ${list}`, () => {
    plan.syscall('sched_setaffinity', [0, mask.length, plan.constant(`cpus ${list}`, [mask]).address])
  })
}

/** For 8192 CPUs: the kernel takes of it what there is, and what the cpuset has. */
const ALL_CPUS = new Uint8Array(1024).fill(0xff)

/**
 * In the container's cgroup: all CPUs that it has, whatever runt was started with. An affinity that somebody has set (systemd,
 * for its services) outlives the move to a cpuset since Linux 6.2.
 */
export function lowerAffinityReset({ plan }: ProcessContext): void {
  plan.section('', 'CPU affinity', () => {
    plan.syscall('sched_setaffinity', [0, ALL_CPUS.length, plan.constant('all CPUs', [ALL_CPUS]).address], {
      name: 'all_cpus',
      ignore: { EINVAL: 'the cpuset has no CPUs yet', EPERM: 'a filter of system calls that runt itself is under' },
    })
  })
}

/** linux.personality → personality(2); execve keeps it. */
export function lowerPersonality({ plan, config }: ProcessContext): void {
  const { personality } = config.linux
  if (personality === undefined) return
  plan.section('/linux/personality', personality, () => plan.syscall('personality', [PERSONALITIES[personality]]))
}

/** The second try of entering the working folder, once the process has its user's rights. */
export interface CwdEntry {
  retry(): void
}

/**
 * process.cwd, entered by descriptor (a /proc/self/fd link is refused: CVE-2024-21626).
 * @param openFolder how it is found inside the root: a descriptor of the folder
 */
export function lowerCwd(context: ProcessContext, openFolder: (cwd: string) => Value): CwdEntry {
  const { plan, config } = context
  const cwd = config.process?.cwd
  // The pivot leaves us in "/".
  if (cwd === undefined || cwd === '/') return { retry: () => {} }
  const made: { target?: Value; entered?: Value } = {}
  plan.section('/process/cwd', cwd, () => {
    made.target = openFolder(cwd)
    made.entered = plan.syscall('fchdir', [made.target], {
      ignore: { EACCES: 'the user may have the right that root lacks' },
    })
  })
  const retry = (): void => {
    const { target, entered } = made
    if (target === undefined || entered === undefined) return
    plan.section('/process/cwd', cwd, () => {
      const inside = plan.label('inside')
      plan.branch(entered, 'eq', 0, inside)
      plan.syscall('fchdir', [target])
      plan.place(inside)
      const path = plan.buffer('path', 4096)
      plan.syscall('getcwd', [path.address, 4096], { name: 'cwd' })
      plan.require(
        path.field(0, 1),
        'eq',
        '/'.charCodeAt(0),
        ERRNO.ENOENT,
        'current folder is outside of the container',
      )
    })
  }
  return { retry }
}
