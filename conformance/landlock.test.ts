// The annotation runt.landlock, on real containers. Other runtimes don't know it, so these are no cases for any runtime.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { trySyscall } from '../src/native/syscall.ts'
import { Box, failed, Ground, succeeded } from './box.ts'
import { linkBuilt, missingForTests } from './built.ts'
import type { Edits } from './bundle.ts'
import { findRuntime } from './runtime.ts'

const VERSION = 1
const ABI = trySyscall('landlock_create_ruleset', 0, 0, VERSION)
const reason = missingForTests() ?? (ABI >= 6 ? undefined : `needs version 6 of Landlock's ABI, there is ${ABI}`)

const PROGRAMS = { paths: ['/bin'], access: ['execute', 'read_file', 'read_dir'] }

function annotated(rules: object, edits: Edits = {}): Edits {
  return { ...edits, '/annotations': { 'runt.landlock': JSON.stringify(rules) } }
}

if (reason !== undefined) {
  console.log(`skipped: ${reason}`)
  test.skip(`landlock (${reason})`, () => {})
} else {
  const folder = mkdtempSync(`${tmpdir()}/runt-landlock-`)
  const ground = new Ground(findRuntime(linkBuilt(`${folder}/runtime`)))
  declareTests(ground)
  test.after(() => {
    ground[Symbol.dispose]()
    rmSync(folder, { recursive: true, force: true })
  })
}

function declareTests(ground: Ground): void {
  test('what no rule allows is denied, for root as well', async () => {
    await using box = new Box(ground)
    const rules = { paths: [PROGRAMS, { paths: ['/tmp'], access: ['write_file', 'make_reg', 'read_dir'] }] }
    const script = 'echo x >/tmp/made && echo made; cat /tmp/made; cat /etc/passwd; ls /; mkdir /tmp/folder; ls /tmp'
    const { stdout, stderr } = await box.run(annotated(rules, { '/process/args': ['sh', '-c', script] }))
    assert.is(stdout, 'made\nmade\n')
    for (const name of ['/tmp/made', '/etc/passwd', '/']) {
      assert.match(stderr, new RegExp(`${name}'?: Permission denied`))
    }
    assert.match(stderr, /mkdir: can't create directory '\/tmp\/folder': Permission denied/)
  })

  test('a rule for a path that is no folder', async () => {
    await using box = new Box(ground)
    const file = { paths: ['/etc/passwd'], access: ['read_file', 'read_dir', 'make_dir'] }
    const { stdout, stderr } = await box.run(
      annotated({ paths: [PROGRAMS, file] }, { '/process/args': ['sh', '-c', 'wc -l </etc/passwd; cat /etc/group'] }),
    )
    assert.is(stdout.trim(), '2')
    assert.match(stderr, /\/etc\/group'?: Permission denied/)
  })

  test('only what is handled is denied', async () => {
    await using box = new Box(ground)
    const rules = { handledAccessFS: ['make_dir'] }
    assert.is(await box.sh('echo x >/tmp/x; mkdir /tmp/y 2>/dev/null || cat /tmp/x', annotated(rules)), 'x')
  })

  test('ports', async () => {
    await using box = new Box(ground)
    const rules = {
      handledAccessFS: [],
      handledAccessNet: ['bind_tcp'],
      ports: [{ ports: [8080], access: ['bind_tcp'] }],
    }
    const script = 'for port in 8080 8081; do timeout 1 nc -l -p $port </dev/null 2>&1; echo $port $?; done'
    const said = await box.sh(script, annotated(rules))
    assert.match(said, /^8080 (124|143)$/m)
    assert.match(said, /bind: Permission denied\n8081 1$/)
  })

  test('signals stay with the processes that are confined together', async () => {
    await using box = new Box(ground)
    await box.launch('exec sleep 60', annotated({ handledAccessFS: [], scoped: ['signal'] }))
    const { stderr } = failed(await box.command(['exec', box.id, 'kill', '-0', '1']))
    assert.match(stderr, /not permitted/)
  })

  test('exec is confined by the rules of the container', async () => {
    await using box = new Box(ground)
    await box.launch('exec sleep 60', annotated({ paths: [PROGRAMS] }))
    assert.match(failed(await box.command(['exec', box.id, 'cat', '/etc/passwd'])).stderr, /Permission denied/)
    succeeded(await box.command(['exec', box.id, 'true']))
  })

  test('in a user namespace, and without no_new_privs', async () => {
    for (const edits of [
      { '/process/noNewPrivileges': false },
      {
        '/linux/namespaces': ['pid', 'network', 'ipc', 'uts', 'mount', 'user'].map((type) => ({ type })),
        '/linux/uidMappings': [{ containerID: 0, hostID: 100000, size: 65536 }],
        '/linux/gidMappings': [{ containerID: 0, hostID: 100000, size: 65536 }],
        '/process/noNewPrivileges': false,
      },
    ]) {
      await using box = new Box(ground)
      const said = await box.sh('cat /etc/passwd 2>&1 || true', annotated({ paths: [PROGRAMS] }, edits))
      assert.match(said, /Permission denied/)
    }
  })

  test('a program that may not be executed is an error of start', async () => {
    await using box = new Box(ground)
    const stderr = await box.rejected(annotated({ paths: [{ paths: ['/bin'], access: ['read_file'] }] }))
    assert.match(stderr, /execve: EACCES/)
  })

  test('a path that does not exist is an error, and nothing is left', async () => {
    await using box = new Box(ground)
    const stderr = await box.rejected(annotated({ paths: [PROGRAMS, { paths: ['/nowhere'], access: ['read_file'] }] }))
    assert.match(stderr, /annotations\["runt.landlock"\]: \/nowhere: openat: ENOENT/)
  })

  test('a misspelt annotation runs nothing unconfined', async () => {
    await using box = new Box(ground)
    const stderr = await box.rejected({ '/annotations': { 'runt.landlok': JSON.stringify({ paths: [PROGRAMS] }) } })
    assert.match(stderr, /runt\.landlok.*did you mean "runt.landlock"\?/)
  })

  test('rules that make no sense are told with the place in config.json', async () => {
    await using box = new Box(ground)
    const stderr = await box.rejected(annotated({ paths: [{ paths: ['/'], access: ['read'] }] }))
    assert.match(stderr, /config.json:1:\d+: annotations\["runt.landlock"\]: paths\[0\].access\[0\] is "read"/)
  })
}

test.run()
