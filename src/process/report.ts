// (step, code) → what a person reads: which config property, which object, which call, which error, and the cure if known.

import type { ErrorCode } from '../error-codes.ts'
import { RuntError } from '../errors.ts'
import { ERRNO, errnoName, errnoText } from '../linux/errno.ts'
import { HOOK_FAILED } from '../plan/messages.ts'
import type { Plan, Step } from '../plan/step.ts'
import { pointerText, stepsOf } from '../pointer.ts'
import { printable } from '../printable.ts'
import { hookWords } from '../words.ts'
import type { Failure } from './sync.ts'
import { describeStatus } from './wait.ts'

/** What of a step is needed to speak of its failure: small enough to be kept in the state. */
export interface StepLabel {
  readonly origin: string
  readonly about: string
  /** The system call; '' for a check of runt's own. */
  readonly call: string
}

/** @returns the label of a plan's step */
export function stepLabel(step: Step): StepLabel {
  return { origin: step.origin, about: step.about ?? '', call: step.op === 'syscall' ? step.name : '' }
}

/** Labels of the steps from one on, and of the routines that are called there: what may still fail after the gate. */
export function labelsFrom({ steps }: Pick<Plan, 'steps'>, first: number): Record<number, StepLabel> {
  const labels: Record<number, StepLabel> = {}
  const called = new Set<number>()
  // A routine stands before those that call it, and all of them behind the program: so callers come first from behind.
  const starts = steps.flatMap(({ op }, index) => (op === 'routine' ? [index] : []))
  const [program = steps.length] = starts
  const label = (start: number, end: number): void => {
    for (let index = start; index < end; index++) {
      const step = steps[index]
      if (step?.op === 'call') called.add(step.routine.id)
      if (step?.op === 'syscall' || step?.op === 'call' || step?.op === 'fail') labels[index] = stepLabel(step)
    }
  }
  label(first, program)
  for (const [at, start] of [...starts.entries()].reverse()) {
    const step = steps[start]
    if (step?.op === 'routine' && called.has(step.routine.id)) label(start, starts[at + 1] ?? steps.length)
  }
  return labels
}

/**
 * A routine speaks for the call that led there: of its own step it says what was done, and to what if it knows better; of its
 * own checks, what was wrong with what the call is about.
 */
export function failedLabel(
  labelOf: (step: number) => StepLabel | undefined,
  { step, caller }: Pick<Failure, 'step' | 'caller'>,
): StepLabel | undefined {
  const label = labelOf(step)
  const call = caller === undefined ? undefined : labelOf(caller)
  if (label === undefined || call === undefined) return label
  const isCheck = label.call === '' && label.about !== HOOK_FAILED
  const abouts = isCheck ? [call.about, label.about] : [label.about || call.about]
  return { ...label, origin: call.origin, about: abouts.filter((about) => about !== '').join(': ') }
}

const NO_MORE_PROCESSES = "pids.limit is reached, or the process has SCHED_DEADLINE and can't make others"

