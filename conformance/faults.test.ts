// Every step of a typical create fails once: the message names it, and nothing is left of the container.

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { RuntError } from '../src/errors.ts'
import { type CreateOptions, createContainer } from '../src/lifecycle/create.ts'
import { deleteContainer } from '../src/lifecycle/delete.ts'
import { planOf } from '../src/lifecycle/plan.ts'
import { startContainer } from '../src/lifecycle/start.ts'
import { Store } from '../src/lifecycle/store.ts'
import { ERRNO } from '../src/linux/errno.ts'
import type { Plan, Step } from '../src/plan/step.ts'
import { pointerText, stepLabel } from '../src/process/report.ts'

const BUSYBOX = '/bin/busybox'
const reason =
  process.getuid?.() !== 0
    ? 'needs root'
    : existsSync(BUSYBOX)
      ? undefined
      : 'needs busybox-static for a root file system'

if (reason !== undefined) {
  console.log(`skipped: ${reason}`)
  test.skip(`faults (${reason})`, () => {})
} else {
  const work = mkdtempSync(`${tmpdir()}/runt-faults-`)
  const bundle = makeBundle(work)
  const store = new Store(`${work}/state`)
  const plan = await planOf(store, bundle)

  test('a fault in any step of create is named, and nothing is left', async () => {
    const before = leftovers(work)
    let failed = 0
    for (const [index, step] of plan.steps.entries()) {
      if (step.op !== 'syscall') continue
      const outcome = await createWithFault(store, bundle, index)
      if (outcome === undefined) checkUntouched(step, index, plan)
      else {
        failed++
        checkNamed(outcome, step, index)
      }
      assert.equal(leftovers(work), before, `left by a fault in step ${index} (${step.name} ${step.origin})`)
    }
    assert.ok(failed > 150, `only ${failed} steps failed`)
  })

  test('a fault behind the gate is told to start', async () => {
    const before = leftovers(work)
    const gate = plan.gate ?? Number.POSITIVE_INFINITY
    const execve = plan.steps.findLastIndex((step) => step.op === 'syscall' && step.name === 'execve')
    assert.ok(execve > gate)
    await createContainer(store, options(bundle, { step: execve, errno: ERRNO.ENOEXEC }))
    assert.throws(
      () => startContainer(store, 'fault'),
      (error: Error) => /exec: "true": execve: ENOEXEC: exec format error/.test(error.message),
    )
    deleteContainer(store, 'fault', { force: false })
    assert.equal(leftovers(work), before)
  })

  test.after(() => rmSync(work, { recursive: true, force: true }))
}

function options(bundle: string, inject: CreateOptions['inject']): CreateOptions {
  return {
    id: 'fault',
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
    ...(inject === undefined ? {} : { inject }),
  }
}

/** @returns the error of create; undefined when the step doesn't run, or runt goes on without it */
async function createWithFault(store: Store, bundle: string, step: number): Promise<RuntError | undefined> {
  try {
    await createContainer(store, options(bundle, { step, errno: ERRNO.EXDEV }))
  } catch (error) {
    if (error instanceof RuntError) return error
    throw error
  }
  deleteContainer(store, 'fault', { force: true })
  return undefined
}

function checkNamed(error: RuntError, step: Step, index: number): void {
  // Where any error leads on, it is the way's own end that is told.
  if (step.op === 'syscall' && step.onError['*'] !== undefined) return
  const { origin, call } = stepLabel(step)
  const where = `step ${index}: ${error.message}`
  assert.is(error.code, 'init', where)
  assert.ok(error.message.includes(`${call}: EXDEV: `), where)
  if (origin !== '') assert.ok(error.message.startsWith(`${pointerText(origin)}: `), where)
}

/** Create went on: the step tolerates any error, stands behind the gate, or on a way not taken here. */
function checkUntouched(step: Step, index: number, plan: Plan): void {
  if (step.op !== 'syscall') return
  const tolerant = step.onError['*'] !== undefined
  const late = plan.gate !== undefined && index > plan.gate
  const aside = [
    'read',
    'pidfd_send_signal',
    'pread64',
    'mkdirat',
    'openat2',
    'open_tree',
    'move_mount',
    'fchdir',
    'unlinkat',
    'symlinkat',
    'fchown',
    'statx',
    'openat',
    'faccessat2',
  ]
  const monitor = ['close', 'exit'].includes(step.name)
  assert.ok(
    tolerant || late || monitor || aside.includes(step.name),
    `step ${index} (${step.name}) failed and nobody noticed`,
  )
}

/** What a container could leave on this machine: records, cgroups, mounts, processes. */
function leftovers(work: string): object {
  const cgroups = readdirSync('/sys/fs/cgroup').filter((name) => existsSync(`/sys/fs/cgroup/${name}/fault`))
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').length
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim()
  return { records: existsSync(`${work}/state`) ? readdirSync(`${work}/state`) : [], cgroups, mounts, children }
}

function makeBundle(work: string): string {
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
      devices: [{ path: '/tmp/zero', type: 'c', major: 1, minor: 5, uid: 3, gid: 4 }],
    },
  }
  writeFileSync(`${work}/bundle/config.json`, JSON.stringify(config))
  return `${work}/bundle`
}

test.run()
