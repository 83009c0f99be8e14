// A procfs of our own, which nobody can mount over; sysctls and labels are written through it (CVE-2025-52881).

import { sysctlPath } from '../config/sysctl.ts'
import { ERRNO } from '../linux/errno.ts'
import { FSCONFIG, FSMOUNT_CLOEXEC, FSOPEN_CLOEXEC } from '../linux/mount-flags.ts'
import { encodeName } from '../linux/names.ts'
import { AT, O } from '../linux/open-flags.ts'
import { PROC_SUPER_MAGIC } from '../linux/proc-files.ts'
import { STATX } from '../linux/statx.ts'
import type { Value } from '../plan/step.ts'
import type { Context, ProcessContext } from './context.ts'
import { openBeneath } from './in-root.ts'
import { statDescriptor } from './statx.ts'

const PROC_ROOT_INO = 1

/** A detached procfs; where the kernel won't give one (a user namespace that sees a masked /proc), the host's, verified. */
export function lowerProcfs(context: ProcessContext): Value {
  const { plan } = context
  const refused = plan.label('refused')
  const there = plan.label('procfs')
  const fs = plan.syscall('fsopen', ['proc', FSOPEN_CLOEXEC], { name: 'fs', onError: { EPERM: refused } })
  plan.syscall('fsconfig', [fs, FSCONFIG.CMD_CREATE, 0, 0, 0], { onError: { EPERM: refused } })
  const procfs = plan.syscall('fsmount', [fs, FSMOUNT_CLOEXEC, 0], { name: 'procfs', onError: { EPERM: refused } })
  plan.jump(there)
  plan.place(refused)
  const flags = { kind: 'open-flags', flags: O.PATH | O.DIRECTORY | O.CLOEXEC } as const
  plan.syscall('openat', [AT.FDCWD, '/proc', flags, 0], { result: procfs })
  const about = "the host's /proc is no procfs"
  const found = plan.buffer('statfs', 120)
  plan.syscall('fstatfs', [procfs, found.address])
  plan.require(found.field(0, 4), 'eq', PROC_SUPER_MAGIC, ERRNO.EINVAL, about)
  const root = statDescriptor(context, procfs)
  plan.require(root.field(STATX.inode, 4), 'eq', PROC_ROOT_INO, ERRNO.EINVAL, about)
  plan.place(there)
  return procfs
}

/** The container's init needs it for more than one thing. */
export function ownProcfs(context: Context): Value {
  context.procfs ??= lowerProcfs(context)
  return context.procfs
}

/** One text into one file of our procfs. */
export function writeProc(context: Context, procfs: Value, path: string, text: string): void {
  const { plan } = context
  const fd = openBeneath(context, procfs, path, O.WRONLY, 'knob')
  plan.syscall('write', [fd, text, encodeName(text).length])
  plan.syscall('close', [fd])
}

/** linux.sysctl, in the container's namespaces. Both spellings: net.ipv4.ip_forward, net/ipv4/ip_forward. sysctl(8) */
export function lowerSysctl(context: Context): void {
  const { plan, config } = context
  const settings = Object.entries(config.linux.sysctl)
  if (settings.length === 0) return
  const made: { procfs?: Value } = {}
  plan.section('/linux/sysctl', 'procfs', () => {
    made.procfs = ownProcfs(context)
  })
  const { procfs } = made
  if (procfs === undefined) return
  for (const [key, value] of settings) {
    plan.section(sysctlPointer(key), key, () => writeProc(context, procfs, `sys/${sysctlPath(key)}`, value))
  }
}

/** The JSON pointer of a kernel parameter. */
export function sysctlPointer(name: string): string {
  return `/linux/sysctl/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
}
