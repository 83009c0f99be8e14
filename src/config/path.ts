// Paths as text: nothing here looks at a file system.

/** Absolute, without ".", ".." and double slashes; ".." at the root stays there. */
export function cleanPath(path: string): string {
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
