// The machine of their own in which engines run, seen from outside: entered, and nothing left of it afterwards.

import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { hierarchies, removeCgroup } from '../box.ts'

const SCRIPT = fileURLToPath(new URL('world.sh', import.meta.url))
const PATIENCE_MS = 10_000

/**
 * Run a command in a world of its own; see world.sh. It gets the world's folder as its last argument.
 * @param onOutput gets what it writes to its standard output
 * @returns its exit status, and -1 for a signal
 */
export async function enterWorld(command: readonly string[], onOutput: (text: string) => void): Promise<number> {
  const folder = mkdtempSync(`${tmpdir()}/runt-engines-`)
  chmodSync(folder, 0o755) // a container's user must be able to reach its root
  const cgroup = `runt-engines-${process.pid}`
  try {
    const child = spawn('sh', [SCRIPT, folder, cgroup, ...command, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
    child.stdout.setEncoding('utf8').on('data', onOutput)
    return await new Promise((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (status) => resolve(status ?? -1))
    })
  } finally {
    await removeCgroups(cgroup)
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The kernel takes its time to bury a whole pid namespace. */
async function removeCgroups(name: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS
  for (const hierarchy of hierarchies()) {
    const cgroup = `${hierarchy}/${name}`
    for (removeCgroup(cgroup); existsSync(cgroup); removeCgroup(cgroup)) {
      if (Date.now() > deadline) throw new Error(`${cgroup} can not be removed`)
      await sleep(20)
    }
  }
}
