// process.terminal: a pty of the container's own devpts, its slave as standard streams and /dev/console.

import { ERRNO } from '../linux/errno.ts'
import { TIOC } from '../linux/ioctls.ts'
import { OPEN_TREE } from '../linux/mount-flags.ts'
import { encodeName } from '../linux/names.ts'
import { AT, O } from '../linux/open-flags.ts'
import { STATX } from '../linux/statx.ts'
import { u32, u64 } from '../plan/builder.ts'
import type { Operand, Value } from '../plan/step.ts'
import type { Context, ProcessContext } from './context.ts'
import { moveToSlot } from './descriptors.ts'
import { openInRoot } from './in-root.ts'
import { openOrMake } from './mount-target.ts'
import { attach } from './rootfs.ts'
import { statDescriptor } from './statx.ts'

const AF_UNIX = 1
const SOCK_STREAM_CLOEXEC = 1 | 0o2000000
const SOL_SOCKET = 1
const SCM_RIGHTS = 1
const DEVPTS_SUPER_MAGIC = 0x1cd1
const ORIGIN = '/process/terminal'

/** In P0: connect to --console-socket. By descriptor, since a socket's path may be longer than sun_path. unix(7) */
export function lowerConsoleSocket(context: ProcessContext): void {
  const { plan, facts, slots } = context
  const target = facts.console
  if (target?.kind !== 'socket') return
  plan.section(ORIGIN, `console socket ${target.path}`, () => {
    const flags = { kind: 'open-flags', flags: O.PATH | O.CLOEXEC } as const
    moveToSlot(context, plan.syscall('openat', [AT.FDCWD, target.path, flags, 0], { name: 'path' }), slots.path)
    const name = encodeName(`/proc/self/fd/${slots.path}\0`)
    const address = plan.constant(`sockaddr_un /proc/self/fd/${slots.path}`, [new Uint8Array([AF_UNIX, 0]), name])
    // Who listens and doesn't accept, with a full queue, is not waited for: EAGAIN.
    const socket = plan.syscall('socket', [AF_UNIX, SOCK_STREAM_CLOEXEC | O.NONBLOCK, 0], { name: 'socket' })
    plan.syscall('connect', [socket, address.address, 2 + name.length])
    moveToSlot(context, socket, slots.console)
  })
}

/** In P1, when /dev is there: the pty, its slave also as /dev/console. */
export function lowerConsole(context: Context): void {
  const { plan } = context
  lowerPty(context, (slave) => {
    plan.section(ORIGIN, '/dev/console', () => {
      const target = openOrMake(context, '/dev/console', { flags: O.PATH | O.NOFOLLOW, like: slave })
      const flags = AT.EMPTY_PATH | OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC
      const tree = plan.syscall('open_tree', [slave, '', flags], { name: 'console' })
      attach(context, tree, target)
    })
  })
  lowerControllingTerminal(context)
}

/**
 * A pty of the container's devpts: its master is sent away, its slave becomes the standard streams.
 * @param use what else the slave is for
 */
export function lowerPty(context: ProcessContext, use: (slave: Value) => void = () => {}): void {
  const { plan, config, facts, slots } = context
  if (config.process?.terminal !== true || facts.console === undefined) return
  const size = config.process.consoleSize
  plan.section(ORIGIN, '/dev/pts/ptmx', () => {
    const master = openInRoot(context, '/dev/pts/ptmx', { flags: O.RDWR | O.NOCTTY, name: 'master' })
    checkPtmx(context, master)
    plan.syscall('ioctl', [master, TIOC.SPTLCK, plan.constant('unlocked', [u32(0)]).address])
    // By the master, never by a path in /dev/pts (CVE-2025-52565).
    const slave = plan.syscall(
      'ioctl',
      [master, TIOC.GPTPEER, { kind: 'open-flags', flags: O.RDWR | O.NOCTTY | O.CLOEXEC }],
      {
        name: 'slave',
      },
    )
    if (size !== undefined) {
      const winsize = plan.constant('winsize', [u32(((size.height & 0xffff) | (size.width << 16)) >>> 0), u32(0)])
      plan.syscall('ioctl', [slave, TIOC.SWINSZ, winsize.address])
    }
    sendMaster(context, master, facts.console?.kind === 'socket' ? slots.console : slots.channel)
    use(slave)
    for (const fd of [0, 1, 2]) plan.syscall('dup3', [slave, fd, 0])
  })
}

/** The session that a process leads is the terminal's. */
export function lowerControllingTerminal({ plan, config, facts }: ProcessContext): void {
  if (config.process?.terminal !== true || facts.console === undefined) return
  plan.section(ORIGIN, undefined, () => plan.syscall('ioctl', [0, TIOC.SCTTY, 0], { name: 'controlling_terminal' }))
}

/** A terminal multiplexer is known by its inode: device 5:2 on a devpts. */
function checkPtmx(context: ProcessContext, master: Operand): void {
  const { plan } = context
  const about = '/dev/pts/ptmx is no pty multiplexer'
  const found = statDescriptor(context, master)
  plan.require(found.field(STATX.rdevMajor, 4), 'eq', 5, ERRNO.ENOTTY, about)
  plan.require(found.field(STATX.rdevMinor, 4), 'eq', 2, ERRNO.ENOTTY, about)
  const fs = plan.buffer('statfs', 120)
  plan.syscall('fstatfs', [master, fs.address])
  plan.require(fs.field(0, 4), 'eq', DEVPTS_SUPER_MAGIC, ERRNO.ENOTTY, about)
}

/** sendmsg(2) with one descriptor in SCM_RIGHTS and the name that engines expect beside it. */
function sendMaster({ plan }: ProcessContext, master: Operand, socket: number): void {
  const name = '/dev/ptmx'
  const iov = plan.constant('iovec /dev/ptmx', [{ kind: 'pointer', to: plan.string(name).address }, u64(name.length)])
  const control = plan.struct('cmsg', [u64(20), u32(SOL_SOCKET), u32(SCM_RIGHTS), u64(0)])
  plan.store(control.at(16), 4, master)
  const message = plan.struct('msghdr', [
    u64(0),
    u64(0),
    { kind: 'pointer', to: iov.address },
    u64(1),
    { kind: 'pointer', to: control.address },
    u64(24),
    u64(0),
  ])
  plan.syscall('sendmsg', [socket, message.address, 0], { about: 'console socket' })
}
