// What runt says to people: where in config.json, what, and what to do. Other runtimes use other words, so these are no cases.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Box, failed, Ground, succeeded } from './box.ts'
import { linkBuilt, missingForTests } from './built.ts'
import type { Edits } from './bundle.ts'
import { findRuntime } from './runtime.ts'

const reason = missingForTests()
if (reason !== undefined) {
  console.log(`skipped: ${reason}`)
  test.skip(`words (${reason})`, () => {})
} else {
  const folder = mkdtempSync(`${tmpdir()}/runt-words-`)
  const ground = new Ground(findRuntime(linkBuilt(`${folder}/runtime`)))
  declareTests(ground)
  test.after(() => {
    ground[Symbol.dispose]()
    rmSync(folder, { recursive: true, force: true })
  })
}

function declareTests(ground: Ground): void {
  const PLACES: readonly (readonly [what: string, edits: Edits, said: RegExp])[] = [
    [
      'a wrong property',
      { '/linux/namespaces/0/type': 'networ' },
      /^runt: config\.json:1:\d+: linux\.namespaces\[0\]\.type: found "networ", .*did you mean "network"\?$/m,
    ],
    [
      'a step that fails',
      { '/mounts/-': { destination: '/data', source: '/nowhere', options: ['bind'] } },
      /^runt: config\.json:1:\d+: mounts\[\d\] \(\/data\): \/nowhere: open_tree: ENOENT: no such file or directory$/m,
    ],
    [
      'a limit that the kernel refuses',
      { '/linux/resources/cpu': { mems: '4000' } },
      /^runt: config\.json:1:\d+: linux\.resources\.cpu\.mems: write "4000" to /m,
    ],
    [
      'a hook of the runtime',
      { '/hooks': { createRuntime: [{ path: '/bin/false' }] } },
      /^runt: config\.json:1:\d+: hooks\.createRuntime\[0\] \(\/bin\/false\): .*exit status 1/m,
    ],
    [
      'a hook of the container, which start runs',
      { '/hooks': { startContainer: [{ path: '/bin/false', args: ['false'] }] } },
      /^runt: config\.json:1:\d+: hooks\.startContainer\[0\] \(\/bin\/false\): .*exit status 1/m,
    ],
    [
      'what this machine lacks',
      { '/process/selinuxLabel': 'a:b:c' },
      /^runt: config\.json:1:\d+: process\.selinuxLabel: "a:b:c": SELinux is not at work on this machine$/m,
    ],
    [
      'a program',
      { '/process/args': ['/nowhere'] },
      /^runt: config\.json:1:\d+: process\.args\[0\]: exec: "\/nowhere"/m,
    ],
  ]
  for (const [what, edits, said] of PLACES) {
    test(`${what} is told with its line and column`, async () => {
      await using box = new Box(ground)
      assert.match(await box.rejected(edits), said)
    })
  }

  test('validate tells errors and warnings in one go, and only errors fail', async () => {
    await using box = new Box(ground)
    const validate = (...args: string[]) => box.command(['validate', ...args])
    box.configure({ '/process/noNewPriviledges': true })
    const { stdout } = succeeded(await validate(box.bundle))
    assert.match(stdout, /^warning: config.json:1:\d+: process\.noNewPriviledges: .*did you mean "noNewPrivileges"\?$/m)
    assert.match(stdout, /^config.json is valid$/m)
    assert.equal((await validate('--bundle', box.bundle)).stdout, stdout)
    failed(await validate('--strict', box.bundle))
    box.configure({ '/process/noNewPriviledges': true, '/process/cwd': 'x', '/linux/resources/pids': { limit: -7 } })
    const told = JSON.parse(failed(await validate('-f', 'json', box.bundle)).stdout)
    const severities = told.map(({ place, severity }: Record<string, string>) => `${severity} ${place}`).sort()
    assert.equal(severities, [
      'error linux.resources.pids.limit',
      'error process.cwd',
      'warning process.noNewPriviledges',
    ])
  })

  test('who asks validate for JSON gets JSON, whatever the file is', async () => {
    await using box = new Box(ground)
    const problems = async (contents: string | Uint8Array) => {
      writeFileSync(`${box.bundle}/config.json`, contents)
      return JSON.parse((await box.command(['validate', '-f', 'json', box.bundle])).stdout)
    }
    for (const contents of ['', '{', '\ufeff{}', Uint8Array.of(0xff)]) {
      const [problem] = await problems(contents)
      assert.is(problem.severity, 'error', `${contents}`)
    }
    rmSync(`${box.bundle}/config.json`)
    const { stdout } = failed(await box.command(['validate', '-f', 'json', box.bundle]))
    assert.match(JSON.parse(stdout)[0].message, /config.json: not found$/)
  })

  test('update tells of properties that nobody knows', async () => {
    await using box = new Box(ground)
    await box.create({ '/process/args': ['true'] })
    writeFileSync(box.path('resources'), '{"cpu": {"share": 7}}')
    const { stderr } = await box.command(['update', '-r', box.path('resources'), box.id])
    assert.match(stderr, /level=warning msg=".*resources:1:10: cpu\.share: .*did you mean \\"shares\\"/)
  })

  const SCRIPT = '/bin/broken is a script for /no/interpreter, which the container does not have'
  const LOADER = '/bin/dynamic is loaded by /lib/loader, which the container does not have'

  test('what a program lacks is named, by run, start and exec', async () => {
    await using box = new Box(ground)
    writeFileSync(`${box.rootfs}/bin/broken`, '#! /no/interpreter -x\n', { mode: 0o755 })
    writeFileSync(`${box.rootfs}/bin/outer`, '#!/bin/broken\n', { mode: 0o755 })
    writeFileSync(`${box.rootfs}/bin/dynamic`, elfWithLoader('/lib/loader'), { mode: 0o755 })
    const hints: readonly (readonly [program: string, hint: string])[] = [
      ['broken', SCRIPT],
      ['/bin/outer', SCRIPT],
      ['dynamic', LOADER],
    ]
    for (const [program, hint] of hints) {
      const { stderr } = failed(await box.run({ '/process/args': [program] }))
      assert.ok(stderr.includes(`: no such file or directory (execve: ENOENT): ${hint}\n`), stderr)
    }
    assert.ok((await box.rejected({ '/process/args': ['broken'] })).endsWith(`${SCRIPT}\n`))
    await box.launch('sleep 100', {}, ['sleep 100'])
    const { stderr } = failed(await box.command(['exec', box.id, 'dynamic']))
    assert.ok(stderr.endsWith(`${LOADER}\n`), stderr)
    await box.kill('KILL')
  })

  test('what Landlock denies the program itself is told with the annotation', async () => {
    await using box = new Box(ground)
    const rules = { paths: [{ paths: ['/etc'], access: ['read_file'] }] }
    const stderr = await box.rejected({ '/annotations': { 'runt.landlock': JSON.stringify(rules) } })
    assert.match(
      stderr,
      /permission denied \(execve: EACCES\): the rules of annotations\["runt\.landlock"\] must allow execute/,
    )
  })

  test('who has an id is told with its status, and how to be rid of it', async () => {
    await using box = new Box(ground)
    const again = async () => failed(await box.command(['create', '--bundle', box.bundle, box.id])).stderr
    await box.launch('sleep 100')
    assert.match(
      await again(),
      /already exists: .*\n {2}it is running: choose another id, or end it with runt delete --force/,
    )
    await box.kill('KILL')
    await box.waitForStatus('stopped')
    assert.match(await again(), /already exists: .*\n {2}runt delete \S+ removes it, or choose another id/)
  })

  test('a bundle that is not there, and one without a config', async () => {
    await using box = new Box(ground)
    const create = async (bundle: string) => failed(await box.command(['create', '--bundle', bundle, box.id])).stderr
    assert.is(await create(box.path('none')), `runt: ${box.path('none')}: there is no such bundle folder\n`)
    const { bundle } = box
    assert.is(
      await create(bundle),
      `runt: ${bundle}/config.json: not found\n  runt spec --bundle ${bundle} writes one\n`,
    )
  })
}

/** The header of a file for this machine, and nothing that could be executed. */
function elfWithLoader(loader: string): Uint8Array {
  const ours = readFileSync('/proc/self/exe').subarray(0, 64)
  const file = new Uint8Array(4096)
  file.set(ours)
  const view = new DataView(file.buffer)
  view.setBigUint64(32, 64n, true) // e_phoff
  view.setUint16(54, 56, true) // e_phentsize
  view.setUint16(56, 1, true) // e_phnum
  view.setUint32(64, 3, true) // PT_INTERP
  view.setBigUint64(64 + 8, 256n, true) // p_offset
  view.setBigUint64(64 + 32, BigInt(loader.length + 1), true) // p_filesz
  file.set(new TextEncoder().encode(loader), 256)
  return file
}

test.run()
