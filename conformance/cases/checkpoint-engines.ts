// checkpoint and restore as engines call them.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmdirSync, symlinkSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { succeeded } from '../box.ts'
import { NAMESPACES } from '../bundle.ts'
import { check, skip } from '../case.ts'
import { Saved } from '../checkpoint.ts'

check('K6', 'a restore as by a shim of containerd: one dash, and a work folder behind a link', async (box) => {
  const saved = new Saved(box)
  await saved.launch()
  mkdirSync(box.path('elsewhere'))
  symlinkSync(box.path('elsewhere'), saved.work)
  succeeded(await saved.checkpoint())
  const before = await saved.standsStill()
  await saved.restored('-no-subreaper')
  await saved.counts(before)
})

check('K6', 'oom_score_adj is that of the container, not of who restores it', async (box) => {
  if (box.runtime.name !== 'runt') skip('others leave it to criu, which has nothing for 0')
  const saved = new Saved(box)
  for (const score of [0, 7]) {
    await saved.launch({ '/process/oomScoreAdj': score })
    succeeded(await saved.checkpoint())
    const folders = ['--image-path', saved.images, '--work-path', saved.work]
    const starter = ['sh', '-c', 'echo 5 >/proc/self/oom_score_adj && exec "$@"', 'starter']
    const words = ['restore', '--detach', '--bundle', box.bundle, ...folders, box.id]
    succeeded(await box.command(words, { env: saved.environment, starter }))
    assert.is(succeeded(await box.command(['exec', box.id, 'cat', '/proc/1/oom_score_adj'])).stdout, `${score}\n`)
    await box.delete('--force')
  }
})

check('K6', 'a read-only root that has no /tmp is restored', async (box) => {
  const saved = new Saved(box)
  rmdirSync(`${box.rootfs}/tmp`)
  await saved.launch({
    '/root/readonly': true,
    '/mounts/-': { destination: '/data', type: 'bind', source: `${box.rootfs}/data`, options: ['bind'] },
  })
  succeeded(await saved.checkpoint())
  const before = await saved.standsStill()
  await saved.restored()
  await saved.counts(before)
})

check('K6', 'a UTS namespace that is joined at restore keeps its names', async (box) => {
  const saved = new Saved(box)
  const holders = ['first', 'second'].map((name) => {
    const script = `hostname ${name}; domainname ${name}.example; echo x; exec sleep 60`
    return spawn('unshare', ['-u', 'busybox', 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'ignore'] })
  })
  try {
    for (const { stdout } of holders) await once(stdout, 'data')
    const [first = [], second = []] = holders.map(({ pid }) => {
      const path = `/proc/${pid}/ns/uts`
      return NAMESPACES.map((namespace) => (namespace.type === 'uts' ? { ...namespace, path } : namespace))
    })
    await saved.launch({ '/linux/namespaces': first, '/hostname': undefined })
    succeeded(await saved.checkpoint())
    box.configure({ '/process/args': ['true'], '/linux/namespaces': second, '/hostname': undefined })
    await saved.restored()
    await saved.counts()
    const look = ['exec', box.id, 'sh', '-c', 'hostname; cat /proc/sys/kernel/domainname']
    assert.is(succeeded(await box.command(look)).stdout, 'second\nsecond.example\n')
  } finally {
    for (const holder of holders) holder.kill('SIGKILL')
  }
})
