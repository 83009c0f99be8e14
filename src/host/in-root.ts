// Where a path leads inside a root file system, links to nothing included: openat2(2) can't say that.

import { ERRNO } from '../linux/errno.ts'
import { O, RESOLVE } from '../linux/open-flags.ts'
import { close, linkTarget, open, tryOpenBelow } from '../native/file.ts'

/** As many links as the kernel follows (path_resolution(7)). */
const MOST_LINKS = 40

/**
 * Resolve a path's links as if the root were "/". The answer is text, for somebody who resolves it again with the root as
 * the kernel's boundary: a link that is swapped meanwhile can make it wrong, and nothing worse.
 * @param path absolute, lexically clean
 * @returns the path itself when it has no links, or too many
 */
export function resolveInRoot(root: string, path: string): string {
  const fd = openOrUndefined(root)
  if (fd === undefined) return path
  try {
    return hasLink(fd, path) ? (walk(fd, path) ?? path) : path
  } finally {
    close(fd)
  }
}

/** A missing root is told by who mounts it. */
function openOrUndefined(root: string): number | undefined {
  try {
    return open(root, O.PATH | O.DIRECTORY)
  } catch {
    return undefined
  }
}

function hasLink(root: number, path: string): boolean {
  const fd = tryOpenBelow(root, path, O.PATH, RESOLVE.IN_ROOT | RESOLVE.NO_SYMLINKS)
  if (fd >= 0) close(fd)
  return fd === -ERRNO.ELOOP
}

function walk(root: number, path: string): string | undefined {
  const done: string[] = []
  const left = path.split('/')
  for (let links = 0; ; ) {
    const name = left.shift()
    if (name === undefined) return `/${done.join('/')}`
    if (name === '' || name === '.') continue
    if (name === '..') {
      done.pop()
      continue
    }
    const target = linkTarget([...done, name].join('/'), root)
    if (target === undefined) {
      done.push(name)
      continue
    }
    if (++links > MOST_LINKS) return undefined
    if (target.startsWith('/')) done.length = 0
    left.unshift(...target.split('/'))
  }
}
