// A bundle with a bit of everything, for tests in which each step fails once; and what such a container could leave behind.

import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import type { CreateOptions } from '../src/lifecycle/create.ts'
import type { ExecOptions } from '../src/lifecycle/exec.ts'

/** Tests of several checkouts may run at once. */
export const FAULT_ID = `fault-${process.pid}`

const BUSYBOX = '/bin/busybox'

/** @returns why such tests can't run here */
export function missingForFaults(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root'
  return existsSync(BUSYBOX) ? undefined : 'needs busybox-static for a root file system'
}

export function faultOptions(bundle: string, inject: CreateOptions['inject']): CreateOptions {
  return {
    id: FAULT_ID,
    mode: 'create',
    bundle,
    consoleSocket: undefined,
    pidFile: undefined,
    pidfdSocket: undefined,
    noPivot: false,
    noNewKeyring: false,
    preserveFds: 0,
    profile: false,
    rootless: false,
    systemdCgroup: false,
    supervised: true,
    ...(inject === undefined ? {} : { inject }),
  }
}

/** An exec with a bit of everything; with a terminal when there is a console socket. */
export function faultExecOptions(options: Partial<ExecOptions>): ExecOptions {
  return {
    id: FAULT_ID,
    request: {
      processFile: undefined,
      args: ['true'],
      terminal: options.consoleSocket !== undefined,
      user: '3:4',
      additionalGids: ['5'],
      cwd: '/data',
      env: [],
      capabilities: ['CAP_CHOWN'],
      noNewPrivileges: false,
      apparmorProfile: undefined,
      selinuxLabel: undefined,
    },
    detach: false,
    supervised: false,
    pidFile: undefined,
    consoleSocket: undefined,
    pidfdSocket: undefined,
    preserveFds: 0,
    subCgroups: [],
    ignorePaused: false,
    profile: false,
    ...options,
  }
}

/** Processes of the container. */
export function processesInside(): string {
  const folder = [`/sys/fs/cgroup/pids/${FAULT_ID}`, `/sys/fs/cgroup/${FAULT_ID}`].find(existsSync)
  return readFileSync(`${folder}/cgroup.procs`, 'utf8').trim()
}

/** What a container could leave on this machine: records, cgroups, mounts, processes. */
export function leftovers(work: string): object {
  const cgroups = readdirSync('/sys/fs/cgroup').filter((name) => existsSync(`/sys/fs/cgroup/${name}/${FAULT_ID}`))
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').length
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim()
  const records = existsSync(`${work}/state`)
    ? readdirSync(`${work}/state`).filter((name) => !name.startsWith('@'))
    : []
  return { records, cgroups, mounts, children }
}

/** @param edits of the config */
export function makeFaultBundle(work: string, edits: object = {}): string {
  const bin = `${work}/bundle/rootfs/bin`
  mkdirSync(bin, { recursive: true })
  copyFileSync(BUSYBOX, `${bin}/busybox`)
  symlinkSync('busybox', `${bin}/true`)
  mkdirSync(`${work}/src`)
  const capabilities = ['CAP_KILL', 'CAP_NET_BIND_SERVICE']
  const config = {
    ociVersion: '1.2.0',
    hostname: 'fault',
    domainname: 'example.org',
    root: { path: 'rootfs', readonly: true },
    process: {
      args: ['true'],
      cwd: '/work',
      env: ['PATH=/usr/bin:/bin'],
      user: { uid: 7, gid: 8, additionalGids: [9] },
      noNewPrivileges: true,
      oomScoreAdj: 300,
      execCPUAffinity: { initial: '0', final: '0' },
      rlimits: [{ type: 'RLIMIT_CORE', soft: 0, hard: 0 }],
      capabilities: {
        bounding: capabilities,
        permitted: capabilities,
        inheritable: capabilities,
        ambient: capabilities,
      },
    },
    hooks: {
      createRuntime: [{ path: '/bin/true' }],
      createContainer: [{ path: '/bin/true', timeout: 5 }],
    },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
      { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: ['newinstance', 'ptmxmode=0666'] },
      { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['ro'] },
      { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['ro'] },
      { destination: '/data', source: `${work}/src`, options: ['rbind', 'ro', 'rprivate'] },
      { destination: '/tmp', type: 'tmpfs', options: ['rslave'] },
    ],
    linux: {
      namespaces: ['mount', 'pid', 'uts', 'ipc', 'network', 'cgroup', 'time'].map((type) => ({ type })),
      timeOffsets: { boottime: { secs: 5 } },
      sysctl: { 'net.ipv4.ip_forward': '1' },
      maskedPaths: ['/proc/keys', '/sys/firmware', '/nowhere'],
      readonlyPaths: ['/proc/sys'],
      seccomp: { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['swapon'], action: 'SCMP_ACT_ERRNO' }] },
      devices: [{ path: '/tmp/zero', type: 'c', major: 1, minor: 5, uid: 3, gid: 4 }],
    },
  }
  writeFileSync(`${work}/bundle/config.json`, JSON.stringify({ ...config, ...edits }))
  return `${work}/bundle`
}
