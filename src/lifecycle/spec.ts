// spec: a config.json to start from, with what every container should have.

import { readHierarchies } from '../cgroup/hierarchy.ts'
import { RuntError } from '../errors.ts'
import { O } from '../linux/open-flags.ts'
import { close, open, tryUnlink, writeAll } from '../native/file.ts'
import { failedWith } from '../native/syscall.ts'
import { OCI_VERSION } from './container.ts'

const CAPABILITIES = ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE']

const DEFAULT_CONFIG = {
  ociVersion: OCI_VERSION,
  process: {
    terminal: true,
    user: { uid: 0, gid: 0 },
    args: ['sh'],
    env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'TERM=xterm'],
    cwd: '/',
    capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
    rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 }],
    noNewPrivileges: true,
  },
  root: { path: 'rootfs', readonly: true },
  hostname: 'runt',
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc' },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    {
      destination: '/dev/shm',
      type: 'tmpfs',
      source: 'shm',
      options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
    {
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      options: ['nosuid', 'noexec', 'nodev', 'relatime', 'ro'],
    },
  ],
  linux: {
    resources: { devices: [{ allow: false, access: 'rwm' }] },
    namespaces: ['pid', 'network', 'ipc', 'uts', 'mount'].map((type) => ({ type })),
    maskedPaths: [
      '/proc/acpi',
      '/proc/asound',
      '/proc/kcore',
      '/proc/keys',
      '/proc/latency_stats',
      '/proc/timer_list',
      '/proc/timer_stats',
      '/proc/sched_debug',
      '/sys/firmware',
      '/proc/scsi',
    ],
    readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
  },
}

/** What a user may not mount anew, as he has no network namespace: bound instead. */
const HOST_SYSFS = {
  destination: '/sys',
  type: 'none',
  source: '/sys',
  options: ['rbind', 'nosuid', 'noexec', 'nodev', 'ro'],
}

/** What runc's has as well: on cgroup v1 programs look for their cgroups where the host has them. */
const CGROUP_NAMESPACE = { type: 'cgroup' }

function withCgroupNamespace(config: typeof DEFAULT_CONFIG): typeof DEFAULT_CONFIG {
  const { linux } = config
  return { ...config, linux: { ...linux, namespaces: [...linux.namespaces, CGROUP_NAMESPACE] } }
}

/** A user has no network namespace to make devices in, no limits, and one uid and gid to map. */
function rootlessConfig(config: typeof DEFAULT_CONFIG, uid: number, gid: number): typeof DEFAULT_CONFIG {
  const { mounts, linux } = config
  const possible = mounts.map((mount) => {
    if (mount.destination === '/sys') return HOST_SYSFS
    if (mount.options === undefined) return mount
    return { ...mount, options: mount.options.filter((option) => !option.startsWith('gid=')) }
  })
  const { resources: _, ...rest } = linux
  return {
    ...config,
    mounts: possible,
    linux: {
      ...rest,
      namespaces: [...linux.namespaces.filter(({ type }) => type !== 'network'), { type: 'user' }],
      uidMappings: [{ containerID: 0, hostID: uid, size: 1 }],
      gidMappings: [{ containerID: 0, hostID: gid, size: 1 }],
    } as unknown as typeof linux,
  }
}

/** @throws RuntError when the file is there already */
export function writeSpec(path: string, { rootless }: { readonly rootless: boolean }): void {
  const plain = readHierarchies().mode === 'v2' ? withCgroupNamespace(DEFAULT_CONFIG) : DEFAULT_CONFIG
  const config = rootless ? rootlessConfig(plain, process.geteuid?.() ?? 0, process.getegid?.() ?? 0) : plain
  try {
    const fd = open(path, O.WRONLY | O.CREAT | O.EXCL, 0o666)
    try {
      writeAll(fd, `${JSON.stringify(config, undefined, 2)}\n`, path)
    } catch (error) {
      tryUnlink(path) // a part of a config is none
      throw error
    } finally {
      close(fd)
    }
  } catch (error) {
    if (failedWith(error, 'EEXIST')) {
      throw new RuntError('bundle', `${path} exists already`, { cause: error, hint: 'remove it first' })
    }
    throw error
  }
}
