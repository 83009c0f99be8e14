// What a file system is told when it is mounted: the parameters of fsconfig(2), or the flags and the one text of mount(2).

import type { Mount, MountOptions } from '../config/types.ts'
import { MOUNT_ATTR, MS } from '../linux/mount-flags.ts'
import { encodeName } from '../linux/names.ts'

/** One parameter of a file system: a flag, or a key with a value. */
export type FsParameter = readonly [key: string, value?: string]

/** File systems whose superblock is the kernel's own: read-only is a matter of the mount, never of the superblock. */
const PSEUDO = new Set([
  'proc',
  'sysfs',
  'tmpfs',
  'mqueue',
  'devpts',
  'cgroup',
  'cgroup2',
  'ramfs',
  'securityfs',
  'debugfs',
  'tracefs',
  'bpf',
  'devtmpfs',
])

/** fsconfig(2) takes values of this many bytes, with the 0 at their end; mount(2) takes all options together in a page. */
const VALUE_ROOM = 256
const PAGE = 4096

export function isReadonly({ options }: Mount): boolean {
  return (options.attrSet & MOUNT_ATTR.RDONLY) !== 0
}

/** "size=1m" → both */
export function splitOption(option: string): FsParameter {
  const equals = option.indexOf('=')
  return equals < 0 ? [option] : [option.slice(0, equals), option.slice(equals + 1)]
}

export function fsParameters(mount: Mount): FsParameter[] {
  const { options, source } = mount
  const parameters: FsParameter[] = []
  if (source !== undefined && source !== '') parameters.push(['source', source])
  for (const flag of options.superblock) parameters.push([flag])
  if (isSuperblockReadonly(mount)) parameters.push(['ro'])
  for (const option of options.data) {
    const parameter = splitOption(option)
    const layers = mount.type === 'overlay' && isLong(parameter) ? overlayLayers(parameter) : [parameter]
    parameters.push(...layers)
  }
  return parameters
}

function isSuperblockReadonly(mount: Mount): boolean {
  return isReadonly(mount) && !PSEUDO.has(mount.type)
}

function isLong([, value = '']: FsParameter): boolean {
  return value.length >= VALUE_ROOM / 4 && encodeName(value).length >= VALUE_ROOM
}

/** lowerdir=a:b::c as parameters of their own, which kernels know since 6.8: layers, and behind "::" those with data only. */
function overlayLayers(parameter: FsParameter): FsParameter[] {
  const [key, value = ''] = parameter
  if (key !== 'lowerdir') return [parameter]
  const layers: FsParameter[] = []
  let kind = 'lowerdir+'
  for (const layer of value.match(/(?:\\.|[^:\\])+|::?/gs) ?? []) {
    if (layer === '::') kind = 'datadir+'
    else if (layer !== ':') layers.push([kind, layer.replace(/\\(.)/gs, '$1')])
  }
  return layers
}

/**
 * Must it be mount(2)? For flags that fsconfig(2) does not know (iversion, silent), and for long values: where they fit into
 * its page, every kernel takes them.
 */
export function needsLegacyCall({ kind, type, options, idmap }: Mount): boolean {
  if (kind !== 'filesystem' || type === 'cgroup' || type === 'cgroup2' || idmap !== undefined) return false
  if (options.legacyFlags !== 0) return true
  return options.data.some((option) => isLong(splitOption(option))) && encodeName(textOf(options)).length < PAGE
}

/** Superblock flags by their names in fsconfig(2). */
const SUPERBLOCK_FLAGS: Readonly<Record<string, number>> = {
  sync: MS.SYNCHRONOUS,
  dirsync: MS.DIRSYNC,
  lazytime: MS.LAZYTIME,
  mand: MS.MANDLOCK,
}

/** @returns the fourth and the fifth argument of mount(2) */
export function legacyArguments(mount: Mount): { readonly flags: number; readonly data: string } {
  const { options } = mount
  let flags = options.legacyFlags | (isSuperblockReadonly(mount) ? MS.RDONLY : 0)
  for (const name of options.superblock) flags |= SUPERBLOCK_FLAGS[name] ?? 0
  return { flags, data: textOf(options) }
}

function textOf(options: MountOptions): string {
  return options.data.join(',')
}
