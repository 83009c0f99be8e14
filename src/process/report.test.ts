import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ERRNO } from '../linux/errno.ts'
import { PlanBuilder } from '../plan/builder.ts'
import { HOOK_FAILED } from '../plan/messages.ts'
import { failedLabel, failureError, labelsFrom, type StepLabel } from './report.ts'

/** [label, code, text, message, hint] */
const REPORTS: readonly (readonly [StepLabel, number, string, string, string?])[] = [
  [
    { origin: '/mounts/2', about: '/proc', call: 'move_mount' },
    ERRNO.EBUSY,
    '',
    'mounts[2]: /proc: move_mount: EBUSY: device or resource busy',
  ],
  [
    { origin: '/process/args', about: 'exec: "/run \\"it\\".sh"', call: 'execve' },
    ERRNO.ENOENT,
    '',
    'process.args: exec /run "it".sh: no such file or directory (execve: ENOENT)',
  ],
  [{ origin: '', about: '', call: 'setsid' }, ERRNO.EPERM, '', 'setsid: EPERM: operation not permitted'],
  [
    { origin: '/linux/namespaces/1', about: '/x', call: 'setns' },
    ERRNO.EINVAL,
    '',
    'linux.namespaces[1]: /x: setns: EINVAL: invalid argument',
    'the file is not a namespace of that type',
  ],
  [
    { origin: '/linux/memoryPolicy', about: 'MPOL_WEIGHTED_INTERLEAVE 0', call: 'set_mempolicy' },
    ERRNO.EINVAL,
    '',
    'linux.memoryPolicy: MPOL_WEIGHTED_INTERLEAVE 0: set_mempolicy: EINVAL: invalid argument',
    'it came with Linux 6.9',
  ],
  ...(['clone', 'clone3'] as const).map(
    (call) =>
      [
        { origin: '/hooks/startContainer/0', about: '/bin/x', call },
        ERRNO.EAGAIN,
        '',
        `hooks.startContainer[0]: /bin/x: ${call}: EAGAIN: resource temporarily unavailable`,
        "pids.limit is reached, or the process has SCHED_DEADLINE and can't make others",
      ] as const,
  ),
  [
    { origin: '/process/args/0', about: 'exec: "x": executable file not found in $PATH', call: '' },
    ERRNO.ENOENT,
    '',
    'process.args[0]: exec: "x": executable file not found in $PATH',
  ],
  [
    { origin: '/hooks/startContainer/0', about: HOOK_FAILED, call: '' },
    3 << 8,
    'no luck\n',
    'hooks.startContainer[0]: error running startContainer hook #0: exit status 3: no luck',
  ],
  [
    { origin: '/hooks/startContainer/0', about: HOOK_FAILED, call: '' },
    9,
    '',
    'hooks.startContainer[0]: error running startContainer hook #0: signal SIGKILL',
  ],
]

for (const [label, code, text, message, hint] of REPORTS) {
  test(`a report becomes a sentence: ${message}`, () => {
    const error = failureError(label, { kind: 'failed', step: 7, code, text })
    assert.is(error.message, message)
    assert.is(error.hint, hint)
    assert.is(error.data.pointer, label.origin)
  })
}

test('a routine speaks for the call that led there', () => {
  const labels: readonly StepLabel[] = [
    { origin: '/mounts/7', about: '/data', call: '' },
    { origin: '', about: '', call: 'openat2' },
    { origin: '', about: 'an entry', call: 'openat2' },
    { origin: '', about: 'is no folder', call: '' },
  ]
  const failed = (step: number, caller?: number): StepLabel | undefined =>
    failedLabel((index) => labels[index], { step, ...(caller === undefined ? {} : { caller }) })
  assert.equal(failed(1, 0), { origin: '/mounts/7', about: '/data', call: 'openat2' })
  assert.equal(failed(2, 0), { origin: '/mounts/7', about: 'an entry', call: 'openat2' })
  assert.equal(failed(3, 0), { origin: '/mounts/7', about: '/data: is no folder', call: '' })
  assert.equal(failed(1), labels[1])
  assert.is(failed(9, 0), undefined)
})

test('labels from a step on are those of the routines that are called there, too', () => {
  const plan = new PlanBuilder(3)
  const inner = plan.routine('inner', [], () => plan.syscall('getpid', []))
  const outer = plan.routine('outer', [], () => plan.call(inner, []))
  const early = plan.routine('early', [], () => plan.syscall('gettid', []))
  plan.call(early, [])
  const gate = plan.length
  plan.call(outer, [])
  plan.exit(0)
  const calls = Object.values(labelsFrom(plan.finish(), gate)).map(({ call }) => call)
  assert.equal(calls.sort(), ['', '', 'getpid'])
})

test('a report of a step that nobody knows is an error of its own', () => {
  assert.match(failureError(undefined, { kind: 'failed', step: 7, code: 1, text: '' }).message, /unknown step 7/)
})

test.run()
