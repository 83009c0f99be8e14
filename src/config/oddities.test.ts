import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Changes, configWith } from './fixtures.ts'
import { findOddities, findUnknown } from './oddities.ts'

async function lines(changes: Changes): Promise<string[]> {
  const findings = await findOddities(JSON.stringify(configWith(changes)))
  return findings.map(({ pointer, suggestion }) => `${pointer} ${suggestion ?? '?'}`)
}

test('a config has no odd names as a rule', async () => {
  assert.equal(
    await lines({
      '/annotations': { x: '1' },
      '/linux/sysctl': { 'net.x': '1' },
      '/linux/resources/unified': { 'memory.high': '1' },
      '/linux/resources/rdma': { mlx: { hcaHandles: 1 } },
      '/linux/seccomp': { defaultAction: 'SCMP_ACT_LOG', syscalls: [{ names: ['read', 'cachestat', 'mmap2'] }] },
      '/process/capabilities': { ambient: ['CAP_CHOWN'] },
      '/windows': { layerFolders: ['x'] },
    }),
    [],
  )
})

const ODD: readonly (readonly [changes: Changes, ...expected: string[]])[] = [
  [{ '/process/noNewPriviledges': true }, '/process/noNewPriviledges noNewPrivileges'],
  [{ '/process/NoNewPrivileges': true }, '/process/NoNewPrivileges noNewPrivileges'],
  [{ '/linux/maskedPath': [] }, '/linux/maskedPath maskedPaths'],
  [{ '/maskedPaths': [] }, '/maskedPaths linux.maskedPaths'],
  [{ '/hooks/createRuntimes': [] }, '/hooks/createRuntimes createRuntime'],
  [{ '/linux/resources/memory/limits': 1 }, '/linux/resources/memory/limits limit'],
  [{ '/mounts': [{}, { 'a/b': 1 }] }, '/mounts/1/a~1b ?'],
  [{ '/linux/resources/rdma': { mlx: { handles: 1 } } }, '/linux/resources/rdma/mlx/handles ?'],
  [{ '/linux/seccomp/syscalls': [{ names: ['opennat', 'read'] }] }, '/linux/seccomp/syscalls/0/names/0 openat'],
  [
    { '/process/capabilities': { ambient: ['CAP_CHWON'], bounding: ['chown'] } },
    '/process/capabilities/ambient/0 CAP_CHOWN',
    '/process/capabilities/bounding/0 ?',
  ],
]

for (const [changes, ...expected] of ODD) {
  test(`odd: ${JSON.stringify(changes)}`, async () => assert.equal(await lines(changes), expected))
}

test('nothing is taken for granted of what a text holds', async () => {
  for (const text of ['', '{', 'null', '[]', '5', '{"linux": {"seccomp": {"syscalls": [null, {"names": 5}]}}}']) {
    assert.equal(await findOddities(text), [], text)
  }
  const everywhere = '{"process": {"capabilities": 5}, "mounts": [7, null], "linux": null}'
  assert.equal(await findOddities(everywhere), [])
})

test('of a file that holds resources alone', () => {
  const [finding] = findUnknown({ memory: { limt: 1 } }, '/linux/resources')
  assert.equal([finding?.pointer, finding?.suggestion], ['/linux/resources/memory/limt', 'limit'])
})

test.run()
