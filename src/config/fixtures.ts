// For tests: a small valid config, and changes of it by JSON pointer.

export type Changes = Readonly<Record<string, unknown>>

export const BASE = {
  ociVersion: '1.3.0',
  root: { path: 'rootfs' },
  process: { args: ['sh'], cwd: '/', user: { uid: 0, gid: 0 } },
  linux: { namespaces: [{ type: 'mount' }] },
}

/** BASE with values set by pointer; undefined takes away, folders on the way are made. */
export function configWith(changes: Changes): Record<string, unknown> {
  const config: Record<string, unknown> = structuredClone(BASE)
  for (const [pointer, value] of Object.entries(changes)) {
    const path = pointer
      .split('/')
      .slice(1)
      .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
    const last = path.pop() ?? ''
    let holder = config
    path.forEach((name, depth) => {
      holder[name] ??= /^\d+$/.test(path[depth + 1] ?? last) ? [] : {}
      holder = holder[name] as Record<string, unknown>
    })
    if (value === undefined) delete holder[last]
    else holder[last] = value
  }
  return config
}
