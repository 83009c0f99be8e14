// What the tests could leave on this machine: mounts, cgroup folders, network namespaces.

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

/** Look at the machine as it is. */
export function observe(): Machine {
  const before = look()
  return {
    async newSince() {
      const deadline = Date.now() + PATIENCE_MS
      for (;;) {
        const left = [...look()].filter((what) => !before.has(what))
        if (left.length === 0 || Date.now() > deadline) return left
        await sleep(PAUSE_MS)
      }
    },
  }
}

function look(): Set<string> {
  return new Set([...mounts(), ...cgroups(), ...networkNamespaces()])
}

function mounts(): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4])
    .filter((point) => point !== undefined)
    .map((point) => `mount ${point}`)
}

/** Empty ones and those of our own processes: a folder that others use is theirs. */
function cgroups(): string[] {
  const found: string[] = []
  const walk = (folder: string): void => {
    for (const entry of readFolder(folder)) {
      const path = `${folder}/${entry}`
      if (isIdle(path)) found.push(`cgroup ${path}`)
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
