// The routines through which system calls are made, and the tail that reports a failure. They stand before the steps,
// so that calls of them and jumps to them are known at once.

import { ERRNO } from '../linux/errno.ts'
import { type Address, REPORT, REPORT_FAILED } from '../plan/step.ts'
import {
  branchOnErrno,
  type Code,
  emitOperand,
  firstArgument,
  type Retry,
  STEP_SIZE,
  syscallNumber,
  textLength,
  writableOffset,
} from './code.ts'

/** openat2(2) says EAGAIN when a rename elsewhere raced with it; somebody who renames for ever must not win. */
const OPENAT2_RETRIES = 128

/** One routine for each kind of retry, for calls that must succeed and for those that may fail. */
export function emitRoutines(code: Code): void {
  code.asm.reserve(STEP_SIZE)
  for (const retry of ['never', 'interrupted', 'raced'] as const)
    for (const mode of ['attempt', 'must'] as const) {
      code.asm.bind(code.routines[retry][mode])
      emitRoutine(code, retry, mode)
    }
}

/** Make a system call until it says neither EINTR nor, a few times, what openat2(2) says when a rename raced with it. */
function emitRoutine(code: Code, retry: Retry, mode: 'attempt' | 'must'): void {
  const { asm, target } = code
  if (retry !== 'never') target.saveCall(asm)
  if (retry === 'raced') target.constant(asm, target.triesLeft, OPENAT2_RETRIES, 0)
  const restore = asm.boundLabel()
  if (retry !== 'never') target.restoreCall(asm)
  target.syscall(asm)
  if (retry !== 'never') branchOnErrno(code, ERRNO.EINTR, restore, 'near')
  if (retry === 'raced') {
    const other = asm.label()
    target.compareErrno(asm, ERRNO.EAGAIN)
    target.branch(asm, 'ne', other, 'near')
    target.countDown(asm)
    target.branch(asm, 'positive', restore, 'near')
    asm.bind(other)
  }
  if (mode === 'must') {
    target.compareError(asm)
    target.branch(asm, 'atLeast', code.failErrno, 'far')
  }
  target.return(asm)
}

/** Report a failure and exit. */
export function emitTail(code: Code): void {
  const { asm, target } = code
  const report: Address = { kind: 'address', data: code.plan.report, offset: 0 }
  const at = writableOffset(code, report)
  const free = firstArgument(target)
  asm.reserve(STEP_SIZE)
  asm.bind(code.failErrno)
  target.negateResult(asm)
  asm.bind(code.failCode)
  target.constant(asm, textLength(target), 0, 0)
  asm.bind(code.failText)
  target.store(asm, target.result, 8, at + REPORT.value)
  target.store(asm, target.currentStep, 4, at + REPORT.step)
  target.store(asm, textLength(target), 4, at + REPORT.textLength)
  target.constant(asm, free, REPORT_FAILED, 0)
  target.store(asm, free, 4, at + REPORT.kind)
  target.store(asm, target.currentCall, 4, at + REPORT.caller)
  target.add(asm, textLength(target), REPORT.text)
  const [descriptor, bytes] = target.arguments
  emitOperand(code, bytes, report)
  target.load(asm, descriptor, 4, writableOffset(code, code.plan.reportFd))
  target.syscallNumber(asm, syscallNumber(target, 'write'))
  target.call(asm, code.routines.interrupted.attempt)
  target.constant(asm, free, 1, 0)
  asm.bind(code.exit)
  target.syscallNumber(asm, syscallNumber(target, 'exit_group'))
  target.syscall(asm)
  target.trap(asm)
}
