// process.apparmorProfile, process.selinuxLabel, linux.mountLabel: what the security modules know the container by.
//
// A label takes effect with the next execve, so it is written while the process still may (before no_new_privs), and the
// hooks before that don't have it. The file that it goes to is opened much earlier: in P1, since only a process itself
// may write its own, and while nothing of the image is mounted. It is a file of a procfs of our own, reached without
// crossing a mount, so nobody can put another in its place (CVE-2019-16884, CVE-2019-19921, CVE-2025-52881).

import { encodeName } from '../linux/names.ts'
import { O, RESOLVE } from '../linux/open-flags.ts'
import type { Operand, Value } from '../plan/step.ts'
import type { Context, ProcessContext } from './context.ts'
import { moveToSlot } from './descriptors.ts'
import type { FsParameter } from './fs-parameters.ts'
import { openIn } from './in-root.ts'

const APPARMOR = '/process/apparmorProfile'
const SELINUX = '/process/selinuxLabel'
const UNCONFINED = 'unconfined'

/** Which labels does the program get? Without AppArmor everybody is unconfined, and there is nothing to write. */
export function labelsOf({ config, facts }: Pick<ProcessContext, 'config' | 'facts'>): {
  readonly apparmor: string | undefined
  readonly selinux: string | undefined
} {
  const profile = config.process?.apparmorProfile
  return {
    apparmor: profile === UNCONFINED && !facts.apparmor ? undefined : profile,
    selinux: config.process?.selinuxLabel,
  }
}

/** Descriptors that wait for their label. */
export function labelSlots(
  context: Pick<ProcessContext, 'config' | 'facts'>,
): Readonly<Record<'apparmor' | 'selinux', boolean>> {
  const { apparmor, selinux } = labelsOf(context)
  return { apparmor: apparmor !== undefined, selinux: selinux !== undefined }
}

/**
 * In P1, before anything of the image is in its mount namespace: the files that the labels go to later, and the label of
 * the keys that it makes meanwhile.
 * @param procfs makes a procfs of our own
 */
export function lowerLabelDoors(context: ProcessContext, procfs: () => Value): void {
  const { plan, slots } = context
  const { apparmor, selinux } = labelsOf(context)
  if (apparmor !== undefined) {
    plan.section(APPARMOR, apparmor, () => {
      const own = procfs()
      const old = plan.label('old_kernel')
      const found = plan.label('found')
      const door = openOwn(context, own, 'attr/apparmor/exec', { onError: { ENOENT: old } })
      plan.jump(found)
      plan.place(old) // before 5.8, or no AppArmor
      openOwn(context, own, 'attr/exec', { result: door })
      plan.place(found)
      moveToSlot(context, door, slots.apparmor)
    })
  }
  if (selinux !== undefined) {
    plan.section(SELINUX, selinux, () => {
      const own = procfs()
      moveToSlot(context, openOwn(context, own, 'attr/exec'), slots.selinux)
      lowerKeyLabel(context, own, selinux)
    })
  }
}

/** Keys that are made from here on (the session keyring) are the container's. execve takes it back by itself. */
function lowerKeyLabel(context: ProcessContext, own: Value, label: string): void {
  const { plan } = context
  const none = plan.label('no_key_labels')
  const file = openOwn(context, own, 'attr/keycreate', { onError: { ENOENT: none } })
  write(context, file, label)
  plan.place(none)
}

/** Write the labels: the next execve is the program's. apparmor(7), proc_pid_attr(5) */
export function lowerLabels(context: ProcessContext): void {
  const { plan, slots } = context
  const { apparmor, selinux } = labelsOf(context)
  if (apparmor !== undefined) plan.section(APPARMOR, apparmor, () => write(context, slots.apparmor, `exec ${apparmor}`))
  if (selinux !== undefined) plan.section(SELINUX, selinux, () => write(context, slots.selinux, selinux))
}

function openOwn(
  context: ProcessContext,
  procfs: Value,
  path: string,
  options: Parameters<ProcessContext['plan']['syscall']>[2] = {},
): Value {
  // thread-self is a link, though one of the kernel's own text.
  const resolve = RESOLVE.BENEATH | RESOLVE.NO_XDEV | RESOLVE.NO_MAGICLINKS
  return openIn(context, procfs, `thread-self/${path}`, { flags: O.WRONLY, resolve, name: 'label', ...options })
}

function write({ plan }: ProcessContext, file: Operand, text: string): void {
  plan.syscall('write', [file, text, encodeName(text).length])
}

/** File systems that have no place for a context of their own: the kernel labels what is in them. */
const UNLABELLED = new Set(['proc', 'sysfs', 'cgroup', 'cgroup2', 'mqueue'])

/** linux.mountLabel as a parameter of a new file system. */
export function labelParameters(mountLabel: string | undefined, type: string): readonly FsParameter[] {
  return mountLabel === undefined || UNLABELLED.has(type) ? [] : [['context', mountLabel]]
}

/** … and as an option of mount(2), where a comma would end it. */
export function labelOption(mountLabel: string | undefined, type: string): readonly string[] {
  return labelParameters(mountLabel, type).map(([key, value]) => `${key}="${value}"`)
}

/** linux.mountLabel for a file system that takes no context: its root is labelled. */
export function lowerRootLabel({ plan, config }: Context, mount: Value): void {
  const { mountLabel } = config.linux
  if (mountLabel === undefined) return
  const flags = { kind: 'open-flags', flags: O.RDONLY | O.DIRECTORY | O.CLOEXEC } as const
  const root = plan.syscall('openat', [mount, '.', flags, 0], { name: 'root' })
  const size = encodeName(mountLabel).length
  plan.syscall('fsetxattr', [root, 'security.selinux', mountLabel, size, 0], { about: `label ${mountLabel}` })
}
