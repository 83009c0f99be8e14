// process.user, capabilities, noNewPrivileges, rlimits, umask, stdio's owner: who the program will be.

import type { CapabilitySet, Process } from '../config/types.ts'
import { CAPABILITY_NAMES, capabilityBit, capabilityNumber } from '../linux/capabilities.ts'
import { AT, O, S_IF, S_IFMT } from '../linux/open-flags.ts'
import { PR } from '../linux/prctl.ts'
import { RLIMITS } from '../linux/rlimits.ts'
import { STATX } from '../linux/statx.ts'
import { type DataObject, u32, u64 } from '../plan/builder.ts'
import type { Label } from '../plan/step.ts'
import type { ProcessContext } from './context.ts'
import { statDescriptor } from './statx.ts'

const DEFAULT_UMASK = 0o022
const CAPABILITY_VERSION_3 = 0x20080522

/** process.rlimits → prlimit64(2), while the rights to raise them are there. The caller's RLIMIT_NOFILE when none is given. */
export function lowerRlimits({ plan, config, facts }: ProcessContext): void {
  const limits = config.process?.rlimits ?? []
  const { nofile } = facts
  if (nofile !== undefined && !limits.some(({ type }) => type === 'RLIMIT_NOFILE')) {
    plan.section('', 'RLIMIT_NOFILE', () => {
      const limit = plan.constant(`rlimit{${nofile.soft} ${nofile.hard}}`, [u64(nofile.soft), u64(nofile.hard)])
      plan.syscall('prlimit64', [0, RLIMITS.RLIMIT_NOFILE, limit.address, 0])
    })
  }
  for (const [index, { type, soft, hard }] of limits.entries()) {
    plan.section(`/process/rlimits/${index}`, `${type} soft ${soft} hard ${hard}`, () => {
      const limit = plan.constant(`rlimit{${soft} ${hard}}`, [u64(soft), u64(hard)])
      plan.syscall('prlimit64', [0, RLIMITS[type], limit.address, 0])
    })
  }
}

/** process.noNewPrivileges → prctl(2). */
export function lowerNoNewPrivileges({ plan, config }: ProcessContext): void {
  if (config.process?.noNewPrivileges !== true) return
  plan.section('/process/noNewPrivileges', undefined, () =>
    plan.syscall('prctl', [PR.SET_NO_NEW_PRIVS, 1, 0, 0, 0], { name: 'no_new_privs' }),
  )
}

/**
 * Standard streams belong to the program's user, so that it may open them again through /proc/self/fd. Those that are the
 * host's null device, as engines give them, become the container's own: through a stream its mode could be changed for everybody.
 */
export function lowerStandardStreams(context: ProcessContext): void {
  const { plan, config } = context
  const user = config.process?.user
  if (user === undefined) return
  plan.section('/process/user', undefined, () => {
    for (const fd of [0, 1, 2]) {
      const next = plan.label('next')
      const another = plan.label('another')
      const found = statDescriptor(context, fd, { about: `descriptor ${fd}`, onError: { EBADF: next } })
      branchUnlessNull(context, found, another)
      lowerOwnNull(context, fd, next)
      plan.jump(next)
      plan.place(another)
      // A branch compares 31 bits; with a larger uid the owner is just set again.
      if (user.uid <= 0x7fffffff) plan.branch(found.field(STATX.uid, 4), 'eq', user.uid, next)
      const same = 0xffffffff
      plan.syscall('fchown', [fd, user.uid, same], {
        about: `descriptor ${fd}`,
        ignore: {
          EINVAL: 'its owner is not mapped in this user namespace',
          EPERM: 'its owner is not mapped in this user namespace',
          EROFS: 'the program can use it as it is',
        },
      })
      plan.place(next)
    }
  })
}

