// Checks of /linux but for resources and seccomp (runtime-spec config-linux.md).

import { cpuMask } from '../linux/cpu-list.ts'
import { S_IF } from '../linux/open-flags.ts'
import { step } from '../pointer.ts'
import type { Check, Checks } from './checks.ts'
import type { OciConfig } from './generated/oci.d.ts'
import { cleanPath } from './path.ts'
import type { Report } from './problems.ts'
import { sysctlNamespace, sysctlPath } from './sysctl.ts'

type OciMapping = NonNullable<NonNullable<OciConfig['linux']>['uidMappings']>[number]

const namespaces: Check = ({ linux }, report) => {
  const first = new Map<string, number>()
  linux?.namespaces?.forEach(({ type }, index) => {
    const earlier = first.get(type)
    if (earlier !== undefined) {
      report(`/linux/namespaces/${index}/type`, type, 'is listed already at', { other: `/linux/namespaces/${earlier}` })
    }
    first.set(type, earlier ?? index)
  })
}

/** One past the largest id there is. user_namespaces(7) */
const END_OF_IDS = 0xffffffff

/**
 * What uid_map takes. A joined user namespace may come with mappings: engines send both, they are ignored. A new one may come
 * without: it has the caller's ids then.
 */
const mappings: Check = ({ linux }, report, namespaces) => {
  const user = namespaces.get('user')
  const given = (linux?.uidMappings ?? []).length + (linux?.gidMappings ?? []).length > 0
  for (const name of ['uidMappings', 'gidMappings'] as const) {
    const list = linux?.[name] ?? []
    const pointer = `/linux/${name}`
    if (user === undefined && list.length > 0) report(pointer, undefined, 'needs a user namespace in linux.namespaces')
    if (user === 'new' && given && list.length === 0) {
      report(pointer, undefined, 'must be given for a new user namespace, as for the others')
    }
    checkRanges(list, pointer, report)
  }
}

/** Lines that uid_map takes. user_namespaces(7) */
export const MOST_RANGES = 340

/** No id twice, on either side, and none past the last. */
export function checkRanges(list: readonly OciMapping[], pointer: string, report: Report): void {
  if (list.length > MOST_RANGES) {
    report(pointer, undefined, `has ${list.length} ranges, and the kernel takes ${MOST_RANGES}`)
    return
  }
  list.forEach((mapping, index) => {
    checkRange(mapping, { pointer: `${pointer}/${index}`, earlier: list.slice(0, index), report })
  })
}

interface Surroundings {
  readonly pointer: string
  readonly earlier: readonly OciMapping[]
  readonly report: Report
}

function checkRange(mapping: OciMapping, { pointer, earlier, report }: Surroundings): void {
  for (const side of ['containerID', 'hostID'] as const) {
    const start = mapping[side]
    if (start + mapping.size > END_OF_IDS) {
      report(`${pointer}/size`, mapping.size, `goes past the largest id, from ${side} ${start} on`)
    }
    const other = earlier.find((one) => start < one[side] + one.size && one[side] < start + mapping.size)
    if (other !== undefined) {
      report(`${pointer}/${side}`, start, `overlaps with the range from ${other[side]} on, ${other.size} long`)
    }
  }
}

const timeOffsets: Check = ({ linux }, report, namespaces) => {
  const { monotonic, boottime } = linux?.timeOffsets ?? {}
  if (monotonic === undefined && boottime === undefined) return
  if (namespaces.get('time') === 'new') return
  report('/linux/timeOffsets', undefined, 'needs a new time namespace in linux.namespaces')
}

/** mknod(2): the kernel has 12 bits for the major and 20 for the minor number. */
const NUMBERS = { major: 0xfff, minor: 0xfffff } as const

type OciDevice = NonNullable<NonNullable<OciConfig['linux']>['devices']>[number]

/** What st_mode has above the permissions, for each type: Podman writes it into fileMode. inode(7) */
const TYPE_BITS = { c: S_IF.CHR, u: S_IF.CHR, b: S_IF.BLK, p: S_IF.FIFO } as const

function checkMode({ type, fileMode = 0 }: OciDevice, pointer: string, report: Parameters<Check>[1]): void {
  if (fileMode <= 0o777 || (fileMode & ~0o777) === TYPE_BITS[type]) return
  report(pointer, fileMode, `must be at most ${0o777}, or have just the type ${type} above that`)
}

const devices: Check = ({ linux }, report) => {
  const first = new Map<string, { readonly index: number; readonly text: string }>()
  linux?.devices?.forEach((device, index) => {
    const pointer = `/linux/devices/${index}`
    for (const name of ['major', 'minor'] as const) {
      const value = device[name]
      if (device.type === 'p') continue
      if (value === undefined)
        report(`${pointer}/${name}`, undefined, `must be given for a device of type ${device.type}`)
      else if (value < 0 || value > NUMBERS[name]) {
        report(`${pointer}/${name}`, value, `must be 0 to ${NUMBERS[name]}`)
      }
    }
    checkMode(device, `${pointer}/fileMode`, report)
    const path = cleanPath(device.path)
    if (path === '/') report(`${pointer}/path`, device.path, 'must not be the root itself')
    const text = [device.type === 'u' ? 'c' : device.type, device.major, device.minor].join(' ')
    const earlier = first.get(path)
    if (earlier !== undefined && earlier.text !== text) {
      report(`${pointer}/path`, device.path, 'is another device already at', {
        other: `/linux/devices/${earlier.index}`,
      })
    }
    first.set(path, earlier ?? { index, text })
  })
}

