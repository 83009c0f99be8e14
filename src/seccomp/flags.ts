// linux.seccomp.flags → the flags of seccomp(2).

import type { Seccomp } from '../config/types.ts'
import { SECCOMP_FLAG } from '../linux/seccomp-abi.ts'
import { FLAGS } from './names.ts'

/** Does a rule leave its calls to an agent? */
export function hasListener({ syscalls = [] }: Seccomp): boolean {
  return syscalls.some(({ action }) => action === 'SCMP_ACT_NOTIFY')
}

/** Without `flags` it is SPEC_ALLOW, as runc has it: that a filter is there is no reason to give up speculation. */
export function kernelFlags(seccomp: Seccomp): number {
  const { flags = ['SECCOMP_FILTER_FLAG_SPEC_ALLOW'] } = seccomp
  const asked = flags.reduce((all, flag) => all | FLAGS[flag], 0)
  // How an agent is waited for means nothing without one, and the kernel refuses it.
  if (!hasListener(seccomp)) return asked & ~SECCOMP_FLAG.WAIT_KILLABLE_RECV
  // With a listener TSYNC has no other way to say which thread it failed for.
  const sync = (asked & SECCOMP_FLAG.TSYNC) === 0 ? 0 : SECCOMP_FLAG.TSYNC_ESRCH
  return asked | sync | SECCOMP_FLAG.NEW_LISTENER
}
