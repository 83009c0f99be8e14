// Programs as large as those of a config with tens of thousands of mounts.

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { PlanBuilder } from '../plan/builder.ts'
import type { Plan } from '../plan/step.ts'
import { compile } from './codegen.ts'
import { MACHINES, NATIVE, run } from './testing/run.ts'

const STDOUT = 1
/** More code than a conditional branch of arm64 reaches over, and more data than an address of it. */
const CALLS = 40_000
const FAR_ROOM = 20 << 20

test('a program of many megabytes branches from end to end, and fails from its end', () => {
  const plan = new PlanBuilder(3)
  plan.buffer('far', FAR_ROOM)
  const text = plan.buffer('text', 8)
  const [start, end, ended] = [plan.label('start'), plan.label('end'), plan.label('ended')]
  const count = plan.add(0, 0, plan.value('count'))
  plan.place(start)
  plan.store(text.address, 4, 0x0a646e65)
  plan.branch(count, 'eq', 1, end)
  plan.branch(count, 'above', 1, ended)
  for (let call = 0; call < CALLS; call++) plan.syscall('close', [1000 + call], { ignore: { EBADF: 'a test' } })
  plan.place(end)
  plan.add(count, 1, count)
  plan.syscall('write', [STDOUT, text.address, 4])
  plan.branch(count, 'below', 3, start)
  plan.place(ended)
  plan.syscall('close', [999])
  plan.exit(0)
  const finished = plan.finish()
  for (const machine of MACHINES) {
    const image = compile(finished, machine.target)
    assert.ok(image.codeSize > 1 << 20, machine.name)
    const { output, status, report } = run(machine, image.bytes)
    assert.is(output.toString(), 'end\nend\n', machine.name)
    assert.is(status, 1)
    assert.is(report.readUInt32LE(4), finished.steps.length - 2)
  }
})

/** Like the plan of a container: each part opens something that a later part uses, and whatever fails goes to one label. */
function large(parts: number): Plan {
  const plan = new PlanBuilder(3)
  const rescue = plan.label('rescue')
  plan.rescueAt(rescue)
  const opened = Array.from({ length: parts }, (_, part) => {
    const missing = plan.label('missing')
    const there = plan.label('there')
    const fd = plan.syscall('fcntl', [part, 1, 0], { onError: { EBADF: missing } })
    plan.jump(there)
    plan.place(missing)
    plan.syscall('fcntl', [part, 1, 0], { result: fd })
    plan.place(there)
    return fd
  })
  const parent = plan.fork('child', 0n, () => {
    for (const [part, fd] of opened.entries()) {
      plan.loop(({ done }) => {
        plan.branch(plan.syscall('read', [fd, 0, 0], { name: `read_${part}` }), 'eq', 0, done)
      })
      plan.syscall('close', [fd])
    }
    plan.exit(0)
  })
  plan.syscall('wait4', [parent, 0, 0, 0])
  plan.place(rescue)
  plan.exit(0)
  return plan.finish()
}

test('the time for a plan grows with its steps, and not with their square', () => {
  const time = (parts: number): number => {
    const start = process.cpuUsage()
    compile(large(parts), NATIVE.target)
    const { user, system } = process.cpuUsage(start)
    return user + system
  }
  time(3_000) // until the compiler of JavaScript is warm
  const [small, larger] = [time(3_000), time(48_000)]
  assert.ok(larger < 16 * 6 * small, `${small} µs for 3,000 parts, ${larger} µs for sixteen times as many`)
})

test.run()