const hiddenPaths: Check = ({ linux }, report, namespaces) => {
  if (namespaces.has('mount')) return
  for (const name of ['maskedPaths', 'readonlyPaths'] as const) {
    const paths = linux?.[name] ?? []
    if (paths.length > 0) report(`/linux/${name}`, undefined, 'needs a mount namespace in linux.namespaces')
  }
}

/** Only parameters of the container's own namespaces: others would change the host. */
const sysctl: Check = ({ linux, domainname }, report, namespaces) => {
  const first = new Map<string, string>()
  for (const name of Object.keys(linux?.sysctl ?? {})) {
    const pointer = `/linux/sysctl/${step(name)}`
    const path = sysctlPath(name)
    const earlier = first.get(path)
    if (earlier !== undefined) report(pointer, undefined, `is the same parameter as ${JSON.stringify(earlier)}`)
    first.set(path, name)
    const namespace = sysctlNamespace(path)
    if (path.split('/').some((part) => part === '' || part === '.' || part === '..')) {
      report(pointer, undefined, 'is not the name of a kernel parameter')
    } else if (path === 'kernel/hostname') {
      report(pointer, undefined, 'is what hostname is for')
    } else if (path === 'kernel/domainname' && domainname !== undefined) {
      report(pointer, undefined, 'is what domainname is for, which is there, too')
    } else if (namespace === undefined) {
      report(pointer, undefined, 'is not a parameter of a namespace: it would change the host')
    } else if (!namespaces.has(namespace)) {
      report(pointer, undefined, `needs a namespace of type ${namespace} in linux.namespaces`)
    }
  }
}

/** config-linux.md, Cgroups path: the same text always means the same place. */
const cgroupsPath: Check = ({ linux }, report) => {
  const path = linux?.cgroupsPath
  if (path?.split('/').includes('..')) report('/linux/cgroupsPath', path, 'must not have ".." in it')
}

const netDevices: Check = ({ linux }, report, namespaces) => {
  const devices = Object.entries(linux?.netDevices ?? {})
  if (devices.length === 0) return
  if (!namespaces.has('network')) {
    report('/linux/netDevices', undefined, 'needs a network namespace in linux.namespaces')
  }
  const first = new Map<string, string>()
  for (const [host, { name = '' }] of devices) {
    const inside = name === '' ? host : name
    if (inside.replace('%d', '').includes('%')) {
      report(`/linux/netDevices/${step(host)}`, inside, 'may have one "%d" for a number, and no other "%"')
    }
    if (inside === '.' || inside === '..') report(`/linux/netDevices/${step(host)}`, inside, 'is no name of a device')
    const earlier = first.get(inside)
    if (earlier !== undefined && !inside.includes('%d')) {
      report(`/linux/netDevices/${step(host)}`, inside, `is the name of ${JSON.stringify(earlier)} already`)
    }
    first.set(inside, host)
  }
}

const WITHOUT_NODES = new Set(['MPOL_DEFAULT', 'MPOL_LOCAL'])

/** set_mempolicy(2): which modes have nodes, and which flags go together. */
const memoryPolicy: Check = ({ linux }, report) => {
  const policy = linux?.memoryPolicy
  if (policy === undefined) return
  const { mode, nodes = '', flags = [] } = policy
  const isNodeless = WITHOUT_NODES.has(mode)
  if (isNodeless && nodes !== '') report('/linux/memoryPolicy/nodes', nodes, `must not be given for ${mode}`)
  if (!isNodeless && nodes === '' && mode !== 'MPOL_PREFERRED') {
    report('/linux/memoryPolicy/nodes', policy.nodes, `must be given for ${mode}`)
  }
  if (nodes !== '' && cpuMask(nodes) === undefined) {
    report('/linux/memoryPolicy/nodes', nodes, 'must be a list of nodes as "0-1,3"')
  }
  if (isNodeless && flags.length > 0) report('/linux/memoryPolicy/flags', undefined, `must not be given for ${mode}`)
  if (flags.includes('MPOL_F_STATIC_NODES') && flags.includes('MPOL_F_RELATIVE_NODES')) {
    report(
      '/linux/memoryPolicy/flags',
      undefined,
      'has MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES, which exclude each other',
    )
  }
  if (flags.includes('MPOL_F_NUMA_BALANCING') && mode !== 'MPOL_BIND' && mode !== 'MPOL_PREFERRED_MANY') {
    report(
      '/linux/memoryPolicy/flags',
      undefined,
      'has MPOL_F_NUMA_BALANCING, which is for MPOL_BIND and MPOL_PREFERRED_MANY',
    )
  }
}

/** config-linux.md, Personality: no flag is defined, and what is not supported is an error. */
const personality: Check = ({ linux }, report) => {
  const flags = linux?.personality?.flags ?? []
  flags.forEach((flag, index) => {
    report(`/linux/personality/flags/${index}`, flag, 'no flag is defined')
  })
}

export const LINUX_CHECKS: Checks = {
  namespaces,
  mappings,
  timeOffsets,
  devices,
  hiddenPaths,
  sysctl,
  cgroupsPath,
  netDevices,
  memoryPolicy,
  personality,
}
