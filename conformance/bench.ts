// runt beside runc and crun, on the same bundle in one run: bun conformance/bench.ts [--runs N]
//
// - Interleaved (A B C A B C …) after a warm-up, so that whatever else the machine does hits all alike. Medians are told;
//   ratios are worth quoting, absolute times are not.
// - Every container has a new id, as engines have it.
// - CPU is user + system time of the whole tree of processes: this process adopts and reaps all that a runtime leaves, so
//   the kernel adds their times to its RUSAGE_CHILDREN.
// - Debian's crun refuses a hybrid cgroup tree. On such a machine all three run in one mount namespace in which it is a
//   plain v1 tree; runt on the machine as it is has a table of its own.
// - Then all three, runc and crun the newest of Debian, where the newest systemd has booted on cgroup v2 (systemd/world.sh), with
//   either manager of cgroups.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { callNative } from '../src/native/ffi.ts'
import { Ground } from './box.ts'
import { baseConfig, edited, makeRootfs, missingForBundles } from './bundle.ts'
import { defaultProfile } from './default-profile.ts'
import type { Runtime } from './runtime.ts'
import { inWorld, missingForWorld, newestDebian } from './systemd/world.ts'

const HYBRID = '/sys/fs/cgroup/unified'
const WARM_UP = 3
const PR_SET_CHILD_SUBREAPER = 36
const RUSAGE_CHILDREN = -1
const WNOHANG = 1
const RUNT = fileURLToPath(new URL('../dist/runt', import.meta.url))
const CANDIDATES: Readonly<Record<string, readonly string[]>> = {
  runt: [RUNT],
  runc: ['/usr/bin/runc', '/usr/sbin/runc'],
  crun: ['/usr/bin/crun'],
}
const STEPS = ['create', 'start', 'state', 'delete'] as const
const CYCLE = 'create+start+state+delete'
const ROWS = ['run', CYCLE, ...STEPS, 'exec'] as const
/** The container that exec is measured in. */
const IDLE = 'idle'
type Row = (typeof ROWS)[number]

interface Sample {
  readonly wall: number
  readonly cpu: number
}

interface Subject {
  readonly runtime: Runtime
  readonly bundle: string
  readonly stateRoot: string
  readonly folder: string
  /** As in cgroupsPath; "" for what the runtime makes of the id. */
  readonly cgroup: string
  readonly samples: Record<Row, Sample[]>
}

/** The most that runt may need, as a multiple of the others. */
const BARS: readonly { readonly row: Row; readonly other: string; readonly most: number }[] = [
  { row: 'run', other: 'crun', most: 1.3 },
  { row: 'run', other: 'runc', most: 0.5 },
  { row: CYCLE, other: 'crun', most: 1.6 },
  { row: CYCLE, other: 'runc', most: 0.8 },
  { row: 'exec', other: 'crun', most: 1.7 },
  { row: 'exec', other: 'runc', most: 1 },
]
const MOST_RSS_KB = 300
/** How much longer a run with a default seccomp profile may take, and in how many pairs that is seen. */
const MOST_FOR_FILTER = 1.05
const PAIRS = 300
const MOST_SYSCALLS = 250

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '30' },
    plain: { type: 'boolean', default: false },
    /** Times alone, with these global flags: in a world. */
    inside: { type: 'string' },
  },
})
const runs = Number(values.runs)

function main(): number {
  const missing = missingForBundles() ?? (existsSync(RUNT) ? undefined : 'needs dist/runt: make build')
  if (missing !== undefined) {
    console.log(`no benchmark: ${missing}`)
    return 0
  }
  if (values.inside !== undefined) return compareTimes(values.inside.split(' ').filter(Boolean))
  const status = compareHere()
  compareInWorld()
  return status
}

function compareHere(): number {
  if (values.plain || !existsSync(`${HYBRID}/cgroup.procs`)) return compare(Object.keys(CANDIDATES))
  console.log('In a mount namespace in which the hybrid cgroup tree of this machine is a plain v1 tree:\n')
  const script = `umount ${HYBRID} && exec "$@"`
  const self = [process.execPath, fileURLToPath(import.meta.url), '--plain', '--runs', `${runs}`]
  const { status } = spawnSync('unshare', ['-m', 'sh', '-c', script, 'sh', ...self], { stdio: 'inherit' })
  console.log('\nrunt on the machine as it is (hybrid cgroups), by itself:\n')
  compare(['runt'])
  return status ?? 1
}

