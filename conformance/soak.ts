// Load and endurance, runt beside runc and crun: bun conformance/soak.ts [NAME …]
//
//   SOAK_PARALLEL   creates at the same time (64), SOAK_SECONDS for how long (60)
//   SOAK_LIVE       containers that live at the same time (1000)
//   SOAK_RUNS       runs one after the other (10000)
//
// Nothing may fail, nothing may be left (mounts, cgroups, namespaces, processes, records, files), and a create beside many live
// containers may not take much longer than beside none. What is told of the machine's memory and open files is for the
// eye: it is everybody's.

import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Ground } from './box.ts'
import { baseConfig, edited, makeRootfs, missingForBundles } from './bundle.ts'
import { observe } from './leaks.ts'
import { adoptOrphans, isOwn } from './orphans.ts'

const HYBRID = '/sys/fs/cgroup/unified'
const RUNT = fileURLToPath(new URL('../dist/runt', import.meta.url))
const CANDIDATES: Readonly<Record<string, readonly string[]>> = {
  runt: [RUNT],
  runc: ['/usr/bin/runc', '/usr/sbin/runc'],
  crun: ['/usr/bin/crun'],
}
const PARALLEL = size('SOAK_PARALLEL', 64)
const SECONDS = size('SOAK_SECONDS', 60)
const LIVE = size('SOAK_LIVE', 1000)
const RUNS = size('SOAK_RUNS', 10_000)
const PATIENCE_MS = 60_000
/** Of the latencies at the beginning and at the end of a phase. */
const SHARE = 0.1
/** How much slower a create may be at the end. */
const MOST_GROWTH = 1.5

const { values, positionals } = parseArgs({ allowPositionals: true, options: { plain: { type: 'boolean' } } })

function size(name: string, otherwise: number): number {
  const value = Number(process.env[name] ?? otherwise)
  if (!Number.isInteger(value) || value < 0) throw new Error(`${name} is no number`)
  return value
}

/** One runtime under load. */
class Subject {
  readonly name: string
  readonly failures: string[] = []
  readonly #program: string
  readonly #folder: string
  readonly #stateRoot: string
  readonly #cgroup: string

