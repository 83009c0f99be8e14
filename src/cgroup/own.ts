// Where this process is in each hierarchy. cgroups(7)

import { readFile } from '../native/file.ts'
import { type Hierarchies, type Hierarchy, UNIFIED } from './hierarchy.ts'

/** Hierarchy name → a folder of the host. */
export type Folders = Readonly<Record<string, string>>

/**
 * The folders of our own cgroup; of a hierarchy that shows a part we are not in, the top of what it shows.
 * @param text of /proc/self/cgroup, for tests
 */
export function ownFolders({ v1, unified }: Hierarchies, text: string = readFile('/proc/self/cgroup')): Folders {
  const folders: Record<string, string> = {}
  for (const line of text.split('\n')) {
    const [number = '', names = '', ...path] = line.split(':')
    const [name = ''] = names.split(',')
    const hierarchy =
      number === '0' ? unified : v1.find((each) => each.controllers.includes(name) || `name=${each.name}` === name)
    if (hierarchy !== undefined) folders[hierarchy.name] = folderOf(hierarchy, path.join(':'))
  }
  return folders
}

function folderOf({ mountpoint, root }: Hierarchy, path: string): string {
  const shown = root === '/' ? '' : root
  const below = `${path}/`.startsWith(`${shown}/`) ? path.slice(shown.length) : ''
  return below === '' || below === '/' ? mountpoint : `${mountpoint}${below}`
}

/**
 * Where the containers of a user go who says nothing of it: below his own cgroup on v1; on v2, where a folder with processes
 * can't have others with limits below it, beside it.
 * @param text of /proc/self/cgroup, for tests
 */
export function besideUs(hierarchies: Hierarchies, text?: string): Folders {
  const own = { ...ownFolders(hierarchies, text) }
  const { unified } = hierarchies
  const folder = own[UNIFIED]
  if (unified !== undefined && folder !== undefined && folder !== unified.mountpoint) {
    own[UNIFIED] = folder.slice(0, folder.lastIndexOf('/'))
  }
  return own
}
