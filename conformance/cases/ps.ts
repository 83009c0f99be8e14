// ps and kill: which processes a container has, and what can be sent to them.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { bindFolder, failed, hierarchies, succeeded } from '../box.ts'
import { check } from '../case.ts'

/** Two processes: init and a child. */
const TWO = ['sleep 101', 'sleep 102']
const SCRIPT = TWO.join(' & exec ')

check('K1', 'ps --format json lists the pids of all processes', async (box) => {
  await box.launch(SCRIPT, {}, TWO)
  const { pid } = await box.state()
  const pids: unknown = JSON.parse(succeeded(await box.command(['ps', '--format', 'json', box.id])).stdout)
  assert.ok(Array.isArray(pids))
  assert.is(pids.length, 2)
  assert.ok(pids.includes(pid))
})

check('K1', 'ps shows what ps(1) says of them, and of no others', async (box) => {
  await box.launch(SCRIPT, {}, TWO)
  const { pid } = await box.state()
  const [titles = '', ...lines] = succeeded(await box.command(['ps', box.id]))
    .stdout.trim()
    .split('\n')
  assert.match(titles, /^UID +PID +PPID/)
  assert.is(lines.length, 2)
  assert.match(lines.join('\n'), /sleep 101/)
  assert.ok(lines.some((line) => line.split(/\s+/)[1] === `${pid}` && line.endsWith('sleep 102')))
})

check('K1', 'what follows the id of ps are options of ps(1)', async (box) => {
  await box.launch(SCRIPT, {}, TWO)
  const { stdout } = succeeded(await box.command(['ps', box.id, '-e', '-o', 'args,pid']))
  const [titles = '', ...lines] = stdout.trim().split('\n')
  assert.match(titles, /^COMMAND +PID$/)
  assert.match(lines.sort().join('\n'), /^sleep 101 +\d+\nsleep 102 +\d+$/)
})

check('K1', 'ps options that do not show the pid are refused', async (box) => {
  await box.launch(SCRIPT, {}, TWO)
  assert.match(failed(await box.command(['ps', box.id, '-e', '-o', 'args'])).stderr, /find PID field in ps output/)
})

check('K1', 'ps finds processes in cgroups that the container made', async (box) => {
  await box.launch(SCRIPT, {}, TWO)
  const { pid } = await box.state()
  for (const hierarchy of hierarchies().filter((path) => !path.endsWith('cpuset'))) {
    mkdirSync(`${hierarchy}${box.cgroup}/below`, { recursive: true })
    writeFileSync(`${hierarchy}${box.cgroup}/below/cgroup.procs`, `${pid}`)
  }
  const { stdout } = succeeded(await box.command(['ps', '-f', 'json', box.id]))
  assert.is(JSON.parse(stdout).length, 2)
})

check('K1', 'ps of a stopped container is empty, of an unknown one an error', async (box) => {
  await box.launch(SCRIPT, {}, TWO)
  await box.kill('KILL')
  await box.waitForStatus('stopped')
  const [titles = '', ...lines] = succeeded(await box.command(['ps', box.id]))
    .stdout.trim()
    .split('\n')
  assert.match(titles, /PID/)
  assert.equal(lines, [])
  assert.equal(JSON.parse(succeeded(await box.command(['ps', '-f', 'json', box.id])).stdout) ?? [], [])
  assert.match(failed(await box.command(['ps', 'nobody'])).stderr, /does not exist/)
  failed(await box.command(['ps', '--format', 'xml', box.id]))
})

const REAL_TIME: readonly (readonly [word: string, number: number])[] = [
  ['RTMIN+3', 37],
  ['SIGRTMIN', 34],
  ['sigrtmax-1', 63],
  ['RTMAX', 64],
  ['40', 40],
]

for (const [word, number] of REAL_TIME) {
  check('K2', `kill ${word} sends signal ${number}`, async (box) => {
    const script = `trap 'echo ${number} >/data/heard; exit' ${number}; echo >/data/ready; while :; do sleep 0.01; done`
    await box.launch(script, { '/mounts/-': bindFolder(box) })
    await box.waitForFile(box.path('ready'))
    await box.kill(word)
    await box.waitForStatus('stopped')
    assert.is(readFileSync(box.path('heard'), 'utf8'), `${number}\n`)
  })
}

check('K2', 'kill refuses what is no signal', async (box) => {
  await box.launch('exec sleep 100')
  for (const word of ['65', '-1', 'SIGNOTHING', 'RTMIN+31', '9x']) {
    failed(await box.command(['kill', box.id, word]))
  }
  assert.is((await box.state()).status, 'running')
})

check('K2', 'kill --all of a stopped container is no error', async (box) => {
  await box.launch('exec sleep 100')
  await box.kill('KILL')
  await box.waitForStatus('stopped')
  succeeded(await box.command(['kill', '--all', box.id, 'KILL']))
  succeeded(await box.command(['kill', '-a', box.id]))
})

check('K2', 'kill --all sends to every process, kill to init alone', async (box) => {
  const heard = (name: string) =>
    `trap 'echo >/data/${name}' TERM; echo >/data/${name}-listens; while :; do sleep 0.02; done`
  await box.launch(`(${heard('child')}) & ${heard('init')}`, { '/mounts/-': bindFolder(box) })
  await box.waitForFile(box.path('child-listens'))
  await box.waitForFile(box.path('init-listens'))
  await box.kill('TERM')
  await box.waitForFile(box.path('init'))
  assert.not(existsSync(box.path('child')))
  succeeded(await box.command(['kill', '--all', box.id, 'TERM']))
  await box.waitForFile(box.path('child'))
})

check('K2', 'kill --all reaches processes in cgroups that the container made', async (box) => {
  await box.launch(SCRIPT, { '/linux/namespaces': [{ type: 'mount' }, { type: 'ipc' }, { type: 'uts' }] }, TWO)
  const { stdout } = succeeded(await box.command(['ps', '-f', 'json', box.id]))
  const pids: number[] = JSON.parse(stdout)
  for (const hierarchy of hierarchies().filter((path) => !path.endsWith('cpuset'))) {
    mkdirSync(`${hierarchy}${box.cgroup}/below`, { recursive: true })
    for (const pid of pids) writeFileSync(`${hierarchy}${box.cgroup}/below/cgroup.procs`, `${pid}`)
  }
  succeeded(await box.command(['kill', '--all', box.id, 'KILL']))
  await box.waitForStatus('stopped')
  assert.equal(JSON.parse((await box.command(['ps', '-f', 'json', box.id])).stdout) ?? [], [])
})
