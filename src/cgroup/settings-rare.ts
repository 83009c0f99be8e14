// linux.resources.hugepageLimits, network and rdma → files: what few containers ask for. Pure.

import type { HugepageLimit, Network, RdmaLimit } from '../config/types.ts'
import { refuse, requireVersion, type Setting, type VersionOf } from './setting.ts'

const AT = '/linux/resources'

/** Of pages in use, and of those that are reserved; Linux has both since 5.7. */
const HUGEPAGE_FILES = { v1: ['limit_in_bytes', 'rsvd.limit_in_bytes'], v2: ['max', 'rsvd.max'] } as const

export function hugepageSettings(limits: readonly HugepageLimit[], versionOf: VersionOf): Setting[] {
  return limits.flatMap(({ pageSize, limit }, index) => {
    const pointer = `${AT}/hugepageLimits/${index}`
    const version = requireVersion(versionOf, 'hugetlb', pointer)
    return HUGEPAGE_FILES[version].map((name) => ({
      controller: 'hugetlb',
      version,
      file: `hugetlb.${pageSize}.${name}`,
      value: String(limit),
      pointer,
    }))
  })
}

/** Marks for the host's traffic control. cgroup v2 has none: there it is for nftables and BPF to tell groups apart. */
export function networkSettings({ classID, priorities = [] }: Network, versionOf: VersionOf): Setting[] {
  const settings: Setting[] = []
  const add = (controller: string, pointer: string, rest: Pick<Setting, 'file' | 'value' | 'line'>) => {
    if (versionOf(controller) !== 'v1') {
      throw refuse(`${AT}/network/${pointer}`, `cgroup v2 has no ${controller}, and no v1 hierarchy of it is mounted`)
    }
    settings.push({ controller, version: 'v1', pointer: `${AT}/network/${pointer}`, ...rest })
  }
  if (classID !== undefined) add('net_cls', 'classID', { file: 'net_cls.classid', value: String(classID) })
  for (const [index, { name, priority }] of priorities.entries()) {
    const line = { key: name, unset: `${name} 0` }
    add('net_prio', `priorities/${index}`, { file: 'net_prio.ifpriomap', value: `${name} ${priority}`, line })
  }
  return settings
}

export function rdmaSettings(limits: Readonly<Record<string, RdmaLimit>>, versionOf: VersionOf): Setting[] {
  return Object.entries(limits).map(([device, { hcaHandles, hcaObjects }]) => {
    const pointer = `${AT}/rdma/${device.replaceAll('~', '~0')}`
    const words = [
      ...(hcaHandles === undefined ? [] : [`hca_handle=${hcaHandles}`]),
      ...(hcaObjects === undefined ? [] : [`hca_object=${hcaObjects}`]),
    ]
    return {
      controller: 'rdma',
      version: requireVersion(versionOf, 'rdma', pointer),
      file: 'rdma.max',
      value: [device, ...words].join(' '),
      pointer,
      line: { key: device, unset: `${device} hca_handle=max hca_object=max` },
    }
  })
}
