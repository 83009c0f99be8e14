import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { errorsIn } from './log.ts'

test('the errors of a log, with their places, each once, the last six', () => {
  const log = `(00.000075) Version: 4.2.1 (gitid 0)
(00.071856) Error (criu/util.c:1534): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted
(00.100000) Warn  (criu/kerndat.c:1290): Can't keep kdat cache on non-tempfs
(00.180936) Error (criu/files-reg.c:1790): Can't lookup mount=27 for fd=1 path=/out
(00.180950)     42: Error (criu/sk-unix.c:10): no peer: here
(00.180951) pie: 7: Error (criu/pie/restorer.c:5): gone
(00.180952) pie: 7: Error (criu/pie/restorer.c:5): gone
pie: 1: Error (criu/pie/parasite.c:641): in the process itself
(00.2) no Error here
`
  assert.equal(errorsIn(log), [
    "Can't lookup mount=27 for fd=1 path=/out (criu/files-reg.c:1790)",
    'no peer: here (criu/sk-unix.c:10)',
    'gone (criu/pie/restorer.c:5)',
    'in the process itself (criu/pie/parasite.c:641)',
  ])
  const many = Array.from({ length: 9 }, (_, line) => `(00.${line}) Error (a.c:1): ${line}\n`).join('')
  assert.equal(
    errorsIn(many),
    [3, 4, 5, 6, 7, 8].map((line) => `${line} (a.c:1)`),
  )
  assert.equal(errorsIn('Error (b.c:2): as an answer has it\n'), ['as an answer has it (b.c:2)'])
  assert.equal(errorsIn(''), [])
})

test.run()
