// What the tests could leave on this machine: mounts, cgroup folders, network namespaces, files in the checkout. What others make
// meanwhile is theirs.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { PATIENCE } from './patience.ts'

export interface Machine {
  /** What is there now that wasn't: looked for again for a while, since the kernel takes its time to clean up. */
  newSince(): Promise<readonly string[]>
}

const PATIENCE_MS = 5000 * PATIENCE
const PAUSE_MS = 200
const CGROUPS = '/sys/fs/cgroup'

/** By what the tests' own things are known. */
export interface Traces {
  /** Their folder for temporary files. */
  readonly folder: string
  /** Of each test file's process: it is part of the names of all that it makes. */
  readonly pids: ReadonlySet<number>
}

/** Look at the machine as it is. */
export function observe(traces: Traces): Machine {
  const before = look(traces)
  return {
    async newSince() {
      const deadline = Date.now() + PATIENCE_MS
      for (;;) {
        const left = [...look(traces)].filter((what) => !before.has(what))
        if (left.length === 0 || Date.now() > deadline) return left
        await sleep(PAUSE_MS)
      }
    },
  }
}

function look(traces: Traces): Set<string> {
  return new Set([...mounts(traces), ...cgroups(traces), ...networkNamespaces(), ...filesOfTheCheckout()])
}

/** Those in the tests' folder, and whatever covers another mount: what goes wrong in a container would be /proc, /dev or the root. */
function mounts({ folder }: Traces): string[] {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').filter(Boolean)
  const points = lines.map((line) => line.split(' ')[4] ?? '')
  const seen = new Map<string, number>()
  return points.flatMap((point) => {
    const count = (seen.get(point) ?? 0) + 1
    seen.set(point, count)
    if (count > 1) return [`mount ${point}, the ${count}. there`]
    return `${point}/`.startsWith(`${folder}/`) ? [`mount ${point}`] : []
  })
}

function filesOfTheCheckout(): string[] {
  return readdirSync('.').map((name) => `file ${name}`)
}

/** Empty ones and those of our own processes, by our names. */
function cgroups({ pids }: Traces): string[] {
  const found: string[] = []
  const walk = (folder: string): void => {
    for (const entry of readFolder(folder)) {
      const path = `${folder}/${entry}`
      if ((path.match(/\d+/g) ?? []).some((digits) => pids.has(Number(digits))) && isIdle(path))
        found.push(`cgroup ${path}`)
      walk(path)
    }
  }
  walk(CGROUPS)
  return found
}

function readFolder(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
  } catch {
    return [] // gone meanwhile
  }
}

function isIdle(cgroup: string): boolean {
  try {
    const pids = readFileSync(`${cgroup}/cgroup.procs`, 'utf8').split('\n').filter(Boolean)
    return pids.every((pid) => isOurs(Number(pid)))
  } catch {
    return false // gone meanwhile, or the tmpfs that the hierarchies are mounted on
  }
}

function networkNamespaces(): string[] {
  const ours = new Set<string>()
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (!isOurs(Number(pid))) continue
    try {
      ours.add(`network namespace ${readlinkSync(`/proc/${pid}/ns/net`)} of process ${pid}`)
    } catch {
      // gone meanwhile, or a zombie, which has no namespaces
    }
  }
  return [...ours].filter((name) => !name.includes(readlinkSync('/proc/self/ns/net')))
}

/** Is the process a descendant of this one? */
function isOurs(pid: number): boolean {
  for (let at = pid; at > 1; at = parentOf(at)) if (at === process.pid) return true
  return false
}

function parentOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return 0
  }
}
