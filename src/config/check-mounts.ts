// Checks of /mounts (runtime-spec config.md, Mounts).

import { DESCRIBING_PROC_FILES } from '../linux/proc-files.ts'
import { nearest } from '../nearest.ts'
import { checkRanges } from './check-linux.ts'
import type { Check, Checks } from './checks.ts'
import type { OciConfig } from './generated/oci.d.ts'
import { mountOptionNames, parseMountOptions, splitAtCommas } from './mount-options.ts'
import { isFileSystemData, mountKind } from './normalize.ts'
import { absolutePath, cleanPath } from './path.ts'
import type { Report } from './problems.ts'

type OciMount = NonNullable<OciConfig['mounts']>[number]

/** A rule for one mount, with what its options say. */
type MountRule = (mount: OciMount, pointer: string, asked: Asked) => void

interface Asked {
  readonly kind: ReturnType<typeof mountKind>
  readonly options: ReturnType<typeof parseMountOptions>['options']
  readonly report: Report
  readonly hasUserNamespace: boolean
}

interface Subject {
  readonly mount: OciMount
  readonly pointer: string
  readonly kind: Asked['kind']
  readonly options: Asked['options']
}

/** All rules ask about the same mounts. */
const subjects = new WeakMap<readonly OciMount[], readonly Subject[]>()

function subjectsOf(mounts: readonly OciMount[]): readonly Subject[] {
  const known = subjects.get(mounts)
  if (known !== undefined) return known
  const found = mounts.map((mount, index) => {
    const { options, bind, remount } = parseMountOptions(mount.options)
    const kind = mountKind({ bind, remount, type: mount.type ?? '', propagation: options.propagation.length > 0 })
    return { mount, pointer: `/mounts/${index}`, kind, options }
  })
  subjects.set(mounts, found)
  return found
}

function forEachMount(rule: MountRule): Check {
  return ({ mounts = [] }, report, namespaces) => {
    const hasUserNamespace = namespaces.has('user')
    for (const { mount, pointer, kind, options } of subjectsOf(mounts)) {
      rule(mount, pointer, { kind, options, report, hasUserNamespace })
    }
  }
}

/** Nothing may cover the root, nor what the runtime itself relies on in procfs. */
const mountDestination = forEachMount((mount, pointer, { kind, report }) => {
  const destination = absolutePath(mount.destination, '/')
  if (destination === '/') report(`${pointer}/destination`, mount.destination, 'must not be the root itself')
  if (destination.startsWith('/proc/') && !DESCRIBING_PROC_FILES.has(destination)) {
    report(`${pointer}/destination`, mount.destination, 'must not be inside /proc, but for a few files that describe')
  }
  if (destination !== '/proc') return
  const isHostProc = kind === 'bind' && mount.source !== undefined && cleanPath(mount.source) === '/proc'
  if (kind === 'filesystem' && mount.type !== 'proc') {
    report(`${pointer}/type`, mount.type, 'must be proc for a mount at /proc')
  }
  if (kind === 'bind' && !isHostProc) report(`${pointer}/source`, mount.source, 'must be /proc for a bind at /proc')
})

/** A file system has a type; "bind" is none, it is for the options to say. */
const mountType = forEachMount((mount, pointer, { kind, report }) => {
  if (kind !== 'filesystem') return
  if (mount.type === undefined || mount.type === '') {
    report(
      `${pointer}/type`,
      mount.type,
      'must be given, unless the options have bind, rbind, remount or a propagation',
    )
  } else if (mount.type === 'bind' || mount.type === 'none') {
    report(`${pointer}/type`, mount.type, 'is no file system: a bind is asked for by the option bind or rbind')
  }
})

const bindSource = forEachMount((mount, pointer, { kind, report }) => {
  if (kind !== 'bind' || (mount.source !== undefined && mount.source !== '')) return
  report(`${pointer}/source`, mount.source, 'must be given for a bind')
})

/**
 * The kernel would ignore them: mount(2) with MS_BIND takes no data. What is plainly an option of some file system (size=1k) is a
 * warning (see normalize.ts), any other word is taken for a mistake.
 */
const bindOptions = forEachMount((mount, pointer, { kind, options, report }) => {
  if (kind !== 'bind' || options.data.length === 0) return
  const data = new Set(options.data)
  mount.options?.forEach((given, index) => {
    for (const word of splitAtCommas(given)) {
      if (!data.has(word) || isFileSystemData(word)) continue
      const known = nearest(word, mountOptionNames())
      report(`${pointer}/options/${index}`, word, 'is not an option of bind mounts', { suggestion: known })
    }
  })
})

/** config.md, Mounts: both mappings or none, and idmap needs some. */
const mountMappings = forEachMount((mount, pointer, { kind, options, report, hasUserNamespace }) => {
  const { uidMappings = [], gidMappings = [] } = mount
  const given = uidMappings.length + gidMappings.length > 0
  if (options.idmap === undefined && !given) return
  if (uidMappings.length > 0 && gidMappings.length === 0) {
    report(`${pointer}/gidMappings`, undefined, 'must be given together with uidMappings')
  }
  if (gidMappings.length > 0 && uidMappings.length === 0) {
    report(`${pointer}/uidMappings`, undefined, 'must be given together with gidMappings')
  }
  checkRanges(uidMappings, `${pointer}/uidMappings`, report)
  checkRanges(gidMappings, `${pointer}/gidMappings`, report)
  const asked = options.idmap ?? 'uidMappings'
  if (!given && !hasUserNamespace) {
    report(`${pointer}/options`, undefined, `${asked} needs uidMappings and gidMappings, or a user namespace`)
  }
  if (kind === 'remount' || kind === 'propagation') {
    report(`${pointer}/options`, undefined, `${asked} is for new mounts: one that is there keeps the owners it shows`)
  } else if (kind === 'filesystem' && options.legacyFlags !== 0) {
    report(`${pointer}/options`, undefined, `${asked} can't be given together with iversion or silent`)
  }
})

const CGROUP_TYPES = new Set<string | undefined>(['cgroup', 'cgroup2'])

/** Options that only some mounts can have. */
const mountSpecials = forEachMount((mount, pointer, { kind, options, report }) => {
  if (options.tmpcopyup && (kind !== 'filesystem' || mount.type !== 'tmpfs')) {
    report(`${pointer}/options`, 'tmpcopyup', 'is for mounts of type tmpfs only')
  }
  for (const [option, asked] of [
    ['src-nofollow', options.nofollow.source],
    ['dest-nofollow', options.nofollow.destination],
  ] as const) {
    if (asked && kind !== 'bind') report(`${pointer}/options`, option, 'is for binds only')
  }
  if (kind !== 'filesystem' || !CGROUP_TYPES.has(mount.type)) return
  if (options.idmap !== undefined || (mount.uidMappings ?? []).length > 0) {
    report(`${pointer}/options`, undefined, 'cgroup file systems show their owners as they are: no idmap')
  }
  if (options.superblock.length > 0) {
    report(`${pointer}/options`, options.superblock[0], 'is no option of cgroup file systems')
  }
})

export const MOUNT_CHECKS: Checks = {
  mountDestination,
  mountType,
  bindSource,
  bindOptions,
  mountMappings,
  mountSpecials,
}
