// linux.cgroupsPath → the container's place below every cgroup mount point.

import { propertyError, type RuntError } from '../errors.ts'
import { encodeName } from '../linux/names.ts'

/** NAME_MAX of the kernel's file systems. */
const LONGEST_NAME = 255

/**
 * An absolute path counts from the mount points; a relative one too, so the same value is always the same place
 * (config-linux.md, Cgroups Path). A systemd triple (slice:prefix:name) has no meaning here and is an ordinary name.
 * @param id the container's, for a config without cgroupsPath
 * @returns "/a/b": absolute, no empty, "." or ".." parts
 * @throws RuntError 'cgroup' for a path with ".." or with a character that would break the kernel's lists of cgroups
 */
export function cgroupPath(cgroupsPath: string | undefined, id: string): string {
  if (cgroupsPath === undefined || cgroupsPath === '') return `/${id}`
  if (/[\0\n]/.test(cgroupsPath)) throw refuse(cgroupsPath, 'NUL and newline are not allowed')
  const parts = cgroupsPath.split('/').filter((part) => part !== '' && part !== '.')
  if (parts.includes('..')) throw refuse(cgroupsPath, '".." is not allowed')
  if (parts.some((part) => encodeName(part).length > LONGEST_NAME)) {
    throw refuse(cgroupsPath, `no part may be longer than ${LONGEST_NAME} bytes`)
  }
  return `/${parts.join('/')}`
}

function refuse(path: string, why: string): RuntError {
  return propertyError('cgroup', '/linux/cgroupsPath', `${JSON.stringify(path)}: ${why}`)
}
