// Hooks that run inside: createContainer before the pivot, startContainer just before the program.
// What they print is kept in memory of the container's, and sent home only when one fails.

import { HOOK_KINDS, type Hook } from '../config/types.ts'
import { ERRNO } from '../linux/errno.ts'
import { MFD } from '../linux/memfd.ts'
import { POLLIN } from '../linux/poll.ts'
import { SIGNAL } from '../linux/signals.ts'
import { WALL } from '../linux/wait.ts'
import { type DataObject, u32, u64 } from '../plan/builder.ts'
import { HOOK_FAILED, REPLY } from '../plan/messages.ts'
import type { Context } from './context.ts'
import { moveToSlot } from './descriptors.ts'
import { DEFAULT_PATH } from './execve.ts'

const SEEK_SET = 0

/** Bytes of a failed hook's output that go into the error. */
export const HOOK_OUTPUT_ROOM = 2048

type ContainerHookKind = 'createContainer' | 'startContainer'

/** Does any hook run inside the container? */
export function hasContainerHooks({ config }: Pick<Context, 'config'>): boolean {
  return HOOK_KINDS.some(
    (kind) => (kind === 'createContainer' || kind === 'startContainer') && config.hooks[kind].length > 0,
  )
}

/**
 * Run the hooks of one kind, one after the other; the first that fails ends the container.
 * @param environment the program's, when it has been found
 */
export function lowerContainerHooks(context: Context, kind: ContainerHookKind, environment?: DataObject): void {
  const { plan, config, slots, reply } = context
  const hooks = config.hooks[kind]
  if (hooks.length === 0) return
  const state: { fd: ReturnType<typeof plan.syscall> | undefined } = { fd: undefined }
  plan.section(`/hooks/${kind}`, `${kind} hooks`, () => {
    const output = plan.syscall('memfd_create', ['hook output', MFD.CLOEXEC], { name: 'output' })
    moveToSlot(context, output, slots.hookOutput)
    plan.syscall('close', [output])
    state.fd = plan.syscall('memfd_create', ['state', MFD.CLOEXEC], { name: 'state' })
    plan.syscall('write', [state.fd, reply.at(REPLY.state), reply.field(REPLY.stateLength, 4)])
  })
  const { fd } = state
  if (fd === undefined) return
  for (const [index, hook] of hooks.entries()) {
    plan.section(`/hooks/${kind}/${index}`, hook.path, () => {
      plan.syscall('lseek', [fd, 0, SEEK_SET])
      plan.syscall('ftruncate', [slots.hookOutput, 0])
      plan.syscall('lseek', [slots.hookOutput, 0, SEEK_SET])
      lowerHook(context, hook, fd, kind, environment)
    })
  }
  plan.section(`/hooks/${kind}`, `${kind} hooks`, () => plan.syscall('close', [fd]))
}

function lowerHook(
  context: Context,
  hook: Hook,
  state: ReturnType<Context['plan']['syscall']>,
  kind: ContainerHookKind,
  environment: DataObject | undefined,
): void {
  const { plan, slots } = context
  const pidfd = plan.struct('pidfd', [u64(0)])
  const run = (): void => {
    plan.syscall('dup3', [state, 0, 0])
    plan.syscall('dup3', [slots.hookOutput, 1, 0])
    plan.syscall('dup3', [slots.hookOutput, 2, 0])
    if (kind === 'createContainer') plan.syscall('fchdir', [slots.root])
    const [argv, envp] = [plan.strings(hook.args), environmentOf(context, hook, environment)]
    plan.syscall('execve', [hook.path, argv.address, envp.address], {
      path: kind === 'startContainer' ? 'container' : 'host',
    })
    plan.exit(127)
  }
  const child = plan.forkFiltered('hook', run, pidfd.address)
  if (hook.timeout !== undefined) lowerTimeout(context, hook.timeout, pidfd)
  const status = plan.struct('status', [u64(0)])
  plan.syscall('wait4', [child, status.address, WALL, 0])
  plan.syscall('close', [pidfd.field(0, 4)])
  const succeeded = plan.label('succeeded')
  plan.branch(status.field(0, 4), 'eq', 0, succeeded)
  const length = plan.syscall('pread64', [slots.hookOutput, plan.reportText, HOOK_OUTPUT_ROOM, 0], { name: 'length' })
  plan.fail(status.field(0, 4), HOOK_FAILED, length)
  plan.place(succeeded)
}

/**
 * A hook that lists none has that of the program in startContainer; one of createContainer, where there is no program yet and
 * the runtime's would be seen inside, a small fixed one.
 */
function environmentOf({ plan }: Context, { env }: Hook, environment: DataObject | undefined): DataObject {
  if (env !== undefined) return plan.strings(env)
  return environment ?? plan.strings([`PATH=${DEFAULT_PATH}`])
}

function lowerTimeout({ plan }: Context, seconds: number, pidfd: DataObject): void {
  const poll = plan.struct('pollfd', [u32(0), u32(POLLIN)])
  plan.store(poll.at(0), 4, pidfd.field(0, 4))
  // ppoll(2) writes what is left into its timespec
  const time = plan.struct('timespec', [u64(seconds), u64(0)])
  const ended = plan.label('ended')
  const ready = plan.syscall('ppoll', [poll.address, 1, time.address, 0, 0], { name: 'ready' })
  plan.branch(ready, 'ne', 0, ended)
  plan.syscall('pidfd_send_signal', [pidfd.field(0, 4), SIGNAL.SIGKILL, 0, 0])
  plan.fail(ERRNO.ETIMEDOUT, `hook did not end within ${seconds} s`)
  plan.place(ended)
}
