// Between create and start: wait at the gate, which only start opens.

import { ERRNO } from '../linux/errno.ts'
import type { Context } from './context.ts'

/** Wait until start writes into the gate; from then on it is start that hears of failures. In run the answer was the gate. */
export function lowerStartGate({ plan, config, facts, slots }: Context): void {
  if (facts.mode === 'create') {
    plan.section('', 'gate', () => {
      plan.passGate()
      plan.reportTo(slots.verdict)
      plan.syscall('close', [slots.channel])
      const room = plan.buffer('gate', 8)
      plan.syscall('read', [slots.gate, room.address, 1], { atLeast: { count: 1, errno: 'EPIPE' } })
    })
  }
  if (config.process === undefined)
    plan.section('/process', undefined, () => plan.fail(ERRNO.EINVAL, 'process is not set'))
}
