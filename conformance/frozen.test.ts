// Below a frozen cgroup a process stands still as soon as it enters, and who waits for it with it. So runt must say no
// beforehand: on the long way, on the short one, in an image that was kept while nothing was frozen, and in exec.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Box, Ground, hierarchies, succeeded } from './box.ts'
import { linkBuilt, missingForTests } from './built.ts'
import { findRuntime } from './runtime.ts'

const CGROUPS = '/sys/fs/cgroup'
const V2_ALONE = ['unshare', '-m', 'sh', '-c', `mount -t cgroup2 none ${CGROUPS} && exec "$@"`, 'sh']

/** A way to stop a cgroup, on this machine or on one with cgroup v2 alone. */
interface Freezer {
  readonly title: string
  /** Folder of the hierarchy as the tests see it. */
  readonly hierarchy: string
  readonly file: string
  readonly on: string
  readonly off: string
  /** What runt is started by. */
  readonly words: readonly string[]
}

const UNIFIED = existsSync(`${CGROUPS}/cgroup.procs`) ? CGROUPS : `${CGROUPS}/unified`
const V2 = { hierarchy: UNIFIED, file: 'cgroup.freeze', on: '1', off: '0' } as const
const FREEZERS: readonly Freezer[] = [
  { title: 'v1', hierarchy: `${CGROUPS}/freezer`, file: 'freezer.state', on: 'FROZEN', off: 'THAWED', words: [] },
  { ...V2, title: 'v2 beside v1', words: [] },
  { ...V2, title: 'v2 alone', words: V2_ALONE },
]

const reason = missingForTests()
if (reason !== undefined) {
  console.log(`skipped: ${reason}`)
  test.skip(`frozen cgroups (${reason})`, () => {})
} else {
  const folder = mkdtempSync(`${tmpdir()}/runt-frozen-`)
  const runtime = findRuntime(linkBuilt(`${folder}/runtime`))
  const grounds: Ground[] = []
  for (const freezer of FREEZERS) {
    if (!existsSync(`${freezer.hierarchy}/cgroup.procs`)) {
      console.log(`skipped: ${freezer.title}: no such hierarchy`)
      test.skip(freezer.title, () => {})
    } else {
      const ground = new Ground({ ...runtime, command: [...freezer.words, ...runtime.command] })
      grounds.push(ground)
      declareTests(ground, freezer)
    }
  }
  test.after(() => {
    for (const ground of grounds) ground[Symbol.dispose]()
    rmSync(folder, { recursive: true, force: true })
  })
}

/** Stops what is in a folder, and lets it go on again in the end. */
function frozen({ hierarchy, file, on, off }: Freezer, path: string): Disposable {
  const knob = `${hierarchy}${path}/${file}`
  writeFileSync(knob, on)
  return { [Symbol.dispose]: () => writeFileSync(knob, off) }
}

/** A command that must be refused, quickly and in these words. */
async function refusedAtOnce(box: Box, args: readonly string[], pattern: RegExp): Promise<void> {
  const { status, stdout, stderr } = await box.command(args, { seconds: 5 })
  assert.ok(status > 0, `${args[0]} ended with ${status}: ${stdout}${stderr}`)
  assert.match(stderr, pattern)
}

/** A folder that takes processes: a cpuset of v1 does only when it has CPUs and memory. */
function makeBelow(folder: string): void {
  mkdirSync(folder)
  for (const name of ['cpuset.cpus', 'cpuset.mems']) {
    const above = `${dirname(folder)}/${name}`
    if (existsSync(above) && existsSync(`${folder}/cpuset.cpu_exclusive`)) {
      writeFileSync(`${folder}/${name}`, readFileSync(above))
    }
  }
}

function declareTests(ground: Ground, freezer: Freezer): void {
  const ways: readonly (readonly [way: string, flags: readonly string[]])[] = [
    ['the short way', []],
    ['the long way', ['--supervised']],
  ]
  const said = /linux\.cgroupsPath: container's cgroup unexpectedly frozen/

  for (const [way, flags] of ways) {
    test(`${freezer.title}: create and run below a frozen cgroup are refused at once, and leave nothing: ${way}`, async () => {
      await using box = new Box(ground)
      mkdirSync(`${freezer.hierarchy}${ground.cgroup}`, { recursive: true })
      box.configure({ '/process/args': ['echo', 'ran'] })
      succeeded(await box.command([...flags, 'run', '--bundle', box.bundle, box.id]))
      {
        using _frozen = frozen(freezer, ground.cgroup)
        for (const command of ['run', 'create']) {
          await refusedAtOnce(box, [...flags, command, '--bundle', box.bundle, box.id], said)
          box.assertNothingLeft()
        }
        await refusedAtOnce(box, [...flags, 'run', '--detach', '--bundle', box.bundle, box.id], said)
        box.assertNothingLeft()
      }
      const { stdout } = succeeded(await box.command([...flags, 'run', '--bundle', box.bundle, box.id]))
      assert.is(stdout, 'ran\n')
    })
  }

  test(`${freezer.title}: exec into a frozen cgroup is refused at once`, async () => {
    await using box = new Box(ground)
    await box.launch('exec sleep 100')
    const sub = `${box.cgroup}/sub`
    for (const hierarchy of freezer.words.length > 0 ? [UNIFIED] : hierarchies()) makeBelow(`${hierarchy}${sub}`)
    {
      using _frozen = frozen(freezer, sub)
      await refusedAtOnce(
        box,
        ['exec', '--cgroup', 'sub', box.id, 'true'],
        /--cgroup sub: container's cgroup unexpectedly frozen: \S+\/sub/,
      )
      succeeded(await box.command(['exec', box.id, 'true']))
    }
    succeeded(await box.command(['exec', '--cgroup', 'sub', box.id, 'true']))
    {
      using _frozen = frozen(freezer, ground.cgroup)
      await refusedAtOnce(box, ['exec', box.id, 'true'], /paused|frozen/)
    }
    await box.delete('--force')
    box.assertNothingLeft()
  })
}

test.run()
