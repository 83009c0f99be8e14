// What restore gives to CRIU: a process with a mount namespace and descriptors, namespaces, and places for cgroups.

import type { Hierarchies, Hierarchy } from '../cgroup/hierarchy.ts'
import type { Cgroup } from '../cgroup/manager.ts'
import type { Config } from '../config/types.ts'
import type { CriuOptions } from '../criu/messages.ts'
import type { Criu } from '../criu/program.ts'
import { ownEnvironment, type Worker } from '../criu/swrk.ts'
import { RuntError } from '../errors.ts'
import { NAMESPACES } from '../linux/namespaces.ts'
import { O } from '../linux/open-flags.ts'
import { type Facts, lineSlots } from '../lowering/facts.ts'
import { lowerRestore } from '../lowering/restore.ts'
import { compile } from '../machine/codegen.ts'
import { targetFor } from '../machine/target.ts'
import { socketPair } from '../native/descriptors.ts'
import { close, open } from '../native/file.ts'
import { verify } from '../plan/verify.ts'
import { spawnInit } from '../process/init.ts'
import { reap } from '../process/wait.ts'
import { executed } from './conversation.ts'
import { EXTERNAL_NAMESPACES } from './criu-options.ts'

/** A descriptor of CRIU's, and what of the checkpoint it takes the place of. */
export interface Inherited {
  readonly key: string
  readonly fd: number
}

/**
 * Start the image that becomes CRIU.
 * @param root a folder of ours, where CRIU finds the rootfs
 * @throws RuntError of a step that fails before
 */
export async function startCriu(
  config: Config,
  facts: Facts,
  { program }: Criu,
  root: string,
): Promise<{ readonly worker: Worker; readonly inherited: readonly Inherited[] }> {
  const namespaces = openNamespaces(config)
  const [ours, theirs] = socketPair()
  const given = [theirs, ...namespaces.map(({ fd }) => fd)]
  try {
    const { plan, first } = lowerRestore(config, facts, { program, env: ownEnvironment(), root, given: given.length })
    verify(plan)
    const image = compile(plan, targetFor(process.arch === 'arm64' ? 'arm64' : 'x64'))
    const descriptors = given.map((fd, index) => [fd, first + index] as const)
    const init = spawnInit(image.bytes, lineSlots(facts.preservedFds), descriptors)
    close(init.monitor)
    try {
      await executed({ init, plan })
    } catch (error) {
      reap(init.first)
      throw error
    }
    const inherited = namespaces.map(({ key }, index) => ({ key, fd: first + 1 + index }))
    return { worker: { socket: ours, pid: init.first }, inherited }
  } catch (error) {
    close(ours)
    throw error
  } finally {
    for (const fd of given) close(fd)
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
    const why = cause instanceof Error ? cause.message : `${cause}`
    const data = { pointer: `/linux/namespaces/${index}/path` }
    throw new RuntError('init', `linux.namespaces[${index}]: ${why}`, { cause, data })
  }
}

/** Those that the restored processes are put into, whatever they had. */
export function joinedNamespaces(config: Config): CriuOptions['join_ns'] {
  return config.linux.namespaces.flatMap(({ type, path }, index) => {
    if (path === undefined || type === 'network' || type === 'pid') return []
    if (type === 'cgroup' || type === 'mount') {
      throw new RuntError('config-unsupported', `linux.namespaces[${index}]: criu can not join a ${type} namespace`, {
        data: { pointer: `/linux/namespaces/${index}` },
      })
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
