// Checkpoints come from afar. What is in their folders must not lead root's criu to the host's files, or stop it; and criu
// does not outlive who started it.

import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { REQUEST } from '../src/criu/messages.ts'
import { ask, startWorker } from '../src/criu/swrk.ts'
import { Box, failed, Ground, succeeded } from './box.ts'
import { linkBuilt, missingForTests } from './built.ts'
import { Canary } from './canary.ts'
import { findCriu, Saved } from './checkpoint.ts'
import { waitUntil } from './patience.ts'
import { findRuntime } from './runtime.ts'

const criu = missingForTests() === undefined ? findCriu() : undefined
const reason = missingForTests() ?? (criu !== undefined && 'reason' in criu ? criu.reason : undefined)

if (reason !== undefined) {
  console.log(`skipped: ${reason}`)
  test.skip(`hostile checkpoints (${reason})`, () => {})
} else {
  const folder = mkdtempSync(`${tmpdir()}/runt-hostile-`)
  const ground = new Ground(findRuntime(linkBuilt(`${folder}/runtime`)))
  const canary = new Canary(`${folder}/canary`)
  testFolders(ground, canary)
  testOptions(ground, canary)
  testWaits(ground)
  test.after(() => {
    ground[Symbol.dispose]()
    rmSync(folder, { recursive: true, force: true })
  })
}

const STRANGER = 12_345

/** What somebody may put into a folder of images, and what runt says of it. */
const TRAPS: readonly (readonly [title: string, set: (images: string, target: string) => void, says: RegExp])[] = [
  [
    'a link in place of an image',
    (images, target) => replace(images, (path) => symlinkSync(target, path)),
    /a symbolic link/,
  ],
  ['an endless device', (images) => replace(images, (path) => symlinkSync('/dev/zero', path)), /a symbolic link/],
  [
    'a stranger’s image',
    (images) => chownSync(`${images}/inventory.img`, STRANGER, 0),
    /inventory\.img: belongs to user 12345/,
  ],
  [
    'an image that others write',
    (images) => chmodSync(`${images}/inventory.img`, 0o666),
    /inventory\.img: others may write/,
  ],
  ['a stranger’s folder', (images) => chownSync(images, STRANGER, 0), /images: belongs to user/],
  ['a folder that others write', (images) => chmodSync(images, 0o777), /images: others may write/],
  ['a loop of pre-dumps', (images) => symlinkSync('.', `${images}/parent`), /a loop/],
  ['a loop of two', loopOfTwo, /a loop/],
  ['a pre-dump by an absolute path', (images) => symlinkSync('/tmp', `${images}/parent`), /must be relative/],
  ['a pre-dump behind a link', behindLink, /ELOOP|ENOTDIR/],
]

/** Only for reading: a checkpoint overwrites the file. */
const ENDLESS: typeof TRAPS = [
  ['a FIFO', (images) => replace(images, makeFifo), /inventory\.img: a FIFO/],
  ['a FIFO of names', (images) => replace(images, makeFifo, 'descriptors.json'), /descriptors\.json: a FIFO/],
  ['too many names', (images) => truncateSync(`${images}/descriptors.json`, 2 ** 30), /descriptors\.json: more than/],
  [
    'names that are none',
    (images) => writeFileSync(`${images}/descriptors.json`, '{}'),
    /descriptors\.json: not a list/,
  ],
  [
    'a fourth stream',
    (images) => writeFileSync(`${images}/descriptors.json`, '["","","",""]'),
    /descriptors\.json: not/,
  ],
]

function replace(images: string, make: (path: string) => void, name = 'inventory.img'): void {
  rmSync(`${images}/${name}`, { force: true })
  make(`${images}/${name}`)
}

function makeFifo(path: string): void {
  assert.is(spawnSync('mkfifo', [path]).status, 0)
}

function loopOfTwo(images: string): void {
  mkdirSync(`${images}/../other`, { mode: 0o700 })
  symlinkSync('../other', `${images}/parent`)
  symlinkSync('../images', `${images}/../other/parent`)
}

function behindLink(images: string): void {
  mkdirSync(`${images}/../first`, { mode: 0o700 })
  symlinkSync('first', `${images}/../second`)
  symlinkSync('../second', `${images}/parent`)
}

