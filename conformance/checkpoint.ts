// What cases of checkpoint and restore share: a CRIU that works on this machine, and the two commands with their folders.

import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import * as assert from 'uvu/assert'
import type { Box } from './box.ts'
import { succeeded } from './box.ts'
import { skip } from './case.ts'
import { waitUntil } from './patience.ts'
import type { Result, RunOptions } from './runtime.ts'

const SCRIPT = fileURLToPath(new URL('../bin/debian-criu', import.meta.url))

/** @param name of criu check --feature */
export function requireFeature(box: Box, name: string): void {
  const { status, stderr, stdout } = spawnSync(`${requireCriu(box)}/criu`, ['check', '--feature', name], {
    encoding: 'utf8',
  })
  if (status !== 0) skip(`${stdout}${stderr}`.trim())
}

/** prlimit(2) of other users' processes and pipes beyond fs.pipe-max-size take it. */
export function hasResourceRight(): boolean {
  const CAP_SYS_RESOURCE = 1n << 24n
  const effective = /^CapEff:\s*(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'
  return (BigInt(`0x${effective}`) & CAP_SYS_RESOURCE) !== 0n
}

/** Its server of lazy pages takes a pipe of 4 MiB, and does not look whether it got one. */
export function canServeLazyPages(): boolean {
  return hasResourceRight() || Number(readFileSync('/proc/sys/fs/pipe-max-size', 'utf8')) >= 4 << 20
}

/** What open connections take. */
export function requireNetworkLock(box: Box): void {
  if (!existsSync('/usr/sbin/iptables')) skip('criu locks the network by iptables, which is not here')
  if (criuVersion(box) < 4) skip('a criu before 4 does not unlock the network by the iptables of today')
}

/** Its first number. */
function criuVersion(box: Box): number {
  const { stdout } = spawnSync(`${requireCriu(box)}/criu`, ['--version'], { encoding: 'utf8' })
  return Number(/(\d+)\./.exec(stdout)?.[1] ?? 0)
}

/** The folder of a criu that works here, or why there is none. */
export type FoundCriu = { readonly folder: string } | { readonly reason: string }

let found: FoundCriu | undefined

/** @returns why a runtime can't checkpoint, whatever criu there is */
export function unableToCheckpoint(runtime: string): string | undefined {
  return runtime === 'crun' ? "crun takes libcriu, which Debian's is built without" : undefined
}

/** The folder of a criu; looked for once. */
export function requireCriu(box: Box): string {
  const unable = unableToCheckpoint(box.runtime.name)
  if (unable !== undefined) skip(unable)
  found ??= findCriu()
  return 'folder' in found ? found.folder : skip(found.reason)
}

/** The machine's own when it works on this kernel, else that of Debian's next release. */
export function findCriu(): FoundCriu {
  const own = spawnSync('sh', ['-c', 'command -v criu'], { encoding: 'utf8' }).stdout.trim()
  if (own !== '' && spawnSync(own, ['check']).status === 0) return { folder: folderOf(own) }
  const script = spawnSync('sh', [SCRIPT], { encoding: 'utf8' })
  if (script.status !== 0) return { reason: `no criu: ${script.stderr.trim()}` }
  const program = script.stdout.trim()
  const check = spawnSync(program, ['check'], { encoding: 'utf8' })
  if (check.status !== 0) return { reason: `criu does not work here: ${`${check.stdout}${check.stderr}`.trim()}` }
  return { folder: folderOf(program) }
}

function folderOf(program: string): string {
  return program.slice(0, program.lastIndexOf('/'))
}

/** Counts by the name of a file of the image: none is ever open that may change while a checkpoint is kept. */
export const COUNTER = ': >/data/0; i=0; while :; do mv /data/$i /data/$((i+1)); i=$((i+1)); sleep 0.02; done'
/** Streams of the container's own. */
export const OWN_STREAMS = 'exec </dev/null >/dev/null 2>&1'

export class Saved {
  readonly images: string
  /** CRIU's logs. */
  readonly work: string
  readonly #box: Box
  readonly #options: RunOptions

  constructor(box: Box) {
    this.#box = box
    this.images = box.path('images')
    this.work = box.path('work')
    const env = { PATH: `${requireCriu(box)}:${process.env.PATH}` }
    // Who leaves criu in the machine's mount namespace may leave mounts of criu's there.
    this.#options = box.runtime.name === 'runt' ? { env } : { env, starter: ['unshare', '-m'] }
  }

  /** Start a counter, and wait until it counts. */
  async launch(edits: Parameters<Box['launch']>[1] = {}, script = COUNTER): Promise<void> {
    await this.#box.launch(`${OWN_STREAMS}; ${script}`, edits)
    await this.counts()
  }

  checkpoint(...flags: readonly string[]): Promise<Result> {
    return this.checkpointWith([], flags)
  }

  /** @param descriptors that the runtime has as 3, 4, … */
  checkpointWith(descriptors: readonly number[], flags: readonly string[]): Promise<Result> {
    const words = ['checkpoint', ...this.#folders(flags), ...flags, this.#box.id]
    return this.#box.command(words, { ...this.#options, descriptors })
  }

  /** A flag --bundle comes last and counts. */
  restore(...flags: readonly string[]): Promise<Result> {
    return this.restoreAfter([], flags)
  }

  /** @param globals flags in front of the command */
  restoreAfter(globals: readonly string[], flags: readonly string[]): Promise<Result> {
    const words = [...globals, 'restore', '--bundle', this.#box.bundle, ...this.#folders(flags), ...flags, this.#box.id]
    return this.#box.command(words, this.#options)
  }

  #folders(flags: readonly string[]): string[] {
    const images = flags.includes('--image-path') ? [] : ['--image-path', this.images]
    return [...images, '--work-path', this.work]
  }

  async restored(...flags: readonly string[]): Promise<void> {
    succeeded(await this.restore('--detach', ...flags))
  }

  /** Words that start a command with criu in its PATH. */
  get environment(): NonNullable<RunOptions['env']> {
    return this.#options.env ?? {}
  }

  count(): number {
    const names = readdirSync(`${this.#box.rootfs}/data`).filter((name) => /^\d+$/.test(name))
    return Math.max(0, ...names.map(Number))
  }

  /** Wait until it has counted on. @returns how far it is */
  async counts(beyond = this.count()): Promise<number> {
    await waitUntil(
      () => this.count() > beyond,
      () => `the counter stands at ${this.count()}`,
    )
    return this.count()
  }

  async standsStill(): Promise<number> {
    const before = this.count()
    await sleep(150)
    assert.is(this.count(), before, 'it counts on')
    return before
  }
}
