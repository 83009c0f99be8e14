// The processes of a pid namespace, found in /proc: for a container that has no cgroup which would list them.

import { listDirectory, readLink } from '../native/file.ts'
import { failedWith } from '../native/syscall.ts'

/** "pid:[4026531836]" of a process; undefined when it is gone, or we may not look into it. */
function namespaceOf(pid: number | 'self'): string | undefined {
  try {
    return readLink(`/proc/${pid}/ns/pid`)
  } catch (error) {
    if (failedWith(error, 'ENOENT', 'ESRCH', 'EACCES')) return undefined
    throw error
  }
}

/**
 * @param init any process of the namespace
 * @returns pids as we see them, in order; undefined when it is our own namespace, or can't be told
 */
export function pidsInNamespaceOf(init: number): number[] | undefined {
  const namespace = namespaceOf(init)
  if (namespace === undefined || namespace === namespaceOf('self')) return undefined
  const names = listDirectory('/proc').map(({ name }) => name)
  return names
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => namespaceOf(pid) === namespace)
    .sort((a, b) => a - b)
}
