import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { O } from '../linux/open-flags.ts'
import { PlanBuilder, u64 } from './builder.ts'
import { print, toJson } from './print.ts'
import type { Plan } from './step.ts'
import { verify } from './verify.ts'

const CHANNEL = 3
const READ = { kind: 'open-flags', flags: O.RDONLY | O.CLOEXEC } as const

function build(body: (plan: PlanBuilder) => void): Plan {
  const plan = new PlanBuilder(CHANNEL)
  body(plan)
  return plan.finish()
}

test('a plan prints as stable text, grouped by the property that asked', () => {
  const plan = build((plan) => {
    plan.section('/hostname', 'web', () => plan.syscall('sethostname', ['web', 3]))
    plan.section('/root/path', '/bundle/rootfs', () => {
      const missing = plan.label('missing')
      const root = plan.syscall('openat', [-100, '/bundle/rootfs', READ, 0], {
        name: 'root',
        onError: { ENOENT: missing },
      })
      plan.syscall('fchdir', [root], { ignore: { EACCES: 'tried again later' } })
      plan.place(missing)
    })
    plan.exit(0)
  })
  assert.snapshot(
    print(plan),
    `/hostname:
    0  %sethostname.0 = sethostname("web", 3)

/root/path:
    1  %root.1 = openat(AT_FDCWD, "/bundle/rootfs", O_CLOEXEC, 0)
           on ENOENT jump missing.0
    2  %fchdir.2 = fchdir(%root.1)
           EACCES is fine: tried again later
    3  missing.0:

every container:
    4  exit 0
`,
  )
  assert.is(toJson(plan).length, 5)
})

test('equal constants are kept once', () => {
  const plan = build((plan) => {
    plan.syscall('sethostname', ['web', 3])
    plan.syscall('setdomainname', ['web', 3])
    plan.exit(0)
  })
  assert.is(plan.data.filter(({ text }) => text === '"web"').length, 1)
})

const REFUSED: readonly (readonly [title: string, why: RegExp, body: (plan: PlanBuilder) => void])[] = [
  [
    'a value that is written on one way only',
    /not defined on every way/,
    (plan) => {
      const other = plan.label('other')
      const one = plan.syscall('getpid', [])
      plan.branch(one, 'eq', 0, other)
      const two = plan.syscall('getppid', [])
      plan.place(other)
      plan.syscall('kill', [two, 9])
      plan.exit(0)
    },
  ],
  [
    'a descriptor that was closed',
    /used after it was closed/,
    (plan) => {
      const fd = plan.syscall('openat', [-100, '/', READ, 0])
      plan.syscall('close', [fd])
      plan.syscall('fchdir', [fd])
      plan.exit(0)
    },
  ],
  [
    'a branch back',
    /branch back/,
    (plan) => {
      const top = plan.label('top')
      plan.place(top)
      plan.jump(top)
    },
  ],
  [
    'a label that is never placed',
    /never placed/,
    (plan) => {
      plan.jump(plan.label('nowhere'))
    },
  ],
  [
    'a label that is placed twice',
    /placed twice/,
    (plan) => {
      const label = plan.label('here')
      plan.place(label)
      plan.place(label)
      plan.exit(0)
    },
  ],
  [
    'an ignored errno without a reason',
    /without a reason/,
    (plan) => {
      plan.syscall('umask', [0], { ignore: { EPERM: '' } })
      plan.exit(0)
    },
  ],
  [
    'a host path after the pivot',
    /host path after the pivot/,
    (plan) => {
      plan.pivot()
      plan.syscall('openat', [-100, '/etc/passwd', READ, 0])
      plan.exit(0)
    },
  ],
  [
    'a descriptor that would survive exec',
    /survive exec/,
    (plan) => {
      plan.syscall('openat', [-100, '/', { kind: 'open-flags', flags: O.RDONLY }, 0])
      plan.exit(0)
    },
  ],
  ['an end that runs on', /runs past its last step/, (plan) => void plan.syscall('getpid', [])],
  [
    'a step that can never be reached',
    /never be reached/,
    (plan) => {
      plan.exit(0)
      plan.syscall('getpid', [])
      plan.exit(0)
    },
  ],
  [
    'a store into constant data',
    /read-only/,
    (plan) => {
      plan.store(plan.constant('constant', [u64(1)]).address, 8, 1)
      plan.exit(0)
    },
  ],
  [
    'a field past the end of its object',
    /past the end/,
    (plan) => {
      plan.fail(plan.struct('small', [u64(1)]).field(4, 8))
    },
  ],
]

for (const [title, why, body] of REFUSED) {
  test(`refused: ${title}`, () => {
    const plan = build(body)
    assert.throws(
      () => verify(plan),
      (error: Error) => why.test(error.message),
    )
  })
}

test('a value that both ways write may be used where they meet', () => {
  const plan = build((plan) => {
    const again = plan.label('again')
    const done = plan.label('done')
    const fd = plan.syscall('openat', [-100, '/a', READ, 0], { onError: { ENOENT: again } })
    plan.jump(done)
    plan.place(again)
    plan.syscall('openat', [-100, '/b', READ, 0], { result: fd })
    plan.place(done)
    plan.syscall('fchdir', [fd])
    plan.exit(0)
  })
  verify(plan)
})

test.run()
