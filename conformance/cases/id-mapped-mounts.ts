// config.md, Mounts: uidMappings, gidMappings, idmap, ridmap.

import { chmodSync, chownSync, lstatSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import type { Box } from '../box.ts'
import { NAMESPACES } from '../bundle.ts'
import { check, needsKernel } from '../case.ts'

const mappings = (containerID: number, hostID: number, size: number) => {
  const list = [{ containerID, hostID, size }]
  return { uidMappings: list, gidMappings: list }
}
/** Owners as on disk are shown 10000 higher. */
const HIGHER = mappings(0, 10_000, 65_536)
const OWNERS = 'stat -c %u:%g /mnt/file; touch /mnt/new; stat -c %u:%g /mnt/new'

/** A folder with a file of 7:8, that everybody may write to. */
function volume(box: Box): string {
  const folder = box.path('volume')
  mkdirSync(folder)
  chmodSync(folder, 0o777)
  writeFileSync(`${folder}/file`, 'file')
  chownSync(`${folder}/file`, 7, 8)
  return folder
}

const ownerOf = (path: string) => `${lstatSync(path).uid}:${lstatSync(path).gid}`

for (const options of [['bind', 'idmap'], ['rbind', 'ridmap'], ['bind']]) {
  check(
    options.length > 1 ? 'C7' : 'C9',
    `a mount with mappings and the options ${options.join(' ')} shows other owners`,
    async (box) => {
      const source = volume(box)
      const mount = { destination: '/mnt', source, type: 'bind', options, ...HIGHER }
      const edits = { '/mounts/-': mount, '/process/user': { uid: 10_003, gid: 10_004 } }
      assert.is(await box.sh(OWNERS, edits), '10007:10008\n10003:10004')
      assert.is(ownerOf(`${source}/new`), '3:4')
      assert.is(ownerOf(`${source}/file`), '7:8')
    },
  )
}

const USER_NAMESPACE = {
  '/linux/namespaces': [...NAMESPACES, { type: 'user' }],
  '/linux/uidMappings': [{ containerID: 0, hostID: 100_000, size: 65_536 }],
  '/linux/gidMappings': [{ containerID: 0, hostID: 200_000, size: 65_536 }],
}

check('C7', 'idmap without mappings takes those of the container', async (box) => {
  const source = volume(box)
  const mount = { destination: '/mnt', source, type: 'bind', options: ['bind', 'idmap'] }
  assert.is(await box.sh(OWNERS, { ...USER_NAMESPACE, '/mounts/-': mount }), '7:8\n0:0')
  assert.is(ownerOf(`${source}/new`), '0:0')
})

check('C7', 'a mount with mappings of its own in a container with a user namespace', async (box) => {
  const source = volume(box)
  const own = {
    uidMappings: [{ containerID: 0, hostID: 100_050, size: 100 }],
    gidMappings: [{ containerID: 0, hostID: 200_060, size: 100 }],
  }
  const mount = { destination: '/mnt', source, type: 'bind', options: ['bind', 'idmap'], ...own }
  assert.is(await box.sh('stat -c %u:%g /mnt/file', { ...USER_NAMESPACE, '/mounts/-': mount }), '57:68')
})

check('C7', 'idmap without mappings takes those of a user namespace that is joined', async (box) => {
  const source = volume(box)
  await box.launch('exec sleep 100', USER_NAMESPACE)
  const { pid } = await box.state()
  const mount = { destination: '/mnt', source, type: 'bind', options: ['bind', 'idmap'] }
  box.configure({
    '/linux/namespaces': [...NAMESPACES, { type: 'user', path: `/proc/${pid}/ns/user` }],
    '/linux/cgroupsPath': `${box.cgroupsPath}-second`,
    '/mounts/-': mount,
    '/process/args': ['sh', '-c', OWNERS],
  })
  const { stdout, stderr } = await box.command(['run', '--bundle', box.bundle, `${box.id}-second`])
  assert.is(stdout, '7:8\n0:0\n', stderr)
})

check('C7', 'a tmpfs with mappings keeps the owners that its users have outside', async (box) => {
  needsKernel('6.3', 'a tmpfs can be ID-mapped')
  const mount = {
    destination: '/mnt',
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['idmap', 'mode=777', 'uid=7'],
    ...HIGHER,
  }
  const script = 'stat -c %u:%g /mnt; touch /mnt/new; stat -c %u:%g /mnt/new'
  const edits = { '/mounts/-': mount, '/process/user': { uid: 10_003, gid: 10_004 } }
  assert.is(await box.sh(script, edits), '10007:10000\n10003:10004')
})

check('C7', 'a tmpfs with the mappings of the container', async (box) => {
  needsKernel('6.3', 'a tmpfs can be ID-mapped')
  const mount = { destination: '/mnt', type: 'tmpfs', source: 'tmpfs', options: ['idmap', 'mode=755', 'ro'] }
  const script = 'stat -c %u:%g:%a /mnt; touch /mnt/new 2>/dev/null || echo read-only'
  assert.is(await box.sh(script, { ...USER_NAMESPACE, '/mounts/-': mount }), '0:0:755\nread-only')
})

for (const [option, below] of [
  ['idmap', '7:8'],
  ['ridmap', '10007:10008'],
] as const) {
  check('C7', `${option} and what is mounted below`, async (box) => {
    const source = volume(box)
    mkdirSync(`${source}/below`)
    const inner = `${box.folder}/inner`
    mkdirSync(inner)
    writeFileSync(`${inner}/file`, '')
    chownSync(`${inner}/file`, 7, 8)
    const mount = { destination: '/mnt', source, type: 'bind', options: ['rbind', option], ...HIGHER }
    const { stdout, stderr } = await box.runPrepared(`mount --bind ${inner} ${source}/below`, {
      '/mounts/-': mount,
      '/process/args': ['stat', '-c', '%u:%g', '/mnt/file', '/mnt/below/file'],
    })
    assert.is(stdout, `10007:10008\n${below}\n`, stderr)
  })
}

check('C7', 'idmap without mappings and without a user namespace is refused', async (box) => {
  const source = volume(box)
  await box.rejected({ '/mounts/-': { destination: '/mnt', source, type: 'bind', options: ['bind', 'idmap'] } })
})

check('C7', 'idmap on a file system that can not is refused', async (box) => {
  const mqueue = { destination: '/mnt', type: 'mqueue', source: 'mqueue', options: ['idmap'], ...HIGHER }
  await box.rejected({ '/mounts/-': mqueue })
})

check('C7', 'idmap with a mapping that overlaps is refused', async (box) => {
  const list = [...HIGHER.uidMappings, { containerID: 5, hostID: 90_000, size: 3 }]
  const source = volume(box)
  const mount = { destination: '/mnt', source, type: 'bind', options: ['bind', 'idmap'] }
  await box.rejected({ '/mounts/-': { ...mount, uidMappings: list, gidMappings: list } })
})

for (const name of ['uidMappings', 'gidMappings'] as const) {
  check('C8', `${name} alone are refused`, async (box) => {
    const source = volume(box)
    const mount = { destination: '/mnt', source, type: 'bind', options: ['bind'], [name]: HIGHER[name] }
    await box.rejected({ '/mounts/-': mount })
    assert.is(statSync(`${source}/file`).uid, 7)
  })
}
