// The agent that is asked about system calls: it gets the listener, and is told whose it is. config-linux.md, The Container
// Process State: one state a connection, which is closed then; the descriptor goes with its first byte.

import { propertyError } from '../errors.ts'
import { takeDescriptor } from '../host/pidfd.ts'
import { sendDescriptorTo } from '../native/descriptors.ts'
import { close } from '../native/file.ts'
import { failedWith } from '../native/syscall.ts'
import { printable } from '../printable.ts'
import { encodeReply } from '../process/sync.ts'
import { NO_AGENT } from '../words.ts'
import { OCI_VERSION, type State } from './container.ts'
import { hear, type Peer, tell } from './conversation.ts'
import type { Agent } from './filter.ts'

const NOT_LOOKED_INTO =
  'only root may take a descriptor from a process that joins a container: nobody may look into it while it does'

/** The name that the specification has for the descriptor. */
const LISTENER = 'seccompFd'

/**
 * Hand over the listener of a process that has just loaded its filter, and let the process go on.
 * @param state of the container
 * @throws RuntError when the agent isn't there
 */
export async function handOver(peer: Peer, agent: Agent, state: State): Promise<void> {
  const { value } = await hear(peer, 'listener')
  const { path, metadata } = agent
  const said = { ociVersion: OCI_VERSION, fds: [LISTENER], pid: peer.pid, metadata, state }
  try {
    const listener = takeDescriptor(peer.pid, value)
    try {
      sendDescriptorTo(path, JSON.stringify(said), listener)
    } finally {
      close(listener)
    }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : `${cause}`
    throw propertyError('host', '/linux/seccomp/listenerPath', `${NO_AGENT} ${printable(path)}: ${why}`, {
      cause,
      ...(failedWith(cause, 'EPERM') ? { hint: NOT_LOOKED_INTO } : {}),
    })
  }
  await tell(peer, encodeReply())
}