/** Cures by call and errno; a word behind them must be in what the failure speaks of, or be its pointer. The first that fits. */
const HINTS: readonly (readonly [failure: string, word: string, hint: string])[] = [
  ['fsopen ENODEV', '', 'this kernel does not know the file system; is its module loaded?'],
  ['fsopen EPERM', 'sysfs', 'in a user namespace a sysfs needs a new network namespace; or bind /sys'],
  ['fsconfig EINVAL', 'option gid=', "the group is not mapped in the container's user namespace: leave the option out"],
  ['fsconfig EINVAL', 'option uid=', "the user is not mapped in the container's user namespace: leave the option out"],
  [
    'open_tree EINVAL',
    '',
    'the source can not be bound alone: in a user namespace what is mounted below it must stay there (use rbind); or it is ' +
      'unbindable',
  ],
  ['fsconfig EINVAL', 'option ', 'the file system knows no such option, or not with this value'],
  ['fsconfig EPERM', 'mount proc', 'in a user namespace a proc needs a new pid namespace; or bind /proc'],
  ['fsconfig EPERM', 'mount mqueue', 'in a user namespace an mqueue needs a new ipc namespace; or bind /dev/mqueue'],
  ['fsconfig EPERM', 'mount cgroup', 'in a user namespace a cgroup file system needs a new cgroup namespace'],
  ['fsconfig EPERM', '', 'only root of the machine may mount this file system, or set this option'],
  ['fspick EPERM', '', 'the file system belongs to an outer user namespace'],
  [
    'fsmount EPERM',
    '',
    'the mount would reveal too much: something is mounted over a part of every proc or sysfs here (masked or ' +
      'read-only paths of an outer container do that), and in a user namespace a new one must not show what that hides. ' +
      'Bind the outer one (options rbind), or run the outer container without masks',
  ],
  ['mount_setattr EINVAL', 'idmap', 'this file system can not show its files with other owners'],
  [
    'mount_setattr EINVAL',
    '',
    'nothing is mounted there, and only what is can have its flags or its propagation changed',
  ],
  ['fspick EINVAL', '', 'nothing is mounted there that could be mounted again'],
  ['mount_setattr EPERM', 'idmap', 'the file system belongs to an outer user namespace, or is ID-mapped already'],
  [
    'mount_setattr EPERM',
    '',
    'an outer user namespace has locked a flag (ro, nosuid, nodev, noexec or one of atime): do not ask for its opposite',
  ],
  [
    'setgroups EPERM',
    '',
    "where an ordinary user's own group alone is mapped, the kernel grants no others: map a range (linux.gidMappings), or leave " +
      'additionalGids out',
  ],
  ['setgroups EINVAL', '', "one is not mapped in the container's user namespace: see /proc/self/gid_map there"],
  ['setresuid EINVAL', '', "the id is not mapped in the container's user namespace: see /proc/self/uid_map there"],
  ['setresgid EINVAL', '', "the id is not mapped in the container's user namespace: see /proc/self/gid_map there"],
  ['setns EINVAL', '', 'the file is not a namespace of that type'],
  [
    'openat2 ELOOP',
    '',
    'the image has a symbolic link where none is allowed: proc and sysfs must be mounted on ordinary directory',
  ],
  ['openat2 ENOTDIR', '', 'the image has a file where a folder must be'],
  ['connect EAGAIN', 'console socket', 'whoever made it does not accept connections, and its queue is full'],
  ['move_mount ENOTDIR', '', 'one of source and target is a folder, the other a file'],
  ['clone3 EINVAL', '', 'the kernel lacks one of the namespace types'],
  ['clone3 ENOSPC', '', 'a limit in /proc/sys/user is reached, or namespaces are nested too deep'],
  [
    'clone3 EPERM',
    '',
    'an unprivileged user needs a user namespace (runt spec --rootless writes a config with one), and a machine that lets him ' +
      'make one: kernel.unprivileged_userns_clone',
  ],
  ['write EACCES', 'oom_score_adj', "only root (CAP_SYS_RESOURCE) may lower it below the caller's"],
  ['prlimit64 EPERM', '', "a hard limit above the caller's takes CAP_SYS_RESOURCE"],
  ['clone EPERM', '', 'does linux.seccomp allow what hooks need?'],
  ['seccomp EACCES', '', 'without process.noNewPrivileges it takes CAP_SYS_ADMIN'],
  ['seccomp EBUSY', '', 'another listener watches already: runt itself runs under a filter that has one'],
  [
    'sched_setattr EPERM',
    '',
    'a real-time policy needs CAP_SYS_NICE on the host, and realtimeRuntime in linux.resources.cpu',
  ],
  ['set_mempolicy EINVAL', 'MPOL_WEIGHTED_INTERLEAVE', 'it came with Linux 6.9'],
  ['clone3 EOPNOTSUPP', '', "the cgroup's place can have no processes: it is threaded, or below one that is"],
  [
    'clone3 EBUSY',
    '',
    'the cgroup hands controllers down (cgroup.subtree_control), and can have no processes of its own',
  ],
  ['write ENOENT', '/process/apparmorProfile', 'no such profile is loaded: apparmor_parser --replace FILE loads it'],
  ...['clone', 'clone3'].map((call) => [`${call} EAGAIN`, '', NO_MORE_PROCESSES] as const),
  ['execve ENOEXEC', '', 'the file is for another machine, or a script without #! line'],
  ['mknodat EACCES', '', 'the rootfs is not writable for the root of the user namespace'],
]

function hintFor(failure: string, { about, origin }: StepLabel): string | undefined {
  return HINTS.find(([known, word]) => known === failure && (about.includes(word) || origin === word))?.[2]
}

/** The error of a plan's failed step. */
export function planFailure(plan: Plan, failure: Failure): RuntError {
  const labelOf = (index: number): StepLabel | undefined => {
    const step = plan.steps[index]
    return step === undefined ? undefined : stepLabel(step)
  }
  return failureError(failedLabel(labelOf, failure), failure)
}

/** The error of a failed step. */
export function failureError(label: StepLabel | undefined, failure: Failure): RuntError {
  if (label === undefined)
    return new RuntError('internal', `init failed in unknown step ${failure.step}: ${failure.code}`)
  const data = { step: failure.step, pointer: label.origin, syscall: label.call }
  const where = label.origin === '' ? '' : `${pointerText(label.origin)}: `
  if (label.about === HOOK_FAILED) {
    const output = failure.text.trim()
    const said = output === '' ? '' : `: ${printable(output)}`
    const [, kind = '', index = ''] = stepsOf(label.origin)
    return new RuntError('hook', `${where}${hookWords(kind, index)}: ${describeStatus(failure.code)}${said}`, { data })
  }
  const error = errnoName(failure.code)
  const hint = hintFor(`${label.call} ${error}`, label)
  const object = label.about === '' ? '' : `${label.about}: `
  // A check of runt's own says all in words; the words of a missing program are those that engines look for.
  const end =
    label.call === ''
      ? label.about
      : (execFailure(label, failure) ?? `${object}${label.call}: ${error}: ${errnoText(failure.code)}`)
  return new RuntError(codeOf(label, failure), `${where}${end}`, {
    data: { ...data, errno: error },
    ...(hint === undefined ? {} : { hint }),
  })
}

/** "exec /run.sh: no such file or directory", as runc says it and people look it up. */
function execFailure({ origin, about, call }: StepLabel, { code }: Failure): string | undefined {
  const name = /^exec: (".*")$/.exec(about)?.[1]
  if (origin !== '/process/args' || call !== 'execve' || name === undefined) return undefined
  return `exec ${printable(JSON.parse(name))}: ${errnoText(code)} (execve: ${errnoName(code)})`
}

/** Engines tell a program that isn't there from one that can't be executed. */
function codeOf({ origin }: StepLabel, { code }: Failure): ErrorCode {
  if (!origin.startsWith('/process/args')) return 'init'
  return code === ERRNO.ENOENT || code === ERRNO.ENOTDIR ? 'program-not-found' : 'program-not-executable'
}
