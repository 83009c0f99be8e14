// What of a config CRIU doesn't bring back, and runt does, or says that it is lost.

import type { Cgroup } from '../cgroup/cgroup.ts'
import type { Hierarchies } from '../cgroup/hierarchy.ts'
import { managerOf } from '../cgroup/manager.ts'
import { pidsIn, pidsOf } from '../cgroup/processes.ts'
import { sysctlNamespace, sysctlPath } from '../config/sysctl.ts'
import type { Config, Linux, Process, Resources } from '../config/types.ts'
import { propertyError, RuntError } from '../errors.ts'
import { switchOnLoopback, writeNetworkSysctl } from '../host/network/setup.ts'
import { readUtsNames, writeUtsNames } from '../host/uts.ts'
import { IOPRIO_WHO_PROCESS, ioPriorityValue } from '../linux/scheduling.ts'
import { listDirectory, readFileIfPresent } from '../native/file.ts'
import { syscall } from '../native/syscall.ts'
import { step } from '../pointer.ts'
import { isEnding } from '../process/wait.ts'
import type { Container } from './container.ts'
import { namespaceError } from './restore-criu.ts'

/**
 * @returns warnings: a process can give itself these, and nobody else can
 * @throws RuntError for what must not be lost without a word
 */
export function lostIn({ linux }: Config): string[] {
  if (linux.landlock !== undefined) {
    throw new RuntError(
      'config-unsupported',
      'annotations["runt.landlock"]: criu knows nothing of Landlock, so nothing would be confined',
      {
        data: { pointer: '/annotations/runt.landlock' },
      },
    )
  }
  const lost = (['memoryPolicy', 'personality'] as const).filter((name) => linux[name] !== undefined)
  return lost.map((name) => `linux.${name}: criu does not bring it back: only processes of exec have it`)
}

/** A network namespace of the container's own: CRIU leaves it empty. @param pid of a process in it */
export function setUpNewNetwork(pid: number, { sysctl }: Linux): void {
  switchOnLoopback(pid)
  for (const [name, value] of Object.entries(sysctl)) {
    const path = sysctlPath(name)
    if (sysctlNamespace(path) !== 'network') continue
    try {
      writeNetworkSysctl(pid, path, value)
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : `${cause}`
      throw propertyError('init', `/linux/sysctl/${step(name)}`, why, { cause })
    }
  }
}

/**
 * CRIU gives a UTS namespace that is joined the names of the checkpoint, as if it were the container's own. Disposing of this gives
 * it back those that it has now.
 * @throws RuntError when the file is no such namespace
 */
export function keepNames({ linux }: Config): Disposable {
  const index = linux.namespaces.findIndex(({ type, path }) => type === 'uts' && path !== undefined)
  const file = linux.namespaces[index]?.path
  if (file === undefined) return { [Symbol.dispose]() {} }
  try {
    const names = readUtsNames(file)
    return { [Symbol.dispose]: () => writeUtsNames(file, names) }
  } catch (cause) {
    throw namespaceError(index, cause)
  }
}

/** For a while there are processes of CRIU's beside those that were saved: tar, for what a tmpfs holds. */
export function whileRestoring(resources: Resources): Resources {
  return { ...resources, pids: {} }
}

/**
 * CRIU puts processes into the cgroups that the images say, and only those below the container's are the new container's.
 * @throws RuntError when one is elsewhere, where the container's limits don't count
 */
export function requireInside({ id, pid, cgroup }: Pick<Container, 'id' | 'pid' | 'cgroup'>): void {
  const born = descendantsOf(pid)
  for (const directory of Object.values(cgroup.directories)) {
    const inside = new Set(pidsIn(directory, true))
    // One that ends meanwhile (a zombie of the checkpoint is one, too) is in no list any more.
    const outside = born.find((each) => !inside.has(each) && !isEnding(each))
    if (outside === undefined) continue
    throw new RuntError('criu', `container ${id}: the images put process ${outside} outside of its cgroup ${directory}`)
  }
}

/** A process and those that come of it. proc_pid_task_children(5): they stand still. */
function descendantsOf(pid: number): number[] {
  const children = listDirectory(`/proc/${pid}/task`).flatMap(({ name }) =>
    (readFileIfPresent(`/proc/${pid}/task/${name}/children`) ?? '').split(' ').filter((word) => word !== ''),
  )
  return [pid, ...children.flatMap((child) => descendantsOf(Number(child)))]
}

/** Before the restored processes run. */
export async function limitProcesses(hierarchies: Hierarchies, cgroup: Cgroup, after: Resources): Promise<void> {
  if (after.pids.limit === undefined) return
  const asked = { devices: [], memory: {}, cpu: {}, pids: after.pids, unified: {} }
  const manager = await managerOf(cgroup)
  await manager.limit(hierarchies, cgroup, { before: whileRestoring(after), asked, after })
}

/** process.ioPriority, for every thread of the container. ioprio_set(2) */
export function setIoPriority(cgroup: Cgroup, { class: name, priority }: NonNullable<Process['ioPriority']>): void {
  for (const pid of pidsOf(cgroup, { recursive: true })) {
    for (const { name: thread } of listDirectory(`/proc/${pid}/task`)) {
      syscall('ioprio_set', IOPRIO_WHO_PROCESS, Number(thread), ioPriorityValue(name, priority))
    }
  }
}
