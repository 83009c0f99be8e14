// Checks of /linux/seccomp (runtime-spec config-linux.md, Seccomp).

import { NOTIFY_WRITE } from '../words.ts'
import type { Check, Checks } from './checks.ts'

/** Actions that carry a number, and the largest that they can: MAX_ERRNO of the kernel, SECCOMP_RET_DATA's 16 bits. */
const ERRNO_LIMITS: ReadonlyMap<string, number> = new Map([
  ['SCMP_ACT_ERRNO', 4095],
  ['SCMP_ACT_TRACE', 65535],
])

const seccompErrno: Check = ({ linux }, report) => {
  const seccomp = linux?.seccomp
  if (seccomp === undefined) return
  const check = (pointer: string, errno: number | undefined, action: string) => {
    if (errno === undefined) return
    const limit = ERRNO_LIMITS.get(action)
    if (limit === undefined) report(pointer, errno, `is for SCMP_ACT_ERRNO and SCMP_ACT_TRACE, not for ${action}`)
    else if (errno > limit) report(pointer, errno, `must be at most ${limit}`)
  }
  check('/linux/seccomp/defaultErrnoRet', seccomp.defaultErrnoRet, seccomp.defaultAction)
  seccomp.syscalls?.forEach(({ action, errnoRet }, index) => {
    check(`/linux/seccomp/syscalls/${index}/errnoRet`, errnoRet, action)
  })
}

/** An agent decides on SCMP_ACT_NOTIFY; runt has to write to it to hand over the listener, which must not wait for itself. */
const seccompListener: Check = ({ linux }, report) => {
  const seccomp = linux?.seccomp
  if (seccomp === undefined) return
  const { listenerPath = '', listenerMetadata = '', syscalls = [] } = seccomp
  if (listenerMetadata !== '' && listenerPath === '') {
    report('/linux/seccomp/listenerMetadata', undefined, 'needs a listenerPath')
  }
  if (listenerPath !== '' && !listenerPath.startsWith('/')) {
    report('/linux/seccomp/listenerPath', listenerPath, 'must be an absolute path')
  }
  if (seccomp.defaultAction === 'SCMP_ACT_NOTIFY') {
    report('/linux/seccomp/defaultAction', seccomp.defaultAction, 'would also stop the calls that start the container')
  }
  syscalls.forEach(({ action, names }, index) => {
    if (action !== 'SCMP_ACT_NOTIFY') return
    const pointer = `/linux/seccomp/syscalls/${index}`
    if (listenerPath === '') report(`${pointer}/action`, action, 'needs a listenerPath')
    const write = names.indexOf('write')
    if (write >= 0) report(`${pointer}/names/${write}`, 'write', `${NOTIFY_WRITE}: runt needs it to start`)
  })
}

export const SECCOMP_CHECKS: Checks = { seccompErrno, seccompListener }