/** As today's distributions run them. */
function compareInWorld(): void {
  if (values.plain) return
  const reason = missingForWorld('v2')
  const debian = reason === undefined ? newestDebian() : { reason }
  if ('reason' in debian) {
    console.log(`\nnothing is compared under a newer systemd: ${debian.reason}`)
    return
  }
  for (const [flags, manager] of [
    ['--systemd-cgroup', 'a scope of systemd'],
    ['', 'folders of their own'],
  ] as const) {
    console.log(`\nOn cgroup v2, where Debian's newest systemd has booted; each container in ${manager}:\n`)
    const self = [process.execPath, fileURLToPath(import.meta.url), '--runs', `${runs}`, `--inside=${flags}`]
    inWorld('v2', self, debian)
  }
}

function compareTimes(flags: readonly string[]): number {
  callNative('prctl', PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
  using ground = new Ground({ name: '', version: '', command: [] })
  measureAll(Object.keys(CANDIDATES).flatMap((name) => subject(name, ground, flags)))
  return 0
}

function measureAll(subjects: readonly Subject[]): void {
  for (const each of subjects) startIdle(each)
  for (let run = -WARM_UP; run < runs; run++) {
    for (const each of subjects) measure(each, run >= 0)
  }
  for (const each of subjects) command(each, ['delete', '--force', IDLE])
  printTimes(subjects)
}

function compare(names: readonly string[]): number {
  callNative('prctl', PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
  const [first] = names
  using ground = new Ground({ name: first ?? '', version: '', command: [] })
  const subjects = names.flatMap((name) => subject(name, ground))
  measureAll(subjects)
  const verdicts = [
    ...subjects.map(printCounts),
    ...printFilterCost(subjects),
    ...(subjects.length > 1 ? printBars(subjects) : []),
  ]
  return verdicts.every(Boolean) ? 0 : 1
}

/** @param flags with --systemd-cgroup each container has a scope of its own */
function subject(name: string, ground: Ground, flags: readonly string[] = []): Subject[] {
  const path = CANDIDATES[name]?.find(existsSync)
  if (path === undefined) {
    console.log(`${name} is not installed`)
    return []
  }
  const version = spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout.split('\n')[0] ?? ''
  const folder = `${ground.folder}/${name}`
  const bundle = `${folder}/bundle`
  mkdirSync(bundle, { recursive: true })
  makeRootfs(`${bundle}/rootfs`, ground.folder)
  const cgroup = flags.includes('--systemd-cgroup') ? '' : `${ground.cgroup}/${name}`
  writeFileSync(`${bundle}/config.json`, JSON.stringify(edited(baseConfig(cgroup), {})))
  const samples = Object.fromEntries(ROWS.map((row) => [row, []])) as unknown as Subject['samples'] // one for each row
  return [
    {
      runtime: { name, version, command: [path, ...flags] },
      bundle,
      folder,
      cgroup,
      stateRoot: `${folder}/state`,
      samples,
    },
  ]
}

function startIdle(subject: Subject): void {
  const bundle = `${subject.folder}/${IDLE}`
  mkdirSync(bundle)
  const cgroup = subject.cgroup === '' ? '' : `${subject.cgroup}-${IDLE}`
  const edits = { '/root/path': `${subject.bundle}/rootfs`, '/process/args': ['sleep', '3600'] }
  writeFileSync(`${bundle}/config.json`, JSON.stringify(edited(baseConfig(cgroup), edits)))
  command(subject, ['run', '--detach', '--bundle', bundle, IDLE])
}

function measure(subject: Subject, counts: boolean): void {
  const samples: [Row, Sample][] = [['run', timed(subject, 'run', '--bundle', subject.bundle, newId())]]
  const id = newId()
  const steps = STEPS.map((step): [Row, Sample] => {
    const flags = step === 'create' ? ['--bundle', subject.bundle] : step === 'delete' ? ['--force'] : []
    return [step, timed(subject, step, ...flags, id)]
  })
  samples.push(...steps, [CYCLE, sum(steps.map(([, sample]) => sample))])
  samples.push(['exec', timed(subject, 'exec', IDLE, 'true')])
  if (counts) for (const [row, sample] of samples) subject.samples[row].push(sample)
}

/** Every container has an id of its own, as engines have it. */
let containers = 0
function newId(): string {
  return `bench-${containers++}`
}

function timed(subject: Subject, ...args: string[]): Sample {
  const cpu = childrenCpu()
  const started = performance.now()
  command(subject, args)
  const wall = performance.now() - started
  return { wall, cpu: childrenCpu() - cpu }
}

function command({ runtime, stateRoot }: Subject, args: readonly string[], prefix: readonly string[] = []): string {
  const [program = '', ...words] = [...prefix, ...runtime.command, '--root', stateRoot, ...args]
  // Output that anybody holds open would be waited for: only state has some that matters, and leaves nobody behind.
  const output = args[0] === 'state' ? 'pipe' : 'ignore'
  const { status, stdout, error } = spawnSync(program, words, {
    stdio: ['ignore', output, 'inherit'],
    encoding: 'utf8',
  })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`${runtime.name} ${args.join(' ')}: exit status ${status}`)
  return stdout ?? ''
}

/** Milliseconds of all that has ended and been reaped. getrusage(2) */
function childrenCpu(): number {
  while (BigInt.asIntN(32, callNative('waitpid', -1, 0, WNOHANG).value) > 0n);
  const usage = new BigInt64Array(18)
  callNative('getrusage', RUSAGE_CHILDREN, new Uint8Array(usage.buffer))
  const [userSeconds = 0n, userMicros = 0n, systemSeconds = 0n, systemMicros = 0n] = usage
  return Number(userSeconds + systemSeconds) * 1000 + Number(userMicros + systemMicros) / 1000
}

function sum(samples: readonly Sample[]): Sample {
  return samples.reduce((total, { wall, cpu }) => ({ wall: total.wall + wall, cpu: total.cpu + cpu }))
}

function median(samples: readonly Sample[], key: keyof Sample): number {
  const sorted = samples.map((sample) => sample[key]).sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

function printTimes(subjects: readonly Subject[]): void {
  for (const { runtime } of subjects) console.log(`  ${runtime.name}: ${runtime.version}`)
  console.log(`  medians of ${runs}, in milliseconds: wall / CPU of the whole tree\n`)
  const columns = subjects.map(({ runtime }) => runtime.name.padStart(16))
  console.log(`  ${''.padEnd(27)}${columns.join('')}${subjects.length > 1 ? '   runt/crun  runt/runc' : ''}`)
  for (const row of ROWS) {
    const cells = subjects.map(({ samples }) => {
      const [wall, cpu] = [median(samples[row], 'wall'), median(samples[row], 'cpu')]
      return `${wall.toFixed(1)} / ${cpu.toFixed(1)}`.padStart(16)
    })
    const ratios = ['crun', 'runc'].map((other) => ratio(subjects, row, other)?.toFixed(2).padStart(11) ?? '')
    console.log(`  ${row.padEnd(27)}${cells.join('')} ${ratios.join('')}`)
  }
  console.log()
}

function ratio(subjects: readonly Subject[], row: Row, other: string): number | undefined {
  const wall = (name: string): number | undefined => {
    const found = subjects.find(({ runtime }) => runtime.name === name)
    return found === undefined ? undefined : median(found.samples[row], 'wall')
  }
  const [own, others] = [wall('runt'), wall(other)]
  return own === undefined || others === undefined ? undefined : own / others
}

/** Memory at the gate, and what a `run` asks of the kernel. */
function printCounts(subject: Subject): boolean {
  const rss = rssAtGate(subject)
  const { total, image, forks, execs } = traced(subject)
  const own = image === undefined ? '' : `, ${image} of them by the generated image`
  console.log(
    `  ${subject.runtime.name}: init at the gate ${rss} KB; run: ${total} system calls until the program${own}, ` +
      `${forks} forks, ${execs} execs`,
  )
  if (subject.runtime.name !== 'runt') return true
  return bar('init at the gate, KB', rss, MOST_RSS_KB) && bar('system calls of the image', image ?? 0, MOST_SYSCALLS)
}

/** A run with the profile that engines give, beside one without: after the first, when the filter has been compiled. */
function printFilterCost(subjects: readonly Subject[]): boolean[] {
  const profile = defaultProfile()
  if (profile === undefined) {
    console.log('  no default seccomp profile is installed: golang-github-containers-common has one')
    return []
  }
  return subjects.map((subject) => {
    const confined = `${subject.folder}/confined`
    mkdirSync(confined)
    const edits = { '/root/path': `${subject.bundle}/rootfs`, '/linux/seccomp': profile }
    writeFileSync(`${confined}/config.json`, JSON.stringify(edited(baseConfig(subject.cgroup), edits)))
    const samples: Record<string, Sample[]> = { [subject.bundle]: [], [confined]: [] }
    for (let pair = -WARM_UP; pair < PAIRS; pair++) {
      // What the one before leaves to the kernel to do hits both alike.
      const order = pair % 2 === 0 ? [subject.bundle, confined] : [confined, subject.bundle]
      for (const bundle of order) {
        const sample = timed(subject, 'run', '--bundle', bundle, newId())
        if (pair >= 0) samples[bundle]?.push(sample)
      }
    }
    const [without = Number.NaN, filtered = Number.NaN] = Object.values(samples).map((each) => median(each, 'wall'))
    const times = Number((filtered / without).toFixed(3))
    const what = `${subject.runtime.name}: run with a default seccomp profile, × without`
    if (subject.runtime.name === 'runt') return bar(what, times, MOST_FOR_FILTER)
    console.log(`  ${what}: ${times}`)
    return true
  })
}

function rssAtGate(subject: Subject): number {
  command(subject, ['create', '--bundle', subject.bundle, 'bench'])
  const { pid } = JSON.parse(command(subject, ['state', 'bench'])) as { pid: number } // state JSON has a pid
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  command(subject, ['delete', '--force', 'bench'])
  return Number(rollup.match(/^Rss: +(\d+) kB$/m)?.[1])
}

interface Trace {
  readonly total: number
  readonly image: number | undefined
  readonly forks: number
  readonly execs: number
}

function traced(subject: Subject): Trace {
  const file = `${subject.folder}/trace`
  if (spawnSync('strace', ['-V']).status !== 0) return { total: Number.NaN, image: undefined, forks: 0, execs: 0 }
  // What the image of the long way asks for: it does nothing of runt's own part.
  const words = subject.runtime.name === 'runt' ? ['--supervised'] : []
  command(subject, [...words, 'run', '--bundle', subject.bundle, 'bench'], ['strace', '-f', '-qq', '-o', file])
  const calls = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => /^\d+ +\w+\(/.test(line))
  const program = calls.findLastIndex((line) => / execve\(/.test(line))
  const programPid = calls[program]?.split(' ')[0]
  const before = calls.filter((line, index) => index <= program || line.split(' ')[0] !== programPid)
  const start = calls.find((line) => /execve\("\/proc\/\d+\/fd\/\d+"/.test(line))
  const pids = [start?.split(' ')[0], programPid]
  const isImage = (line: string): boolean =>
    pids.includes(line.split(' ')[0]) && !/ (clone3?|vfork)\(.*CLONE_VM/.test(line)
  return {
    total: before.length,
    image: start === undefined ? undefined : before.slice(before.indexOf(start)).filter(isImage).length,
    forks: calls.filter((line) => / (clone3?|v?fork)\(/.test(line) && !line.includes('CLONE_THREAD')).length,
    execs: calls.filter((line) => / execve\(/.test(line)).length,
  }
}

function printBars(subjects: readonly Subject[]): boolean[] {
  return BARS.map(({ row, other, most }) => {
    const found = ratio(subjects, row, other)
    return found === undefined || bar(`${row}, × ${other}`, Number(found.toFixed(2)), most)
  })
}

function bar(what: string, found: number, most: number): boolean {
  console.log(`  ${found <= most ? 'within ' : 'MISSED '} ${what}: ${found} (bar: ${most})`)
  return found <= most
}

process.exitCode = main()
