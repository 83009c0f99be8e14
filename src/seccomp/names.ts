// The specification's words and what they are to the kernel and to libseccomp. A word that the schema has and a table hasn't is
// a type error. config-linux.md, Seccomp

import type { Seccomp } from '../config/types.ts'
import { AUDIT_ARCH, SECCOMP_FLAG, SECCOMP_RET } from '../linux/seccomp-abi.ts'

type Rule = NonNullable<Seccomp['syscalls']>[number]
type Condition = NonNullable<Rule['args']>[number]

/** Actions that carry an errno, or a number for the tracer, have it in the low bits. */
export const ACTIONS = {
  SCMP_ACT_KILL: SECCOMP_RET.KILL_THREAD,
  SCMP_ACT_KILL_PROCESS: SECCOMP_RET.KILL_PROCESS,
  SCMP_ACT_KILL_THREAD: SECCOMP_RET.KILL_THREAD,
  SCMP_ACT_TRAP: SECCOMP_RET.TRAP,
  SCMP_ACT_ERRNO: SECCOMP_RET.ERRNO,
  SCMP_ACT_TRACE: SECCOMP_RET.TRACE,
  SCMP_ACT_ALLOW: SECCOMP_RET.ALLOW,
  SCMP_ACT_LOG: SECCOMP_RET.LOG,
  SCMP_ACT_NOTIFY: SECCOMP_RET.USER_NOTIF,
} as const satisfies Record<Rule['action'], number>

/** enum scmp_compare */
export const OPERATORS = {
  SCMP_CMP_NE: 1,
  SCMP_CMP_LT: 2,
  SCMP_CMP_LE: 3,
  SCMP_CMP_EQ: 4,
  SCMP_CMP_GE: 5,
  SCMP_CMP_GT: 6,
  SCMP_CMP_MASKED_EQ: 7,
} as const satisfies Record<Condition['op'], number>

export const FLAGS = {
  SECCOMP_FILTER_FLAG_TSYNC: SECCOMP_FLAG.TSYNC,
  SECCOMP_FILTER_FLAG_LOG: SECCOMP_FLAG.LOG,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: SECCOMP_FLAG.SPEC_ALLOW,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: SECCOMP_FLAG.WAIT_KILLABLE_RECV,
} as const satisfies Record<NonNullable<Seccomp['flags']>[number], number>

type ArchitectureName = NonNullable<Seccomp['architectures']>[number]
export type MachineName = 'x64' | 'arm64'

/** libseccomp's own number: to the kernel x32 is a part of x86-64. */
export const X32 = 0x4000003e

/**
 * Whose system calls a process on such a machine can make, the machine's own first. An architecture that isn't listed needs no
 * rules: no call will ever be of it.
 */
export const ARCHITECTURES: Readonly<Record<MachineName, Partial<Record<ArchitectureName, number>>>> = {
  x64: { SCMP_ARCH_X86_64: AUDIT_ARCH.X86_64, SCMP_ARCH_X86: AUDIT_ARCH.I386, SCMP_ARCH_X32: X32 },
  arm64: { SCMP_ARCH_AARCH64: AUDIT_ARCH.AARCH64, SCMP_ARCH_ARM: AUDIT_ARCH.ARM },
}

/** All that a profile may name. */
export const ARCHITECTURE_NAMES = [
  'SCMP_ARCH_AARCH64',
  'SCMP_ARCH_ARM',
  'SCMP_ARCH_LOONGARCH64',
  'SCMP_ARCH_M68K',
  'SCMP_ARCH_MIPS',
  'SCMP_ARCH_MIPS64',
  'SCMP_ARCH_MIPS64N32',
  'SCMP_ARCH_MIPSEL',
  'SCMP_ARCH_MIPSEL64',
  'SCMP_ARCH_MIPSEL64N32',
  'SCMP_ARCH_PARISC',
  'SCMP_ARCH_PARISC64',
  'SCMP_ARCH_PPC',
  'SCMP_ARCH_PPC64',
  'SCMP_ARCH_PPC64LE',
  'SCMP_ARCH_RISCV64',
  'SCMP_ARCH_S390',
  'SCMP_ARCH_S390X',
  'SCMP_ARCH_SH',
  'SCMP_ARCH_SHEB',
  'SCMP_ARCH_X32',
  'SCMP_ARCH_X86',
  'SCMP_ARCH_X86_64',
] as const satisfies readonly ArchitectureName[]
