// Checks of /mounts (runtime-spec config.md, Mounts).

import type { Check, Checks } from './checks.ts'
import type { OciConfig } from './generated/oci.d.ts'
import { mountOptionNames, parseMountOptions, splitAtCommas } from './mount-options.ts'
import { nearest } from './nearest.ts'
import { mountKind } from './normalize.ts'
import { absolutePath, cleanPath } from './path.ts'
import type { Report } from './problems.ts'

type OciMount = NonNullable<OciConfig['mounts']>[number]

/** The only files of procfs that something may be mounted over: they describe, none of them changes anything. */
const OVER_PROC = new Set([
  '/proc/cpuinfo',
  '/proc/diskstats',
  '/proc/meminfo',
  '/proc/stat',
  '/proc/swaps',
  '/proc/uptime',
  '/proc/loadavg',
  '/proc/slabinfo',
  '/proc/sys/kernel/ns_last_pid',
  '/proc/sys/crypto/fips_enabled',
])

/** A rule for one mount, with what its options say. */
type MountRule = (mount: OciMount, pointer: string, asked: Asked) => void

interface Asked {
  readonly kind: ReturnType<typeof mountKind>
  readonly options: ReturnType<typeof parseMountOptions>['options']
  readonly report: Report
  readonly hasUserNamespace: boolean
}

function forEachMount(rule: MountRule): Check {
  return (config, report, namespaces) => {
    config.mounts?.forEach((mount, index) => {
      const { options, bind, remount } = parseMountOptions(mount.options)
      const kind = mountKind({ bind, remount, type: mount.type ?? '', propagation: options.propagation.length > 0 })
      rule(mount, `/mounts/${index}`, { kind, options, report, hasUserNamespace: namespaces.has('user') })
    })
  }
}

/** Nothing may cover the root, nor what the runtime itself relies on in procfs. */
const mountDestination = forEachMount((mount, pointer, { kind, report }) => {
  const destination = absolutePath(mount.destination, '/')
  if (destination === '/') report(`${pointer}/destination`, mount.destination, 'must not be the root itself')
  if (destination.startsWith('/proc/') && !OVER_PROC.has(destination)) {
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

/** The kernel would ignore them: mount(2) with MS_BIND takes no data. */
const bindOptions = forEachMount((mount, pointer, { kind, options, report }) => {
  if (kind !== 'bind' || options.data.length === 0) return
  const data = new Set(options.data)
  mount.options?.forEach((given, index) => {
    for (const word of splitAtCommas(given)) {
      if (!data.has(word)) continue
      const known = nearest(word, mountOptionNames())
      report(`${pointer}/options/${index}`, word, 'is not an option of bind mounts', known)
    }
  })
})

/** config.md, Mounts: both mappings or none, and idmap needs some. */
const mountMappings = forEachMount((mount, pointer, { options, report, hasUserNamespace }) => {
  const { uidMappings = [], gidMappings = [] } = mount
  if (uidMappings.length > 0 && gidMappings.length === 0) {
    report(`${pointer}/gidMappings`, undefined, 'must be given together with uidMappings')
  }
  if (gidMappings.length > 0 && uidMappings.length === 0) {
    report(`${pointer}/uidMappings`, undefined, 'must be given together with gidMappings')
  }
  if (options.idmap === undefined || uidMappings.length + gidMappings.length > 0 || hasUserNamespace) return
  report(`${pointer}/options`, undefined, `${options.idmap} needs uidMappings and gidMappings, or a user namespace`)
})

export const MOUNT_CHECKS: Checks = { mountDestination, mountType, bindSource, bindOptions, mountMappings }
