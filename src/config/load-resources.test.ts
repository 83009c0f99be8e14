import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { loadResources } from './load-resources.ts'
import type { Resources } from './types.ts'

const folder = mkdtempSync(join(tmpdir(), 'runt-resources-'))
const path = join(folder, 'r.json')

test.after(() => rmSync(folder, { recursive: true }))

function load(text: string, warnings: string[] = []): Promise<Resources> {
  writeFileSync(path, text)
  return loadResources(path, warnings)
}

test('a limit of kernel memory is a warning', async () => {
  const warnings: string[] = []
  assert.equal((await load('{"memory":{"kernel":5,"limit":7}}', warnings)).memory, { limit: 7n })
  assert.equal(warnings, [`${path}:1:21: memory.kernel: ignored, kernels since 5.16 have no such limit`])
})

async function refusal(text: string): Promise<string> {
  try {
    await load(text)
  } catch (error) {
    return (error as Error).message.replaceAll(path, 'r.json')
  }
  throw new Error(`${text} was accepted`)
}

test('resources as engines send them', async () => {
  const resources = await load(
    '{"memory":{"limit":9223372036854775807},"cpu":{"quota":-1,"cpus":""},"devices":[],"x":1}',
  )
  assert.equal(resources, {
    devices: [],
    memory: { limit: 9223372036854775807n },
    cpu: { quota: -1n },
    pids: {},
    unified: {},
  })
  assert.equal((await load('{}')).memory, {})
})

test('what is wrong is told with its place in the file', async () => {
  const cases: [string, string][] = [
    ['', 'r.json is empty'],
    ['{', 'r.json:1:2: found the end of the file, not JSON: a closing brace is expected here'],
    ['[]', 'r.json:1:1: found an empty list, must be an object'],
    ['{"memory":\n {"limit":"1m"}}', 'r.json:2:11: memory.limit: found "1m", must be a whole number'],
    ['{"memory":{"limit":-2}}', 'r.json:1:20: memory.limit: found -2, must be a size, or -1 for no limit'],
    [
      '{"pids":{"limit":9223372036854775808}}',
      'r.json:1:18: pids.limit: found 9223372036854775808, must be at most 9223372036854775807',
    ],
    [
      '{"hugepageLimits":[{"pageSize":"../x","limit":1}]}',
      'r.json:1:32: hugepageLimits[0].pageSize: found "../x", must be a page size as "2MB"',
    ],
  ]
  for (const [text, message] of cases) assert.is(await refusal(text), message)
})

test('what nobody knows is told, and no error', async () => {
  writeFileSync(path, '{"memory": {"limits": 1},\n "unified": {"any.file": "1"}}')
  const warnings: string[] = []
  await loadResources(path, warnings)
  assert.equal(warnings, [
    `${path}:1:13: memory.limits: is no property that the specification has here: ignored; did you mean "limit"?`,
  ])
})

test.run()