function testFolders(ground: Ground, canary: Canary): void {
  test('what does not belong into a folder of images is refused by restore, at once', async () => {
    await using box = new Box(ground)
    const saved = new Saved(box)
    await saved.launch()
    succeeded(await saved.checkpoint())
    for (const [title, set, says] of [...TRAPS, ...ENDLESS]) {
      using _trap = trap(saved, set, canary)
      const { stderr } = failed(await saved.restore('--detach'))
      assert.match(stderr, says, title)
      canary.assertUntouched(title)
      box.assertNothingLeft()
    }
    await saved.restored()
  })

  test('a checkpoint writes through nothing that was there before', async () => {
    await using box = new Box(ground)
    const saved = new Saved(box)
    await saved.launch()
    succeeded(await saved.checkpoint('--leave-running'))
    const traps: typeof TRAPS = [
      ...TRAPS.filter(([title]) => !/loop|pre-dump/.test(title)),
      [
        'another name of a file',
        (images, target) => replace(images, (path) => linkSync(target, path)),
        /has another name/,
      ],
      ['an earlier parent', (images) => symlinkSync('../first', `${images}/parent`), /parent: a link to another/],
    ]
    for (const [title, set, says] of traps) {
      using _trap = trap(saved, set, canary)
      const { stderr } = failed(await saved.checkpoint())
      assert.match(stderr, says, title)
      canary.assertUntouched(title)
      assert.is((await box.state()).status, 'running')
    }
    succeeded(await saved.checkpoint('--leave-running'))
  })

  test('logs and statistics go through no link, with a work folder and without', async () => {
    await using box = new Box(ground)
    const saved = new Saved(box)
    await saved.launch()
    const names = ['dump.log', 'restore.log', 'stats-dump', 'stats-restore']
    const [linked = '', named = ''] = ['dump.log', 'restore.log'].map((name) => box.path(`target-${name}`))
    mkdirSync(saved.work, { mode: 0o700 })
    for (const folder of [saved.work, box.path('bare')]) {
      if (!existsSync(folder)) mkdirSync(folder, { mode: 0o700 })
      for (const path of [linked, named]) writeFileSync(path, 'as it was')
      for (const name of names) {
        rmSync(`${folder}/${name}`, { force: true })
        if (name.startsWith('dump') || name === 'stats-dump') symlinkSync(linked, `${folder}/${name}`)
        else linkSync(named, `${folder}/${name}`)
      }
      succeeded(await saved.checkpoint('--work-path', folder))
      succeeded(await saved.restore('--detach', '--work-path', folder))
      for (const path of [linked, named]) assert.is(readFileSync(path, 'utf8'), 'as it was')
      assert.match(readFileSync(`${folder}/restore.log`, 'utf8'), /Restore finished successfully/)
    }
  })

  test('a log without a work folder is beside the containers, and only when it is of use', async () => {
    await using box = new Box(ground)
    const saved = new Saved(box)
    await saved.launch()
    const bare = { env: saved.environment }
    const images = ['--image-path', saved.images]
    succeeded(await box.command(['checkpoint', ...images, box.id], bare))
    assert.equal(
      readdirSync(saved.images).filter((name) => !/\.(img|json)$/.test(name)),
      [],
    )
    rmSync(`${box.rootfs}/bin`, { recursive: true })
    const { stderr } = failed(await box.command(['restore', '--bundle', box.bundle, ...images, box.id], bare))
    const log = /tells more in (.*restore\.log)/.exec(stderr)?.[1] ?? ''
    assert.ok(log.startsWith(box.stateRoot), stderr)
    assert.match(readFileSync(log, 'utf8'), /Error/)
  })

  test('a work folder that others may write to is refused', async () => {
    await using box = new Box(ground)
    const saved = new Saved(box)
    await saved.launch()
    mkdirSync(saved.work)
    chmodSync(saved.work, 0o777)
    assert.match(failed(await saved.checkpoint()).stderr, /work: others may write/)
  })
}

/** Images with something in them. Disposing of it brings back a good copy. */
function trap(saved: Saved, set: (images: string, target: string) => void, canary: Canary): Disposable {
  const kept = `${saved.images}.kept`
  assert.is(spawnSync('cp', ['-a', saved.images, kept]).status, 0)
  set(saved.images, `${canary.folder}/file`)
  return {
    [Symbol.dispose]() {
      for (const name of ['images', 'other', 'first', 'second']) {
        rmSync(`${kept}/../${name}`, { recursive: true, force: true })
      }
      renameSync(kept, saved.images)
    },
  }
}

function testOptions(ground: Ground, canary: Canary): void {
  test('a config.json chooses none of CRIU’s options that reach the host', async () => {
    await using box = new Box(ground)
    const saved = new Saved(box)
    const script = box.path('script')
    writeFileSync(script, `#!/bin/sh\n: >${box.path('ran')}\n`, { mode: 0o755 })
    const file = box.path('criu.conf')
    writeFileSync(file, 'tcp-established\n')
    const annotations = { 'org.criu.config': file }
    await saved.launch({ '/annotations': annotations })
    const lines = [
      `action-script ${script}`,
      `  action-script=${script}`,
      `log-file ${canary.folder}/file`,
      `work-dir ${canary.folder}/folder`,
      `libdir ${box.folder}`,
      'timeout 10 20',
      'ghost-limit 1T',
      'tcp-established --action-script',
      'constructor',
    ]
    for (const line of lines) {
      writeFileSync(file, `# harmless:\ntcp-established\n${line}\n`)
      const { stderr } = failed(await saved.checkpoint('--leave-running'))
      assert.match(stderr, /annotations\["org\.criu\.config"\]: .*criu\.conf: line 3: not an option/, line)
      assert.not.ok(stderr.includes(script), 'it tells what stands in the file')
    }
    writeFileSync(file, 'tcp-established\nghost-limit 2M # for large ones\n\nnetwork-lock skip\n')
    succeeded(await saved.checkpoint())
    writeFileSync(file, `action-script ${script}\n`)
    assert.match(failed(await saved.restore('--detach')).stderr, /line 1: not an option/)
    rmSync(file)
    makeFifo(file)
    assert.match(failed(await saved.restore('--detach')).stderr, /not a file of at most/)
    assert.not.ok(existsSync(box.path('ran')), 'the script ran')
    canary.assertUntouched('options of a config.json')
    box.assertNothingLeft()
  })
}

