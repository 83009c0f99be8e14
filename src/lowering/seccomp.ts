// linux.seccomp → seccomp(2), as late as can be: whatever init does after it, the filter must allow. Alone it is loaded behind
// the gate, and only execve (before it the startContainer hooks, which are confined as the program is) comes after it. With a
// listener it comes before `ready`, so that create can hand that to the agent.

import { SECCOMP_FLAG, SECCOMP_SET_MODE_FILTER } from '../linux/seccomp-abi.ts'
import { u64 } from '../plan/builder.ts'
import type { Value } from '../plan/step.ts'
import type { ProcessContext } from './context.ts'
import { grantedSets, heldForFilter, lowerCapset } from './credentials.ts'
import type { ProcessFacts } from './facts.ts'
import { lowerTellListener } from './handshake.ts'

/** sizeof(struct sock_filter) */
const INSTRUCTION = 8

/** Does an agent decide about some calls? */
export function hasListener({ seccomp }: Pick<ProcessFacts, 'seccomp'>): boolean {
  return seccomp !== undefined && (seccomp.flags & SECCOMP_FLAG.NEW_LISTENER) !== 0
}

/** Before `ready`: a filter with a listener. */
export function lowerWatchedFilter(context: ProcessContext): void {
  if (hasListener(context.facts)) lowerLoad(context, (listener) => lowerTellListener(context, listener))
}

/** Behind the gate: a filter that decides alone. */
export function lowerFilter(context: ProcessContext): void {
  if (!hasListener(context.facts)) lowerLoad(context, () => {})
}

/** Without no_new_privs it takes CAP_SYS_ADMIN, which goes at once. Nothing but that is asked between: see check-seccomp.ts. */
function lowerLoad(context: ProcessContext, loaded: (result: Value) => void): void {
  const { plan, config, facts } = context
  const { seccomp } = facts
  const { process } = config
  if (seccomp === undefined || process === undefined) return
  const { program, flags } = seccomp
  plan.section('/linux/seccomp', undefined, () => {
    const sets = grantedSets(process, facts.grantable)
    const held = heldForFilter(context) & ~sets.effective
    if (held !== 0n) {
      lowerCapset(context, { ...sets, permitted: sets.permitted | held, effective: sets.effective | held })
    }
    const length = program.length / INSTRUCTION
    const filter = plan.constant(`filter of ${length} instructions`, [program])
    const description = plan.constant(`sock_fprog{${length}}`, [u64(length), { kind: 'pointer', to: filter.address }])
    loaded(plan.syscall('seccomp', [SECCOMP_SET_MODE_FILTER, flags, description.address], { name: 'filter' }))
    if (held !== 0n) lowerCapset(context, sets)
  })
}
