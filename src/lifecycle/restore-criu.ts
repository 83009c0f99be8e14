// What restore gives to CRIU: a process with a mount namespace and descriptors, namespaces, and places for cgroups.

import type { Cgroup } from '../cgroup/cgroup.ts'
import type { Hierarchies, Hierarchy } from '../cgroup/hierarchy.ts'
import type { Config } from '../config/types.ts'
import type { CriuOptions } from '../criu/messages.ts'
import type { Criu } from '../criu/program.ts'
import type { Worker } from '../criu/swrk.ts'
import { propertyError, type RuntError } from '../errors.ts'
import { NAMESPACES } from '../linux/namespaces.ts'
import { O } from '../linux/open-flags.ts'
import { lowerRestore } from '../lowering/criu.ts'
import type { Facts } from '../lowering/facts.ts'
import { close, open } from '../native/file.ts'
import { EXTERNAL_NAMESPACES } from './criu-options.ts'
import { startCriu } from './criu-process.ts'

/** A descriptor of CRIU's, and what of the checkpoint it takes the place of. */
export interface Inherited {
  readonly key: string
  readonly fd: number
}

/**
 * Start the image that becomes CRIU.
 * @param root a folder of ours, where CRIU finds the rootfs
 * @param interrupted rejects when nobody wants to wait for it any longer
 * @throws RuntError of a step that fails before
 */
export async function startRestore(
  config: Config,
  facts: Facts,
  criu: Criu,
  root: string,
  interrupted: Promise<never> | undefined,
): Promise<{ readonly worker: Worker; readonly inherited: readonly Inherited[] }> {
  const namespaces = openNamespaces(config)
  try {
    const given = namespaces.map(({ fd }) => fd)
    const { worker, numbers } = await startCriu(
      criu,
      given,
      (call) => lowerRestore(config, facts, call, root),
      interrupted,
    )
    return { worker, inherited: namespaces.map(({ key }, index) => ({ key, fd: numbers[index] ?? -1 })) }
  } finally {
    for (const { fd } of namespaces) close(fd)
  }
}

/** Namespaces that CRIU takes as they are: descriptors of the files that the config names. */
function openNamespaces(config: Config): Inherited[] {
  const opened: Inherited[] = []
  try {
    for (const [index, { type, path }] of config.linux.namespaces.entries()) {
      if (path === undefined || (type !== 'network' && type !== 'pid')) continue
      opened.push({ key: EXTERNAL_NAMESPACES[type], fd: openNamespace(path, index) })
    }
    return opened
  } catch (error) {
    for (const { fd } of opened) close(fd)
    throw error
  }
}

function openNamespace(path: string, index: number): number {
  try {
    return open(path, O.RDONLY)
  } catch (cause) {
    throw namespaceError(index, cause)
  }
}

/** @param index of a namespace whose path isn't what it should be */
export function namespaceError(index: number, cause: unknown): RuntError {
  const why = cause instanceof Error ? cause.message : `${cause}`
  return propertyError('init', `/linux/namespaces/${index}/path`, why, { cause })
}

/** Those that the restored processes are put into, whatever they had. */
export function joinedNamespaces(config: Config): CriuOptions['join_ns'] {
  return config.linux.namespaces.flatMap(({ type, path }, index) => {
    if (path === undefined || type === 'network' || type === 'pid') return []
    if (type === 'cgroup' || type === 'mount') {
      throw propertyError('config-unsupported', `/linux/namespaces/${index}`, `criu can not join a ${type} namespace`)
    }
    return [{ ns: NAMESPACES[type].link, ns_file: path }]
  })
}

/** Which cgroups take the place of those that the processes were in, by controller. */
export function cgroupRoots({ v1, unified }: Hierarchies, cgroup: Cgroup): CriuOptions['cg_root'] {
  const places = (hierarchy: Hierarchy, controllers: readonly string[]) => {
    const directory = cgroup.directories[hierarchy.name]
    if (directory === undefined) return []
    const below = directory.slice(hierarchy.mountpoint === '/' ? 0 : hierarchy.mountpoint.length)
    const path = `${hierarchy.root === '/' ? '' : hierarchy.root}${below}` || '/'
    return controllers.map((ctrl) => ({ ctrl, path }))
  }
  return [
    ...v1.flatMap((each) => places(each, each.controllers.length > 0 ? each.controllers : [`name=${each.name}`])),
    ...(unified === undefined ? [] : places(unified, [''])),
  ]
}
