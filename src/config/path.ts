// Paths as text: nothing here looks at a file system.

/** What a clean path has nowhere: an empty name, "." or "..". */
const UNCLEAN = /\/\.{0,2}(?:\/|$)/

/** Absolute, without ".", ".." and double slashes; ".." at the root stays there. */
export function cleanPath(path: string): string {
  if (path.startsWith('/') && !UNCLEAN.test(path)) return path // most are
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return `/${parts.join('/')}`
}

/** @param base where a relative path starts; absolute */
export function absolutePath(path: string, base: string): string {
  return cleanPath(path.startsWith('/') ? path : `${base}/${path}`)
}

/**
 * @param path of the container, or of the host and below `root`; clean
 * @param root of the container, as a clean path of the host
 * @returns the path in the container
 */
export function pathInRoot(path: string, root: string): string {
  if (path === root) return '/'
  return root !== '/' && path.startsWith(`${root}/`) ? path.slice(root.length) : path
}
