// A neighbour swaps the components of every path that a create uses between folder and link, all the time: whatever
// becomes of the create, nothing of the host is touched, and nothing stands over the container's /proc.
// RACE_SECONDS says for how long; `make soak` takes its time.

import { type ChildProcess, spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { DESCRIBING_PROC_FILES } from '../src/linux/proc-files.ts'
import { lookerIn, MARK, TRACING } from './attacker.ts'
import { Box, Ground } from './box.ts'
import { linkBuilt, missingForTests } from './built.ts'
import type { Edits } from './bundle.ts'
import { Canary } from './canary.ts'
import { PATIENCE } from './patience.ts'
import { findRuntime } from './runtime.ts'
import { type ConsoleSocket, listenForConsole } from './terminal.ts'

const SECONDS = Number(process.env.RACE_SECONDS ?? 10)
const MOST_CONNECTIONS = 4
/** So many creates are raced in each round, however busy the machine is: it has a minute. */
const LEAST = 3
const PATIENCE_MS = 60_000
const SWAPPER = fileURLToPath(new URL('swapper.ts', import.meta.url))
const reason = missingForTests()

/** What of a create uses paths of the image, by what the neighbour can get at. */
interface Round {
  readonly title: string
  /** Paths in the root file system, or in the volume: each of their components is swapped. */
  readonly paths: readonly string[]
  /** One of the image that is swapped with a link itself. */
  readonly file?: string
  readonly edits: (box: Box, canary: Canary) => Edits
  readonly terminal?: boolean
  /** The neighbour has no part in the root file system, but in a volume that the container has. */
  readonly volume?: boolean
}

const volumeOf = (box: Box): string => box.path('volume')

const proc = { destination: '/proc', type: 'proc', source: 'proc' }
const devpts = { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: ['newinstance', 'ptmxmode=0666'] }
const IDS = [{ containerID: 0, hostID: 50, size: 1000 }]

const ROUNDS: readonly Round[] = [
  {
    title: 'mounts of every kind',
    paths: ['/data/one/two/three', '/proc', '/sys', '/dev'],
    edits: (_, canary) => ({
      '/mounts': [
        proc,
        { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['mode=755'] },
        devpts,
        { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['ro'] },
        { destination: '/data/one/two/three', type: 'tmpfs', source: 'trap' },
        { destination: '/data/one/two/three/cgroup', type: 'cgroup', source: 'cgroup', options: ['ro'] },
        { destination: '/data/one/two/new/folder', source: `${canary.folder}/folder`, options: ['bind', 'ro'] },
        { destination: '/data/one/file', source: '/bin/busybox', options: ['bind', 'ro'] },
        { destination: '/data/one/two/legacy', type: 'tmpfs', source: 'trap', options: ['iversion'] },
        { destination: '/data/one/copy', type: 'tmpfs', source: 'trap', options: ['tmpcopyup', 'size=1m'] },
        {
          destination: '/data/one/mapped',
          source: `${canary.folder}/folder`,
          options: ['rbind', 'ridmap', 'ro'],
          uidMappings: IDS,
          gidMappings: IDS,
        },
        { destination: '/data/one/two/three', type: 'tmpfs', options: ['remount', 'ro'] },
      ],
    }),
  },
  {
    title: 'devices, hidden paths and the working folder',
    paths: ['/data/one/two/three', '/dev', '/proc'],
    edits: () => ({
      '/mounts': [proc],
      '/linux/devices': [
        { path: '/data/one/two/device', type: 'c', major: 1, minor: 3, uid: 7, gid: 8 },
        { path: '/data/one/two/three/new/fifo', type: 'p', fileMode: 0o600 },
        { path: '/dev/own', type: 'c', major: 1, minor: 5 },
      ],
      '/linux/maskedPaths': ['/data/one/two/three/file', '/data/one/two', '/data/one/file', '/proc/keys'],
      '/linux/readonlyPaths': ['/data/one/two/three', '/data/one/two/folder', '/proc/sys'],
      '/process/cwd': '/data/one/new/cwd',
    }),
  },
  {
    title: 'mounts in a volume',
    volume: true,
    paths: ['/data/one/two/three'],
    edits: (box, canary) => ({
      '/mounts': [
        proc,
        { destination: '/mnt', source: volumeOf(box), options: ['bind'] },
        { destination: '/mnt/data/one/two/three', source: `${canary.folder}/folder`, options: ['bind', 'ro'] },
        { destination: '/mnt/data/one/two/new/deep/folder', type: 'tmpfs', source: 'trap' },
        { destination: '/mnt/data/one/new/deep/file', source: '/bin/busybox', options: ['bind', 'ro'] },
        { destination: '/mnt/data/one/two', type: 'tmpfs', source: 'trap' },
        { destination: '/mnt/data/one/two/three', source: `${canary.folder}/folder`, options: ['rbind', 'ro'] },
      ],
    }),
  },
  {
    title: 'a terminal',
    paths: ['/dev/pts'],
    file: '/dev/console',
    terminal: true,
    edits: () => ({ '/process/terminal': true, '/mounts': [proc, devpts] }),
  },
]

function testRaces(ground: Ground, canary: Canary): void {
  for (const round of ROUNDS) {
    test(`swapped meanwhile, nothing leads out of the image: ${round.title}`, async () => {
      await using box = new Box(ground)
      const pairs = makePairs(box, canary, round)
      using socket = listenForConsole(box.path('console'))
      assert.is((await createUntil(0, box, canary, round, socket, 1)).made, 1, 'left in peace, it is made')
      const swapper = await startSwapper(pairs)
      try {
        const creates = await createUntil(Date.now() + (SECONDS * 1000) / ROUNDS.length, box, canary, round, socket)
        assert.ok(creates.made + creates.refused >= LEAST, `${creates.made + creates.refused} creates in a minute`)
        console.log(`${round.title}: ${creates.made} containers made, ${creates.refused} refused`)
      } finally {
        swapper.kill('SIGKILL')
      }
    })
  }
}

/** Create and delete until a time has come, and there were some. */
async function createUntil(
  deadline: number,
  box: Box,
  canary: Canary,
  { edits, terminal }: Round,
  socket: ConsoleSocket,
  least = LEAST,
): Promise<{ made: number; refused: number }> {
  const creates = { made: 0, refused: 0 }
  do {
    const flags = terminal === true ? ['--console-socket', socket.path] : []
    const { status, stderr } = await box.tryCreate(edits(box, canary), flags)
    assert.not.match(stderr, /internal/)
    if (status === 0) {
      creates.made++
      const { pid } = await box.state()
      assertProcIsFree(readFileSync(`/proc/${pid}/mountinfo`, 'utf8'))
      await box.delete('--force')
    } else creates.refused++
    takeTerminals(socket)
    box.assertNothingLeft()
    canary.assertUntouched(`${creates.made + creates.refused} creates; the last said ${stderr}`)
  } while (Date.now() < deadline || (creates.made + creates.refused < least && Date.now() < deadline + PATIENCE_MS))
  return creates
}

/** Each try of a create connects anew, and there must be room for the next one's. */
function takeTerminals(socket: ConsoleSocket): void {
  for (let tries = 0; tries < MOST_CONNECTIONS; tries++) {
    try {
      closeSync(socket.acceptDescriptor().descriptor)
    } catch {
      // nobody has connected, or nothing came
    }
  }
}

/** How long one command may take, in milliseconds: longer than all limits in it. */
const LONGEST_MS = 40_000 * PATIENCE
const SIGNALS = ['KILL', 'STOP', 'XCPU', 'TERM']

/** Its own cgroup gets folders with names that nobody expects, as fast as it can make them. */
const NAMES = `cd /sys/fs/cgroup/pids && n=0; while :; do
  mkdir "$(printf 'a\\377%d' $n)" "new
line$n" " $n" "-$n" 2>/dev/null; n=$((n + 1)); done`

function testAttacker(ground: Ground, canary: Canary): void {
  test('beside a container that attacks whatever comes in, nothing hangs and nothing gets out', async () => {
    await using box = new Box(ground)
    const shared = box.path('shared')
    mkdirSync(shared)
    writeFileSync(box.path(MARK), '')
    const pairs = makePairs(box, canary, { paths: ['/data/one/two/three'] })
    const swapper = await startSwapper(pairs)
    const counts = { execs: 0, rounds: 0 }
    const timed = async <T>(what: string, work: Promise<T>): Promise<T> => {
      const begin = Date.now()
      const result = await work
      assert.ok(Date.now() - begin < LONGEST_MS, `${what} took ${Date.now() - begin} ms`)
      canary.assertUntouched(what)
      return result
    }
    try {
      const deadline = Date.now() + SECONDS * 1000
      do {
        const signal = SIGNALS[counts.rounds % SIGNALS.length]
        await box.launch(lookerIn(box.path(MARK), `test $tries -gt 2 && kill -${signal} $n`), {
          ...TRACING,
          '/mounts/-': { destination: '/mnt', source: shared, options: ['bind'] },
        })
        await box.waitForFile(`${shared}/ready`)
        for (let round = 0; round < 8; round++) {
          const flags = [
            ...(round % 2 === 0 ? ['--detach'] : []),
            '--cwd',
            '/data/one/two/three',
            '--pid-file',
            box.path(`${MARK}-pid`),
          ]
          const command = [...(round % 4 < 2 ? [] : ['--supervised']), 'exec', ...flags, box.id, 'true']
          // A program that has been stopped as it began is waited for, and rightly so.
          if (signal === 'STOP' && round % 2 === 1) continue
          await timed('an exec', box.command(command, { cwd: box.folder, env: { SECRET: MARK }, seconds: 60 }))
          counts.execs++
        }
        await using other = new Box(ground)
        await timed(
          'a create',
          other.launch(NAMES, { '/mounts/-': { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup' } }),
        )
        await timed('another exec', other.command(['exec', other.id, 'true']))
        await timed('another delete', other.delete('--force'))
        other.assertNothingLeft()
        await timed('a delete', box.delete('--force'))
        box.assertNothingLeft()
        assert.not.ok(
          existsSync(`${shared}/caught`),
          existsSync(`${shared}/caught`) ? readFileSync(`${shared}/caught`, 'utf8') : '',
        )
        counts.rounds++
      } while (Date.now() < deadline)
    } finally {
      swapper.kill('SIGKILL')
    }
    console.log(`an attacker: ${counts.execs} execs in ${counts.rounds} rounds`)
  })
}

/** Over /proc there are only what hides parts of it, on purpose, and files that may be mounted over. */
function assertProcIsFree(mountinfo: string): void {
  for (const line of mountinfo.split('\n')) {
    const point = line.split(' ')[4] ?? ''
    if (!point.startsWith('/proc/') || DESCRIBING_PROC_FILES.has(point)) continue
    assert.not.match(line, /trap|busybox/, 'mounted over the procfs')
  }
}

/** Where the links lead that stand in for folders. */
const targets = ({ folder }: Canary): string[] => [
  folder,
  '/proc/sys',
  `../../../../../../../../../../../..${folder}`,
  `/../../..${folder}/folder`,
  '/proc/self',
]

/** A link beside each component of the paths. @returns the words of the swapper */
function makePairs(
  box: Box,
  canary: Canary,
  { paths, file, volume }: Pick<Round, 'paths' | 'file' | 'volume'>,
): string[] {
  const base = volume === true ? volumeOf(box) : box.rootfs
  const words: string[] = []
  const made = new Set<string>()
  for (const path of paths) {
    let parent = base
    for (const name of path.split('/').filter(Boolean)) {
      const own = `${parent}/${name}`
      // The folders that all share (/data) stay: what is in them is swapped.
      if (own === `${base}/data`) mkdirSync(own, { recursive: true })
      else if (!made.has(own)) {
        mkdirSync(own, { recursive: true })
        const to = targets(canary)[made.size % targets(canary).length] ?? ''
        symlinkSync(to, `${own}.link`)
        words.push(parent, name, `${name}.link`)
      }
      made.add(own)
      parent = own
    }
    writeFileSync(`${parent}/file`, '')
  }
  if (file !== undefined) {
    writeFileSync(`${box.rootfs}${file}`, '')
    symlinkSync(`../../../../../../../../../../../..${canary.folder}/file`, `${box.rootfs}${file}.link`)
    words.push(box.rootfs, file.slice(1), `${file.slice(1)}.link`)
  }
  return words
}

async function startSwapper(words: readonly string[]): Promise<ChildProcess> {
  const swapper = spawn(process.execPath, [SWAPPER, ...words], { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise<unknown>((resolve) => swapper.stdout?.once('data', resolve))
  return swapper
}

if (reason !== undefined) {
  console.log(`skipped: ${reason}`)
  test.skip(`races (${reason})`, () => {})
} else {
  const folder = mkdtempSync(`${tmpdir()}/runt-race-`)
  const ground = new Ground(findRuntime(linkBuilt(`${folder}/runtime`)))
  const canary = new Canary(`${folder}/canary`)
  testRaces(ground, canary)
  testAttacker(ground, canary)
  test.after(() => {
    ground[Symbol.dispose]()
    rmSync(folder, { recursive: true, force: true })
  })
}

test.run()