/** A container that has no null device keeps the stream that it was given. */
function lowerOwnNull(context: ProcessContext, fd: number, otherwise: Label): void {
  const { plan } = context
  const flags = { kind: 'open-flags', flags: O.RDWR | O.NOFOLLOW | O.NOCTTY | O.CLOEXEC } as const
  const own = plan.syscall('openat', [AT.FDCWD, '/dev/null', flags, 0], {
    name: 'own_null',
    path: 'container',
    onError: { '*': otherwise },
  })
  branchUnlessNull(context, statDescriptor(context, own), otherwise)
  plan.syscall('dup3', [own, fd, 0])
}

function branchUnlessNull({ plan }: ProcessContext, found: DataObject, otherwise: Label): void {
  plan.branch(found.field(STATX.mode, 2, S_IFMT), 'ne', S_IF.CHR, otherwise)
  plan.branch(found.field(STATX.rdevMajor, 4), 'ne', 1, otherwise)
  plan.branch(found.field(STATX.rdevMinor, 4), 'ne', 3, otherwise)
}

/**
 * The bounding set, then the ids, then the other sets: each needs rights that the next takes away. capabilities(7)
 * @param whose of this process, or of the child that it is about to fork, as far as that inherits it
 */
export function lowerUser(context: ProcessContext, whose: 'own' | 'child'): void {
  const { plan, config, facts } = context
  const { process } = config
  if (process === undefined) return
  const sets = grantedSets(process, facts.grantable)
  plan.section('/process/capabilities/bounding', undefined, () => {
    for (const [number, name] of CAPABILITY_NAMES.entries()) {
      if ((sets.bounding & capabilityBit(number)) !== 0n) continue
      plan.syscall('prctl', [PR.CAPBSET_DROP, number, 0, 0, 0], {
        name: 'drop',
        about: name,
        ignore: { EINVAL: 'this kernel does not know it' },
      })
    }
  })
  // Root stays root: the kernel takes nothing away that would have to be kept.
  if (process.user.uid !== 0) {
    plan.section('/process/capabilities', undefined, () =>
      plan.syscall('prctl', [PR.SET_KEEPCAPS, 1, 0, 0, 0], { name: 'keepcaps' }),
    )
  }
  lowerIds({ plan, config }, whose)
  const held = heldForFilter(context) | (whose === 'child' ? heldForScheduler(context) : 0n)
  const effective = sets.effective | (whose === 'child' ? heldForScheduler(context) : 0n)
  plan.section('/process/capabilities', undefined, () =>
    lowerCapset(context, { ...sets, permitted: sets.permitted | held, effective }),
  )
  if (whose === 'own') lowerAmbient(context, sets)
  plan.section('/process/user/umask', undefined, () => plan.syscall('umask', [process.user.umask ?? DEFAULT_UMASK]))
  // A change of ids leaves that to fs.suid_dumpable.
  plan.syscall('prctl', [PR.SET_DUMPABLE, 0, 0, 0, 0], { name: 'dumpable' })
}

/**
 * In a child whose parent has done lowerUser() for it. It is the user's in everything but the real uid, and becomes so without
 * rights: only now does it count among the user's processes (RLIMIT_NPROC), which the parent must not.
 */
export function lowerChildUser(context: ProcessContext): void {
  const { plan, config, facts } = context
  const { process } = config
  if (process === undefined) return
  const sets = grantedSets(process, facts.grantable)
  const { uid } = process.user
  if (uid !== 0) plan.section('/process/user/uid', `uid ${uid}`, () => plan.syscall('setresuid', [uid, uid, uid]))
  if ((heldForScheduler(context) & ~sets.effective) !== 0n) {
    plan.section('/process/capabilities', undefined, () =>
      lowerCapset(context, { ...sets, permitted: sets.permitted | heldForFilter(context) }),
    )
  }
  lowerAmbient(context, sets)
}

/** As an id: leave it as it is. */
const SAME = 0xffffffff

