// Mount option words → what they ask of the kernel (runtime-spec config.md, "Linux mount options"; mount(8)).
// One row for each word. Words without a row are the file system's own and become data.

import { MOUNT_ATTR, MOUNT_ATTR_ATIME_MASK, MS } from '../linux/mount-flags.ts'
import type { MountOptions } from './types.ts'

type Row =
  /** Sets or clears bits of MOUNT_ATTR_*, on one mount or on the tree below it. */
  | { readonly kind: 'set' | 'clear'; readonly attr: number; readonly recursive: boolean }
  /** Chooses a value of the atime field, which holds one mode at a time. */
  | { readonly kind: 'atime'; readonly mode: number; readonly recursive: boolean }
  /** Takes back one mode of the atime field: what is left is relatime, the kernel's default. */
  | { readonly kind: 'not-atime'; readonly mode: number; readonly recursive: boolean }
  | { readonly kind: 'propagation'; readonly flag: number; readonly recursive: boolean }
  /** A superblock flag by its fsconfig(2) name; of the same group the last wins. */
  | { readonly kind: 'superblock'; readonly group: string }
  /** A superblock flag that only mount(2) has. */
  | { readonly kind: 'legacy-set' | 'legacy-clear'; readonly flag: number }
  | { readonly kind: 'bind'; readonly recursive: boolean }
  | { readonly kind: 'remount' | 'tmpcopyup' | 'ignored' }
  | { readonly kind: 'idmap'; readonly idmap: 'idmap' | 'ridmap' }
  /** A link at the end of a bind's source or destination is meant itself, as crun has it. */
  | { readonly kind: 'nofollow'; readonly end: 'source' | 'destination' }

const { RDONLY, NOSUID, NODEV, NOEXEC, NODIRATIME, NOSYMFOLLOW, NOATIME, STRICTATIME } = MOUNT_ATTR

/** MOUNT_ATTR_RELATIME: the field's zero. */
const RELATIME = 0

/** Words about one mount; with an r before them they are about its whole tree. */
const ATTRIBUTES: Readonly<Record<string, Row>> = {
  ro: { kind: 'set', attr: RDONLY, recursive: false },
  rw: { kind: 'clear', attr: RDONLY, recursive: false },
  nosuid: { kind: 'set', attr: NOSUID, recursive: false },
  suid: { kind: 'clear', attr: NOSUID, recursive: false },
  nodev: { kind: 'set', attr: NODEV, recursive: false },
  dev: { kind: 'clear', attr: NODEV, recursive: false },
  noexec: { kind: 'set', attr: NOEXEC, recursive: false },
  exec: { kind: 'clear', attr: NOEXEC, recursive: false },
  nodiratime: { kind: 'set', attr: NODIRATIME, recursive: false },
  diratime: { kind: 'clear', attr: NODIRATIME, recursive: false },
  nosymfollow: { kind: 'set', attr: NOSYMFOLLOW, recursive: false },
  symfollow: { kind: 'clear', attr: NOSYMFOLLOW, recursive: false },
  noatime: { kind: 'atime', mode: NOATIME, recursive: false },
  atime: { kind: 'not-atime', mode: NOATIME, recursive: false },
  strictatime: { kind: 'atime', mode: STRICTATIME, recursive: false },
  nostrictatime: { kind: 'not-atime', mode: STRICTATIME, recursive: false },
  relatime: { kind: 'atime', mode: RELATIME, recursive: false },
  norelatime: { kind: 'ignored' }, // without another mode the kernel goes on with relatime
}

const PROPAGATION: Readonly<Record<string, Row>> = {
  shared: { kind: 'propagation', flag: MS.SHARED, recursive: false },
  slave: { kind: 'propagation', flag: MS.SLAVE, recursive: false },
  private: { kind: 'propagation', flag: MS.PRIVATE, recursive: false },
  unbindable: { kind: 'propagation', flag: MS.UNBINDABLE, recursive: false },
}

const OTHERS: Readonly<Record<string, Row>> = {
  sync: { kind: 'superblock', group: 'sync' },
  async: { kind: 'superblock', group: 'sync' },
  dirsync: { kind: 'superblock', group: 'dirsync' },
  lazytime: { kind: 'superblock', group: 'lazytime' },
  nolazytime: { kind: 'superblock', group: 'lazytime' },
  mand: { kind: 'superblock', group: 'mand' },
  nomand: { kind: 'superblock', group: 'mand' },
  iversion: { kind: 'legacy-set', flag: MS.I_VERSION },
  noiversion: { kind: 'legacy-clear', flag: MS.I_VERSION },
  silent: { kind: 'legacy-set', flag: MS.SILENT },
  loud: { kind: 'legacy-clear', flag: MS.SILENT },
  bind: { kind: 'bind', recursive: false },
  rbind: { kind: 'bind', recursive: true },
  remount: { kind: 'remount' },
  defaults: { kind: 'ignored' },
  tmpcopyup: { kind: 'tmpcopyup' },
  idmap: { kind: 'idmap', idmap: 'idmap' },
  ridmap: { kind: 'idmap', idmap: 'ridmap' },
  'src-nofollow': { kind: 'nofollow', end: 'source' },
  'dest-nofollow': { kind: 'nofollow', end: 'destination' },
  // Of mount(8), for its own use: it doesn't hand them to the kernel either.
  _netdev: { kind: 'ignored' },
  auto: { kind: 'ignored' },
  noauto: { kind: 'ignored' },
  nofail: { kind: 'ignored' },
}