/** A criu that tells its version, and then does nothing more, for ever. */
function standsStill(box: Box, saved: Saved): Record<string, string> {
  const { PATH = '' } = saved.environment
  const real = PATH.slice(0, PATH.indexOf(':'))
  mkdirSync(box.path('bin'), { recursive: true })
  const text = `#!/bin/sh\nif [ "$2" = 3 ]; then exec ${real}/criu "$@"; fi\nexec sleep 1000\n`
  writeFileSync(box.path('bin/criu'), text, { mode: 0o755 })
  return { PATH: `${box.path('bin')}:${PATH}` }
}

/** A checkpoint or restore that waits for that criu. */
async function waitingFor(box: Box, saved: Saved, command: string, flags: readonly string[] = ['--detach']) {
  const folders = ['--image-path', saved.images, '--work-path', saved.work]
  const words = [...box.runtime.command, '--root', box.stateRoot, command, ...folders]
  const more = command === 'restore' ? [...flags, '--bundle', box.bundle] : []
  const env = { ...process.env, ...standsStill(box, saved) }
  const [program = '', ...args] = [...words, ...more, box.id]
  const runt = spawn(program, args, { stdio: 'ignore', env })
  const ended = new Promise<number | null>((resolve) => runt.once('exit', resolve))
  let criu = 0
  await waitUntil(
    () => {
      const state = `${box.stateRoot}/${box.id}/state.json`
      criu = existsSync(state) ? (JSON.parse(readFileSync(state, 'utf8')).criu?.pid ?? 0) : 0
      return criu !== 0
    },
    () => 'no criu is on record',
  )
  return { runt, criu, ended }
}

function isGone(pid: number): boolean {
  return !existsSync(`/proc/${pid}`) || /^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
}

function testWaits(ground: Ground): void {
  test('a criu that does nothing is given up, and one that does something is not', async () => {
    await using box = new Box(ground)
    const silent = box.path('silent')
    writeFileSync(silent, '#!/bin/sh\nexec sleep 1000\n', { mode: 0o755 })
    for (const [title, signs] of [
      ['nothing', 0],
      ['something for a while', 20],
    ] as const) {
      using worker = startWorker(silent)
      let looks = 0
      const signOfLife = () => `${Math.min(++looks, signs)}`
      const asked = ask(worker, { type: REQUEST.VERSION }, undefined, { idle: 100, signOfLife })
      const error = await asked.then(
        () => undefined,
        (thrown: Error) => thrown,
      )
      assert.match(`${error?.message}`, /nothing happened for 0.1 s/, title)
      assert.ok(looks > signs, title)
      worker.wait()
      assert.ok(isGone(worker.pid), title)
    }
  })

  for (const command of ['checkpoint', 'restore']) {
    const begin = async (box: Box): Promise<Saved> => {
      const saved = new Saved(box)
      await saved.launch()
      if (command === 'restore') succeeded(await saved.checkpoint())
      return saved
    }

    test(`delete --force ends a ${command} whose criu does nothing`, async () => {
      await using box = new Box(ground)
      const saved = await begin(box)
      const { criu, ended } = await waitingFor(box, saved, command)
      await box.delete('--force')
      assert.is.not(await ended, 0)
      assert.ok(isGone(criu), 'criu goes on')
      box.assertNothingLeft()
    })

    test(`a signal ends a ${command} in the foreground whose criu does nothing`, async () => {
      await using box = new Box(ground)
      const saved = await begin(box)
      const { runt, criu, ended } = await waitingFor(box, saved, command, [])
      runt.kill('SIGTERM')
      assert.is.not(await ended, 0)
      await waitUntil(
        () => isGone(criu),
        () => 'criu goes on',
      )
      if (command === 'restore') box.assertNothingLeft()
      await box.delete('--force')
    })

    test(`criu ends with the runt that asked it for a ${command}`, async () => {
      await using box = new Box(ground)
      const saved = await begin(box)
      const { runt, criu, ended } = await waitingFor(box, saved, command)
      runt.kill('SIGKILL')
      await ended
      await waitUntil(
        () => isGone(criu),
        () => 'criu goes on',
      )
      if (command === 'checkpoint') assert.is((await box.state()).status, 'running')
      await box.delete('--force')
      box.assertNothingLeft()
    })
  }
}

test.run()