function lowerGroups(plan: ProcessContext['plan'], { additionalGids }: Process['user']): void {
  plan.section('/process/user/additionalGids', additionalGids.join(','), () => {
    const groups = plan.constant(`groups [${additionalGids.join(' ')}]`, additionalGids.map(u32))
    plan.syscall('setgroups', [additionalGids.length, additionalGids.length === 0 ? 0 : groups.address], {
      ...(additionalGids.length === 0 ? { ignore: { EPERM: 'setgroups is denied in this user namespace' } } : {}),
    })
  })
}

function lowerIds({ plan, config }: Pick<ProcessContext, 'plan' | 'config'>, whose: 'own' | 'child'): void {
  const user = config.process?.user
  if (user === undefined) return
  if (user.keepsGroups !== true) lowerGroups(plan, user)
  plan.section('/process/user/gid', `gid ${user.gid}`, () => plan.syscall('setresgid', [user.gid, user.gid, user.gid]))
  const real = whose === 'own' || user.uid === 0 ? user.uid : SAME
  plan.section('/process/user/uid', `uid ${user.uid}`, () => plan.syscall('setresuid', [real, user.uid, user.uid]))
}

export type CapabilitySets = Readonly<Record<CapabilitySet, bigint>>

export const CAP_SYS_ADMIN = capabilityBit(21)

/** What is kept, but not in effect, until the filter of system calls is loaded: see seccomp.ts. */
export function heldForFilter({ config, facts }: ProcessContext): bigint {
  return facts.seccomp === undefined || config.process?.noNewPrivileges === true ? 0n : CAP_SYS_ADMIN & facts.grantable
}

const CAP_SYS_NICE = capabilityBit(23)

/** What a child that is to be scheduled otherwise keeps until then. */
function heldForScheduler({ config, facts }: ProcessContext): bigint {
  return config.process?.scheduler === undefined ? 0n : CAP_SYS_NICE & facts.grantable
}

/** What can be given of what is asked; the rest was warned about. A config that asks for none gets none. */
export function grantedSets(process: Process, grantable: bigint): CapabilitySets {
  const set = (name: CapabilitySet): bigint => capabilitySet(process.capabilities?.[name] ?? []) & grantable
  const permitted = set('permitted')
  const inheritable = set('inheritable')
  return {
    bounding: set('bounding'),
    permitted,
    effective: set('effective') & permitted,
    inheritable,
    ambient: set('ambient') & permitted & inheritable,
  }
}

/** Names → bit set. */
export function capabilitySet(names: readonly string[]): bigint {
  return names.reduce((set, name) => {
    const number = capabilityNumber(name)
    return number === undefined ? set : set | capabilityBit(number)
  }, 0n)
}

function lowerAmbient({ plan }: ProcessContext, sets: CapabilitySets): void {
  plan.section('/process/capabilities/ambient', undefined, () => {
    for (const [number, name] of CAPABILITY_NAMES.entries()) {
      if ((sets.ambient & capabilityBit(number)) === 0n) continue
      plan.syscall('prctl', [PR.CAP_AMBIENT, PR.CAP_AMBIENT_RAISE, number, 0, 0], { name: 'raise', about: name })
    }
  })
}

/** capset(2). */
export function lowerCapset({ plan }: ProcessContext, sets: CapabilitySets): void {
  const low = (set: bigint): bigint => set & 0xffffffffn
  const high = (set: bigint): bigint => set >> 32n
  const header = plan.struct('cap_header', [u32(CAPABILITY_VERSION_3), u32(0)])
  const data = plan.constant(
    `cap_data{${sets.effective.toString(16)} ${sets.permitted.toString(16)} ${sets.inheritable.toString(16)}}`,
    [
      ...[low(sets.effective), low(sets.permitted), low(sets.inheritable)].map(u32),
      ...[high(sets.effective), high(sets.permitted), high(sets.inheritable)].map(u32),
    ],
  )
  plan.syscall('capset', [header.address, data.address])
}
