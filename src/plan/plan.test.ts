import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { O } from '../linux/open-flags.ts'
import { PlanBuilder, u64 } from './builder.ts'
import { print, toJson } from './print.ts'
import type { Plan } from './step.ts'

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
    0  sethostname("web", 3)

/root/path (/bundle/rootfs):
    1  %root = openat(AT_FDCWD, "/bundle/rootfs", O_RDONLY|O_CLOEXEC, 0)
           on ENOENT jump missing
    2  fchdir(%root)
           EACCES is fine: tried again later
    3  missing:

every container:
    4  exit 0

in all:
       5 steps: 3 system calls, 0 routines
       paths of the host: /bundle/rootfs
`,
  )
  assert.is(toJson(plan).length, 5)
})

test('numbers have the names of the manual pages, and mounts are named by where they go', () => {
  const plan = build((plan) => {
    plan.section('/mounts/3', '/data', () => {
      const how = plan.constant('open_how(1)', [{ kind: 'open-flags', flags: O.PATH | O.CLOEXEC }, u64(0), u64(0x12)])
      const tree = plan.syscall('open_tree', [-100, '/srv', 0x80001], { name: 'tree' })
      const attr = plan.constant('mount_attr{1}', [u64(3), u64(0), u64(0x40000), u64(0)])
      plan.syscall('mount_setattr', [tree, '', 0x9000, attr.address, 32], { about: 'data of /srv' })
      plan.syscall('openat2', [tree, 'a', how.address, 24])
    })
    plan.section('', undefined, () => {
      plan.syscall('prctl', [4, 0, 0, 0, 0])
      plan.syscall('mkdirat', [-100, '/a', 0o755])
      plan.syscall('mknodat', [-100, '/b', 0o20666, 0x103])
      plan.syscall('unlinkat', [-100, '/c', 0])
      plan.syscall('kill', [1, 15])
      plan.syscall('getpid', [])
      plan.fork('child', 0x20000n, () => plan.exit(0))
    })
    plan.exit(0)
  })
  assert.snapshot(
    print(plan),
    `/mounts/3 (/data):
    0  %tree = open_tree(AT_FDCWD, "/srv", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC)
    1  mount_setattr(%tree, "", AT_EMPTY_PATH|AT_RECURSIVE, mount_attr{set=MOUNT_ATTR_RDONLY|MOUNT_ATTR_NOSUID propagation=MS_PRIVATE}, 32)
    2  openat2(%tree, "a", open_how{flags=O_CLOEXEC|O_PATH resolve=RESOLVE_NO_MAGICLINKS|RESOLVE_IN_ROOT}, 24)

every container:
    3  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    4  mkdirat(AT_FDCWD, "/a", 0755)
    5  mknodat(AT_FDCWD, "/b", 020666, 1:3)
    6  unlinkat(AT_FDCWD, "/c", 0)
    7  kill(1, SIGTERM)
    8  getpid()
    9  %child = clone3(clone_args child{flags=CLONE_NEWNS}, 88)
   10  if %child ne 0 jump parent
   11  exit 0
   12  parent:
   13  exit 0

in all:
       14 steps: 10 system calls, 0 routines
       mounts: /data
       paths of the host: /a /b /c /srv
