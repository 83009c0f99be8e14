// The image as the kernel and readelf see it.

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { compile, type Image } from './codegen.ts'
import { targetFor } from './target.ts'
import { buffer, bytes, call, type Draft, draft, exit, finish, say, store } from './testing/plan.ts'
import { NATIVE, observe, withFile } from './testing/run.ts'

const ARCHITECTURES = ['x64', 'arm64'] as const

/** Steps and data as a container's init has them. */
function typical(steps: number): Draft {
  const plan = draft()
  for (let step = 0; step < steps; step++) {
    const fd = call(plan, 'openat2', [
      -100,
      bytes(plan, `/proc/self/fd/${step}\0`),
      bytes(plan, new Uint8Array(24)),
      24,
    ])
    call(plan, 'mount', [bytes(plan, 'proc\0'), fd, bytes(plan, 'proc\0'), 0xe, 0], { ignore: ['EBUSY'] })
  }
  buffer(plan, 4096)
  exit(plan, 0)
  return plan
}

interface Load {
  readonly offset: number
  readonly address: number
  readonly fileSize: number
  readonly memorySize: number
  readonly flags: string
  readonly alignment: number
}

/** LOAD lines of readelf -lW. */
function loads(image: Image): { readonly loads: Load[]; readonly text: string } {
  return withFile(image.bytes, (path) => {
    const { stdout, stderr, status } = spawnSync('readelf', ['-hlW', path], { encoding: 'utf8' })
    assert.is(status, 0)
    assert.is(stderr, '')
    const found = [...stdout.matchAll(/^ +LOAD +(\S+) (\S+) \S+ (\S+) (\S+) (.{3}) (\S+)$/gm)]
    return {
      text: stdout,
      loads: found.map(([, offset, address, fileSize, memorySize, flags = '', alignment]) => ({
        offset: Number(offset),
        address: Number(address),
        fileSize: Number(fileSize),
        memorySize: Number(memorySize),
        flags,
        alignment: Number(alignment),
      })),
    }
  })
}

const hasReadelf = spawnSync('readelf', ['--version']).status === 0

test('readelf sees two segments, neither writable and executable, on pages of their own', () => {
  if (!hasReadelf) return console.log('skipped: readelf is not installed')
  for (const architecture of ARCHITECTURES)
    for (const steps of [0, 3, 40, 100, 400]) {
      const target = targetFor(architecture)
      const image = compile(finish(typical(steps)), target)
      const { loads: segments, text } = loads(image)
      assert.is(segments.length, 2)
      assert.match(text, /EXEC \(Executable file\)/)
      assert.match(text, architecture === 'x64' ? /X86-64/ : /AArch64/)
      assert.match(text, /GNU_STACK .* RW +0x10$/m)
      const [code, data] = segments as [Load, Load]
      assert.is(code.flags, 'R E')
      assert.is(data.flags, 'RW ')
      for (const { offset, address, alignment } of segments) {
        assert.is(alignment, target.pageSize)
        assert.is(offset % alignment, address % alignment)
      }
      const page = (address: number): number => Math.floor(address / target.pageSize)
      assert.ok(page(data.address) > page(code.address + code.memorySize - 1))
      assert.is(code.fileSize, code.memorySize)
      assert.ok(data.memorySize >= data.fileSize + 4096, 'zeroed data is not in the file')
      assert.is(data.offset + data.fileSize, image.bytes.length)
      assert.ok(data.offset - code.fileSize < 8, 'no padding')
      assert.ok(image.entry >= code.address && image.entry < code.address + code.memorySize)
    }
})

test('an image without initialized data runs', () => {
  const plan = draft()
  plan.data[0] = { id: 0, parts: [], size: 4, writable: true, text: 'report_fd' }
  store(plan, plan.reportFd, 4, 3)
  exit(plan, 4)
  const image = compile(finish(plan), NATIVE.target)
  assert.is(
    withFile(image.bytes, (path) => spawnSync(path).status),
    4,
  )
})

test('a waiting image needs less than 100 KB of memory', async () => {
  const plan = typical(0)
  plan.steps.pop()
  say(plan, '!')
  call(plan, 'read', [0, buffer(plan, 1), 1])
  plan.steps.push(...typical(200).steps.filter((step) => step.op === 'exit'))
  const size = await observe(NATIVE, compile(finish(plan), NATIVE.target).bytes, async (child) => {
    child.stdout?.resume()
    for (let tries = 0; tries < 500; tries++) {
      if (/^State:\tS/m.test(status(child.pid)) && /^Name:\timage$/m.test(status(child.pid))) break
      await sleep(2)
    }
    return Number(/^Rss: +(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/smaps_rollup`, 'latin1'))?.[1])
  })
  assert.ok(size > 0 && size < 100, `${size} KB`)
})

function status(pid: number | undefined): string {
  return readFileSync(`/proc/${pid}/status`, 'latin1')
}

test.run()
