// Where a process is, from the kernel's list and from what is mounted.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { planCgroup } from './cgroup.ts'
import { type Hierarchies, UNIFIED } from './hierarchy.ts'
import { besideUs, ownFolders } from './own.ts'

const HYBRID: Hierarchies = {
  mode: 'hybrid',
  v1: [
    { name: 'cpu,cpuacct', controllers: ['cpu', 'cpuacct'], mountpoint: '/c/cpu', root: '/' },
    { name: 'memory', controllers: ['memory'], mountpoint: '/c/memory', root: '/outer' },
    { name: 'systemd', controllers: [], mountpoint: '/c/systemd', root: '/' },
  ],
  unified: { name: UNIFIED, controllers: [], mountpoint: '/c/unified', root: '/' },
}
const LIST = '9:name=systemd:/user/a:b\n4:memory:/outer/in\n2:cpuacct,cpu:/\n1:pids:/elsewhere\n0::/user/session\n'
const OWN = {
  'cpu,cpuacct': '/c/cpu',
  memory: '/c/memory/in',
  systemd: '/c/systemd/user/a:b',
  [UNIFIED]: '/c/unified/user/session',
}

test('a folder in each hierarchy that is mounted, whatever the order of controllers', () => {
  assert.equal(ownFolders(HYBRID, LIST), OWN)
})

test('of a part that we are not in, the top; of the same beginning of a name, too', () => {
  for (const path of ['/other', '/outerspace']) {
    assert.equal(ownFolders(HYBRID, `4:memory:${path}\n`), { memory: '/c/memory' })
  }
  assert.equal(ownFolders(HYBRID, '4:memory:/outer\n'), { memory: '/c/memory' })
})

test('containers go below us on v1, beside us on v2, and never above the top', () => {
  assert.equal(besideUs(HYBRID, LIST), { ...OWN, [UNIFIED]: '/c/unified/user' })
  assert.is(besideUs(HYBRID, '0::/session\n')[UNIFIED], '/c/unified')
  assert.is(besideUs(HYBRID, '0::/\n')[UNIFIED], '/c/unified')
})

test('a plan counts from there, and its path is the one that the kernel will tell', () => {
  const { directories, path } = planCgroup(HYBRID, '/box', besideUs(HYBRID, LIST))
  assert.equal(directories, {
    'cpu,cpuacct': '/c/cpu/box',
    memory: '/c/memory/in/box',
    systemd: '/c/systemd/user/a:b/box',
    [UNIFIED]: '/c/unified/user/box',
  })
  assert.is(path, '/user/box')
})

test.run()