  constructor(name: string, program: string, ground: Ground) {
    this.name = name
    this.#program = program
    this.#folder = `${ground.folder}/${name}`
    this.#stateRoot = `${this.#folder}/state`
    this.#cgroup = `${ground.cgroup}/${name}`
    mkdirSync(this.#folder)
    makeRootfs(`${this.#folder}/rootfs`, ground.folder)
  }

  /** A bundle of its own for each container, on one root file system. @returns its folder */
  bundle(id: string, args: readonly string[]): string {
    const folder = `${this.#folder}/${id}`
    mkdirSync(folder, { recursive: true })
    const edits = { '/root/path': `${this.#folder}/rootfs`, '/process/args': args }
    writeFileSync(`${folder}/config.json`, JSON.stringify(edited(baseConfig(`${this.#cgroup}/${id}`), edits)))
    return folder
  }

  /** @returns milliseconds */
  async command(...args: string[]): Promise<number> {
    const started = performance.now()
    const words = ['--root', this.#stateRoot, ...args]
    const child = spawn(this.#program, words, { stdio: ['ignore', 'ignore', 'pipe'], timeout: PATIENCE_MS })
    isOwn(child)
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk
    })
    const status = await new Promise<number | null>((settle) => {
      child.on('error', () => settle(null))
      child.on('exit', settle)
    })
    const milliseconds = performance.now() - started
    child.stderr.destroy() // a container that lives holds it open
    if (status !== 0) this.failures.push(`${args.join(' ')}: ${status ?? 'killed'}: ${said.trim()}`)
    return milliseconds
  }

  /** Not a cgroup of somebody else's, nor the folder that all the containers' cgroups are in. */
  readonly isOwn = (thing: string): boolean => !thing.startsWith('cgroup ') || thing.includes(`${this.#cgroup}/`)

  /** What the runtime itself has left. */
  leftovers(): string[] {
    const records = existsSync(this.#stateRoot)
      ? readdirSync(this.#stateRoot).filter((name) => !/^[.@]/.test(name))
      : []
    return records.map((name) => `record ${name}`)
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

interface Row {
  readonly what: string
  readonly figures: Readonly<Record<string, string>>
}

/** Many at the same time, again and again. */
async function parallel(subject: Subject): Promise<Row> {
  const deadline = Date.now() + SECONDS * 1000
  const cycles: number[] = []
  const worker = async (_: unknown, index: number): Promise<void> => {
    const id = `soak-parallel-${index}`
    const bundle = subject.bundle(id, ['sleep', '60'])
    while (Date.now() < deadline) {
      let milliseconds = await subject.command('create', '--bundle', bundle, id)
      milliseconds += await subject.command('start', id)
      milliseconds += await subject.command('delete', '--force', id)
      cycles.push(milliseconds)
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, worker))
  const perSecond = (cycles.length / SECONDS).toFixed(1)
  return {
    what: `${PARALLEL} at once`,
    figures: { cycles: `${cycles.length}`, 'a second': perSecond, ...spread(cycles) },
  }
}

/** More and more that live. */
async function live(subject: Subject): Promise<Row> {
  const ids = Array.from({ length: LIVE }, (_, index) => `soak-live-${index}`)
  const latencies: number[] = []
  for (const id of ids) {
    const milliseconds = await subject.command('create', '--bundle', subject.bundle(id, ['sleep', '86400']), id)
    latencies.push(milliseconds + (await subject.command('start', id)))
  }
  const state: number[] = []
  for (const id of ids.slice(0, 50)) state.push(await subject.command('state', id))
  const removal: number[] = []
  for (const id of ids) removal.push(await subject.command('delete', '--force', id))
  return {
    what: `${LIVE} live`,
    figures: {
      ...spread(latencies),
      ...growth(subject, latencies),
      state: ms(median(state)),
      delete: ms(median(removal)),
    },
  }
}

async function runs(subject: Subject): Promise<Row> {
  const bundle = subject.bundle('soak-run', ['true'])
  const latencies: number[] = []
  for (let run = 0; run < RUNS; run++) latencies.push(await subject.command('run', '--bundle', bundle, 'soak-run'))
  return { what: `${RUNS} runs`, figures: { ...spread(latencies), ...growth(subject, latencies) } }
}

function growth(subject: Subject, latencies: readonly number[]): Record<string, string> {
  const count = Math.max(1, Math.floor(latencies.length * SHARE))
  const factor = median(latencies.slice(-count)) / median(latencies.slice(0, count))
  // Of a few, it says nothing.
  if (count >= 20 && factor > MOST_GROWTH) subject.failures.push(`latency grew by a factor of ${factor.toFixed(2)}`)
  return { 'last/first': factor.toFixed(2) }
}

function spread(latencies: readonly number[]): Record<string, string> {
  const sorted = latencies.toSorted((one, other) => one - other)
  return { median: ms(median(latencies)), p99: ms(sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN) }
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((one, other) => one - other)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

function ms(number: number): string {
  return `${number.toFixed(1)} ms`
}

/** Megabytes that are used up, and open files, of the whole machine. */
function machine(): { readonly memory: number; readonly files: number } {
  const available = /^MemAvailable: +(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]
  return {
    memory: -Number(available) / 1024,
    files: Number(readFileSync('/proc/sys/fs/file-nr', 'utf8').split('\t')[0]),
  }
}

async function soak(subject: Subject): Promise<boolean> {
  await using orphans = adoptOrphans()
  for (const phase of [parallel, live, runs]) {
    const [before, usage] = [observe({ folder: tmpdir(), pids: new Set([process.pid]) }), machine()]
    const { what, figures } = await phase(subject)
    const left = [...(await before.newSince()).filter(subject.isOwn), ...orphans.list(), ...subject.leftovers()]
    const after = machine()
    const shown = Object.entries(figures).map(([key, value]) => `${key} ${value}`)
    console.log(`  ${subject.name.padEnd(5)} ${what.padEnd(12)} ${shown.join(', ')}`)
    const [memory, files] = [after.memory - usage.memory, after.files - usage.files]
    console.log(`        machine: ${memory.toFixed(0)} MB and ${files} open files more than before`)
    subject.failures.push(...left.map((thing) => `left after ${what}: ${thing}`))
  }
  for (const failure of subject.failures.slice(0, 10)) console.log(`        FAILED: ${failure}`)
  console.log(`  ${subject.name}: ${subject.failures.length} failures`)
  subject.remove()
  return subject.failures.length === 0
}

async function main(): Promise<number> {
  const missing = missingForBundles() ?? (existsSync(RUNT) ? undefined : 'needs dist/runt: make build')
  if (missing !== undefined) {
    console.log(`no soak: ${missing}`)
    return 0
  }
  if (values.plain !== true && existsSync(`${HYBRID}/cgroup.procs`)) {
    console.log('in a mount namespace in which the hybrid cgroup tree of this machine is a plain v1 tree:')
    const self = [process.execPath, fileURLToPath(import.meta.url), '--plain', ...positionals]
    const script = `umount ${HYBRID} && exec "$@"`
    return spawnSync('unshare', ['-m', 'sh', '-c', script, 'sh', ...self], { stdio: 'inherit' }).status ?? 1
  }
  using ground = new Ground({ name: 'soak', version: '', command: [] })
  let good = true
  for (const name of positionals.length === 0 ? Object.keys(CANDIDATES) : positionals) {
    const program = CANDIDATES[name]?.find(existsSync)
    if (program === undefined) console.log(`  ${name} is not installed`)
    else if (!(await soak(new Subject(name, program, ground))) && name === 'runt') good = false
  }
  return good ? 0 : 1
}

process.exitCode = await main()
