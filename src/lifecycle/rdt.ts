// A container's group in resctrl over its life. What makes it is loaded only where a config asks for it.

import type { Config } from '../config/types.ts'
import { RuntError } from '../errors.ts'
import { ERRNO } from '../linux/errno.ts'
import { readFile, tryRemoveDirectory } from '../native/file.ts'
import { SyscallError } from '../native/syscall.ts'
import type { Container } from './container.ts'

/** What a container's record keeps of it. Absolute paths, folders innermost first. */
export interface RdtRecord {
  /** Files that a process writes itself into, in this order. */
  readonly tasks: readonly string[]
  /** What delete removes: a group that others may use stays. */
  readonly own: readonly string[]
  /** What a create that fails takes back. */
  readonly made: readonly string[]
}

export interface PreparedRdt {
  /** What may be there after a crash. */
  readonly record: RdtRecord
  /** @returns the record of what is there then @throws RuntError; nothing of it is left */
  make(): RdtRecord
}

/** Nothing is made yet. @throws RuntError when it can't be had on this machine */
export async function prepareRdt({ linux }: Config, id: string): Promise<PreparedRdt | undefined> {
  const { intelRdt } = linux
  if (intelRdt === undefined) return undefined
  const { makeRdt, planRdt, rdtTasks, resctrlRoot } = await import('../host/resctrl.ts')
  const group = planRdt(resctrlRoot(readFile('/proc/self/mountinfo')), id, intelRdt)
  const record = { tasks: rdtTasks(group), own: group.own, made: group.own }
  return { record, make: () => ({ ...record, made: makeRdt(group, intelRdt) }) }
}

/** The files of a container that isn't made, on a machine whose resctrl is where it is as a rule. */
export async function rdtTasksOf({ linux }: Config, id: string): Promise<readonly string[]> {
  if (linux.intelRdt === undefined) return []
  const { groupOf, rdtTasks } = await import('../host/resctrl.ts')
  return rdtTasks(groupOf('/sys/fs/resctrl', id, linux.intelRdt))
}

/**
 * Other limits for a container's group.
 * @param flag that asks for them
 * @returns how to take them back
 * @throws RuntError when it has no group, or the kernel doesn't take them
 */
export async function changeRdt({ id, rdt }: Container, flag: string, lines: readonly string[]): Promise<() => void> {
  const [tasks] = rdt?.tasks ?? []
  if (tasks === undefined) {
    throw new RuntError('usage', `--${flag}: container ${id} is in no resctrl group: its config has no linux.intelRdt`)
  }
  const { changeSchemata } = await import('../host/resctrl.ts')
  return changeSchemata(tasks.slice(0, tasks.lastIndexOf('/')), lines)
}

/** @throws SyscallError */
export function removeRdt({ rdt, phase }: Container): void {
  for (const folder of (phase === 'creating' ? rdt?.made : rdt?.own) ?? []) {
    const result = tryRemoveDirectory(folder)
    if (result < 0 && result !== -ERRNO.ENOENT) throw new SyscallError('unlinkat', -result, folder)
  }
}
