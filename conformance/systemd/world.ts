// A machine that systemd has booted, as world.sh makes it, seen from outside.

import { type SpawnSyncOptions, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import { missingForTests } from '../built.ts'

const SCRIPT = fileURLToPath(new URL('world.sh', import.meta.url))
const CGROUPS = '/sys/fs/cgroup'

/** The unified hierarchy alone, or those of v1 beside it. */
export type Tree = 'v2' | 'hybrid'

/** Programs that world.sh calls, and the packages that have them. */
const PROGRAMS: Readonly<Record<string, string>> = {
  '/lib/systemd/systemd': 'systemd',
  '/usr/bin/systemd-run': 'systemd',
  '/usr/bin/dbus-daemon': 'dbus-daemon',
}

/** Why there can be no such machine here. @param root another Debian's files */
export function missingForWorld(tree: Tree, root = '/'): string | undefined {
  const reason = missingForTests()
  if (reason !== undefined) return reason
  const [, lacking] = Object.entries(PROGRAMS).find(([file]) => !existsSync(`${root}${file}`)) ?? []
  if (lacking !== undefined) return `needs ${lacking}`
  const isV2 = existsSync(`${CGROUPS}/cgroup.procs`)
  if (tree === 'hybrid' && isV2) return 'no hierarchies of cgroup v1 here'
  if (!isV2 && !existsSync(`${CGROUPS}/unified/cgroup.procs`)) return 'no cgroup v2 mount here'
  return undefined
}

/**
 * Run a command there, in the checkout's folder.
 * @returns its exit status (125: there can be no such machine), and what it wrote, if that isn't ours
 */
export function inWorld(
  tree: Tree,
  command: readonly string[],
  { root = '/', ...options }: SpawnSyncOptions & { root?: string } = {},
) {
  const folder = mkdtempSync(`${tmpdir()}/runt-world-`)
  chmodSync(folder, 0o755) // a container's user must be able to reach its root
  try {
    return spawnSync('sh', [SCRIPT, tree, root, folder, ...command], {
      stdio: ['ignore', 'inherit', 'inherit'],
      ...options,
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** What world.sh and a comparison of runtimes need of another Debian. */
const PACKAGES =
  'base-files bash dash coreutils grep sed util-linux mount systemd dbus-daemon dbus-system-bus-common libseccomp2 runc crun busybox-static'

/** The files of the newest Debian, with its systemd, runc and crun; or why they can't be had. */
export function newestDebian(): { readonly root: string } | { readonly reason: string } {
  const cache = process.env.XDG_CACHE_HOME ?? `${homedir()}/.cache`
  const command = [fileURLToPath(new URL('../../bin/debian-root', import.meta.url)), `${cache}/runt/sid`, 'sid']
  const { status, stdout, stderr } = spawnSync('sh', [...command, ...PACKAGES.split(' ')], { encoding: 'utf8' })
  return status === 0 ? { root: stdout.trim() } : { reason: stderr.trim() }
}

/** This file of tests is what another says there. @param file beside this one */
export function testInWorld(tree: Tree, file: string): void {
  const reason = missingForWorld(tree)
  if (reason === undefined) {
    const { status } = inWorld(tree, [process.execPath, fileURLToPath(new URL(file, import.meta.url))])
    process.exitCode = status ?? 1
    return
  }
  console.log(`skipped: ${file} on a tree of ${tree}: ${reason}`)
  test.skip(reason, () => {})
  test.run()
}