`,
  )
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
    'a descriptor that a loop closes, and uses in the next round',
    /used after it was closed/,
    (plan) => {
      const fd = plan.syscall('openat', [-100, '/', READ, 0])
      plan.loop(({ done }) => {
        plan.branch(plan.syscall('read', [fd, 0, 0]), 'eq', 0, done)
        plan.syscall('close', [fd])
      })
      plan.exit(0)
    },
  ],
  [
    'a loop that is entered from the side, past a definition',
    /not defined on every way/,
    (plan) => {
      const inside = plan.label('inside')
      plan.branch(plan.syscall('getpid', []), 'eq', 1, inside)
      const parent = plan.syscall('getppid', [])
      plan.loop(() => {
        plan.syscall('kill', [parent, 9])
        plan.place(inside)
      })
    },
  ],
  [
    'a routine that uses a value of the program',
    /not defined on every way/,
    (plan) => {
      const pid = plan.syscall('getpid', [])
      plan.call(
        plan.routine('stop', [], () => plan.syscall('kill', [pid, 9])),
        [],
      )
      plan.exit(0)
    },
  ],
  [
    'a routine that writes a value of the program',
    /another routine knows/,
    (plan) => {
      const pid = plan.value('pid')
      plan.call(
        plan.routine('find', [], () => plan.syscall('getpid', [], { result: pid })),
        [],
      )
      plan.syscall('getpid', [], { result: pid })
      plan.exit(0)
    },
  ],
  [
    'a descriptor that a routine has closed',
    /used after it was closed/,
    (plan) => {
      const end = plan.routine('end', ['first', 'fd'], (_, fd) => void plan.syscall('close', [fd]))
      const fd = plan.syscall('openat', [-100, '/', READ, 0])
      plan.call(end, [0, fd])
      plan.syscall('fchdir', [fd])
      plan.exit(0)
    },
  ],
  [
    'a routine that takes a host path, called after the pivot',
    /plan step 2 \(call\): takes a host path after the pivot/,
    (plan) => {
      const inner = plan.routine('inner', [], () => plan.syscall('openat', [-100, '/etc/passwd', READ, 0]))
      const outer = plan.routine('outer', [], () => plan.call(inner, []))
      plan.call(outer, [])
      plan.pivot()
      plan.call(outer, [])
      plan.exit(0)
    },
  ],
  [
    'a host path after a routine that pivots',
    /host path after the pivot/,
    (plan) => {
      plan.call(
        plan.routine('leave', [], () => void plan.pivot()),
        [],
      )
      plan.syscall('openat', [-100, '/etc/passwd', READ, 0])
      plan.exit(0)
    },
  ],
  [
    'a jump out of a routine',
    /another routine's/,
    (plan) => {
      const outside = plan.label('outside')
      plan.call(
        plan.routine('leave', [], () => void plan.jump(outside)),
        [],
      )
      plan.place(outside)
      plan.exit(0)
    },
  ],
  [
    'a call with too few arguments',
    /0 arguments for one/,
    (plan) => {
      plan.call(
        plan.routine('one', ['value'], (value) => value),
        [],
      )
      plan.exit(0)
    },
  ],
  [
    'a routine that is never called',
    /idle is never called/,
    (plan) => {
      plan.routine('idle', [], () => undefined)
      plan.exit(0)
    },
  ],
  [
    'a routine that calls itself',
    /again calls itself/,
    (plan) => {
      const again = (): ReturnType<typeof plan.routine> => plan.routine('again', [], () => plan.call(again(), []))
      plan.call(again(), [])
    },
  ],
  [
    'a routine that fails with what is no errno',
    /errno alone/,
    (plan) => {
      plan.call(
        plan.routine('give_up', ['status'], (status) => void plan.fail(status)),
        [1],
      )
      plan.exit(0)
    },
  ],
  ['a program that returns', /nothing to return from/, (plan) => plan.return(0)],
  [
    'a child of a fork that returns',
    /child of a fork returns/,
    (plan) => {
      plan.call(
        plan.routine('split', [], () => plan.fork('child', 0n, () => plan.return(0))),
        [],
      )
      plan.exit(0)
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
    'a call that lets the kernel write past the end of an object',
    /past the end/,
    (plan) => {
      plan.syscall('read', [0, plan.buffer('small', 64).at(32), 33])
      plan.exit(0)
    },
  ],
  [
    'a call that lets the kernel write into constant data',
    /read-only/,
    (plan) => {
      plan.syscall('clock_gettime', [0, plan.constant('time', [u64(0), u64(0)]).address])
      plan.exit(0)
    },
  ],
  [
    'a call that lets the kernel write as much as a value says',
    /nobody knows how much/,
    (plan) => {
      plan.syscall('read', [0, plan.buffer('room', 64).address, plan.syscall('getpid', [])])
      plan.exit(0)
    },
  ],
  [
    'a store into an object that is too small for it',
    /past the end/,
    (plan) => {
      plan.storeIn(plan.buffer('small', 4), plan.syscall('getpid', []), 8, 0)
      plan.exit(0)
    },
  ],
  [
    'a store behind an address into constant data',
    /read-only/,
    (plan) => {
      plan.storeIn(plan.string('text'), plan.syscall('getpid', []), 1, 0)
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
    assert.throws(
      () => build(body),
      (error: Error) => why.test(error.message),
    )
  })
}

test('a value that both ways write may be used where they meet', () => {
  build((plan) => {
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
})

test('a descriptor that a loop opens and closes in each round', () => {
  build((plan) => {
    plan.loop(() => {
      const fd = plan.syscall('openat', [-100, '/', READ, 0])
      plan.syscall('fchdir', [fd])
      plan.syscall('close', [fd])
    })
  })
})

test('structure is steps and labels, and nothing that never runs', () => {
  const plan = build((plan) => {
    const name = plan.routine('name', ['first'], (first) => {
      plan.when([first, 'eq', 0], () => plan.return('none'))
      return 'some'
    })
    plan.section('/process/args', 'args', () => {
      const list = plan.strings(['a', 'b'])
      plan.each(list.address, (string, { next, done }) => {
        plan.when(
          [plan.load(string, 1), 'eq', 0],
          () => plan.jump(next),
          () => plan.jump(done),
        )
      })
      plan.call(name, [1], { ignore: { ENOENT: 'a test' } })
    })
    plan.exit(0)
  })
  assert.snapshot(
    print(plan),
    `/process/args:
    0  %pointer = ["a","b"]
    1  next:
    2  %string = *%pointer:8
    3  if %string eq 0 jump done
    4  %loaded = *%string:1
    5  if %loaded ne 0 jump otherwise
    6  jump next_string
    7  otherwise:
    8  jump done
    9  next_string:
   10  %pointer = %pointer + 8
   11  jump next
   12  done:
   13  call name(1)
           ENOENT is fine: a test

every container:
   14  exit 0

routine name(%first):
   16  if %first ne 0 jump end_when
   17  return "none"
   18  end_when:
   19  return "some"

in all:
       20 steps: 0 system calls, 1 routine
`,
  )
})

test.run()
