// Run images of the tests: natively, and those of the other machine under qemu's user emulation.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Target, targetFor } from '../target.ts'
import { REPORT_FD } from './plan.ts'

export interface Machine {
  readonly name: string
  readonly target: Target
  /** Runs the images of this machine here: '' for natively. */
  readonly emulator: string
}

export const NATIVE: Machine = {
  name: process.arch,
  target: targetFor(process.arch === 'arm64' ? 'arm64' : 'x64'),
  emulator: '',
}

/** The machines whose images can run here; says what is missing for the others. */
export const MACHINES: readonly Machine[] = [NATIVE, ...emulated()]

function emulated(): Machine[] {
  const [name, emulator] =
    process.arch === 'arm64' ? (['x64', 'qemu-x86_64-static'] as const) : (['arm64', 'qemu-aarch64-static'] as const)
  if (spawnSync(emulator, ['--version']).status === 0) return [{ name, target: targetFor(name), emulator }]
  console.log(`skipped for ${name}: ${emulator} is not installed`)
  return []
}

export interface Outcome {
  /** What it wrote to standard output. */
  readonly output: Buffer
  readonly status: number | null
  readonly signal: string | null
  /** What it wrote to the report descriptor, a file here. */
  readonly report: Buffer
}

export function run(machine: Machine, image: Uint8Array, input = ''): Outcome {
  return withFile(image, (path) => {
    const [command, args] = commandFor(machine, path)
    const reports = openSync(`${path}.report`, 'w')
    const done = spawnSync(command, args, { input, stdio: ['pipe', 'pipe', 'inherit', reports], timeout: 10_000 })
    closeSync(reports)
    if (done.error !== undefined) throw done.error
    return { output: done.stdout, status: done.status, signal: done.signal, report: readFileSync(`${path}.report`) }
  })
}

/** Start an image, and let `watch` look at it while it runs; it is killed afterwards if it still does. */
export async function observe<T>(
  machine: Machine,
  image: Uint8Array,
  watch: (child: ChildProcess) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'image-'))
  const path = join(folder, 'image')
  writeFileSync(path, image, { mode: 0o700 })
  const [command, args] = commandFor(machine, path)
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit', 'pipe'] })
  try {
    return await watch(child)
  } finally {
    if (child.exitCode === null) child.kill('SIGKILL')
    rmSync(folder, { recursive: true })
  }
}

/** Wait for the end of an observed image, and of what it writes; the report descriptor is a pipe here. */
export async function collect(child: ChildProcess): Promise<Outcome> {
  const [output, report, [status, signal]] = await Promise.all([
    all(child.stdout),
    all(child.stdio[REPORT_FD]),
    once(child, 'exit') as Promise<[number | null, string | null]>, // as Node documents the event
  ])
  return { output, status, signal, report }
}

async function all(stream: ChildProcess['stdio'][number] | undefined): Promise<Buffer> {
  const chunks: Buffer[] = []
  stream?.on('data', (chunk: Buffer) => chunks.push(chunk))
  if (stream !== null && stream !== undefined) await once(stream, 'end')
  return Buffer.concat(chunks)
}

export function withFile<T>(image: Uint8Array, use: (path: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'image-'))
  try {
    const path = join(folder, 'image')
    writeFileSync(path, image, { mode: 0o700 })
    return use(path)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function commandFor({ emulator }: Machine, path: string): [command: string, args: string[]] {
  return emulator === '' ? [path, []] : [emulator, [path]]
}