/** What an option means; undefined when it is the file system's own. */
function rowOf(word: string): Row | undefined {
  for (const rows of [ATTRIBUTES, PROPAGATION, OTHERS]) if (Object.hasOwn(rows, word)) return rows[word]
  if (!word.startsWith('r')) return undefined
  const row = recursiveRow(word.slice(1))
  return row !== undefined && 'recursive' in row ? { ...row, recursive: true } : row
}

/** Attributes and propagation have an r form each, for the whole tree below a mount. */
function recursiveRow(word: string): Row | undefined {
  for (const rows of [ATTRIBUTES, PROPAGATION]) if (Object.hasOwn(rows, word)) return rows[word]
  return undefined
}

/** Every mount option that isn't handed to the file system, in order of the alphabet. */
export function mountOptionNames(): string[] {
  const treeWide = [...Object.keys(ATTRIBUTES), ...Object.keys(PROPAGATION)]
  return [...treeWide, ...treeWide.map((word) => `r${word}`), ...Object.keys(OTHERS)].sort()
}

/** mount(8) keeps options of these forms to itself. */
const COMMENT = /^([xX]-|comment=)/

export interface ParsedOptions {
  readonly options: MountOptions
  readonly bind: boolean
  readonly remount: boolean
}

/** By the options, with what none of them has in between: many mounts have the same, and many ask about them. */
const parsed = new Map<string, ParsedOptions>()
const NONE: readonly string[] = []

/**
 * Sort mount options by the system call that they go to. Contradicting ones: the last wins. Equal lists have one result.
 * @param given as in config.json; each may hold several, with commas between them
 */
export function parseMountOptions(given: readonly string[] = NONE): ParsedOptions {
  const text = given.join('\0')
  const known = parsed.get(text)
  if (known !== undefined) return known
  const result = sortOptions(given)
  parsed.set(text, result)
  return result
}

function sortOptions(given: readonly string[]): ParsedOptions {
  const own = new Attributes()
  const tree = new Attributes()
  const propagation: { flag: number; recursive: boolean }[] = []
  const superblock = new Map<string, string>()
  const data: string[] = []
  let legacyFlags = 0
  let bind = false
  let recursiveBind = false
  let remount = false
  let tmpcopyup = false
  const nofollow = { source: false, destination: false }
  let idmap: 'idmap' | 'ridmap' | undefined

  for (const word of given.flatMap(splitAtCommas)) {
    const row = rowOf(word)
    switch (row?.kind) {
      case 'set':
      case 'clear':
      case 'atime':
      case 'not-atime':
        ;(row.recursive ? tree : own).apply(row)
        break
      case 'propagation':
        propagation.push({ flag: row.flag, recursive: row.recursive })
        break
      case 'superblock':
        superblock.delete(row.group) // so that it moves to the end
        superblock.set(row.group, word)
        break
      case 'legacy-set':
        legacyFlags |= row.flag
        break
      case 'legacy-clear':
        legacyFlags &= ~row.flag
        break
      case 'bind':
        bind = true
        recursiveBind ||= row.recursive
        break
      case 'remount':
        remount = true
        break
      case 'tmpcopyup':
        tmpcopyup = true
        break
      case 'idmap':
        idmap = row.idmap
        break
      case 'nofollow':
        nofollow[row.end] = true
        break
      case 'ignored':
        break
      case undefined:
        if (!COMMENT.test(word)) data.push(word)
    }
  }
  return {
    bind,
    remount,
    options: {
      attrSet: own.set,
      attrClear: own.clear,
      atimeSet: own.atimeSet,
      recursiveSet: tree.set,
      recursiveClear: tree.clear,
      propagation,
      recursiveBind,
      superblock: [...superblock.values()],
      legacyFlags,
      tmpcopyup,
      nofollow,
      idmap,
      data,
    },
  }
}

/** What mount_setattr(2) will be told: a bit is in one of the sets at most, but for the atime field, which is always cleared first. */
class Attributes {
  set = 0
  clear = 0
  atimeSet = false

  apply(row: Extract<Row, { kind: 'set' | 'clear' | 'atime' | 'not-atime' }>): void {
    switch (row.kind) {
      case 'set':
        this.set |= row.attr
        this.clear &= ~row.attr
        break
      case 'clear':
        this.set &= ~row.attr
        this.clear |= row.attr
        break
      case 'atime':
        this.set = (this.set & ~MOUNT_ATTR_ATIME_MASK) | row.mode
        this.atimeSet = true
        this.clear |= MOUNT_ATTR_ATIME_MASK
        break
      case 'not-atime': {
        const chosen = this.set & MOUNT_ATTR_ATIME_MASK
        if (chosen === row.mode) {
          this.set &= ~MOUNT_ATTR_ATIME_MASK
          this.atimeSet = false
        }
        this.clear |= MOUNT_ATTR_ATIME_MASK
        break
      }
    }
  }
}

/** "size=1m,mode=755" → both; a comma behind a backslash stays. */
export function splitAtCommas(option: string): string[] {
  if (!option.includes(',')) return option === '' ? [] : [option]
  return (option.match(/(?:\\.|[^,\\]|\\$)+/gs) ?? []).filter((word) => word !== '')
}
