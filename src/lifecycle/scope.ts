// What a config asks of the systemd manager.

import type { Hierarchies } from '../cgroup/hierarchy.ts'
import type { Cgroup } from '../cgroup/manager.ts'
import type { PlannedScope, ScopeRequest } from '../cgroup/systemd/scope.ts'
import type { Config } from '../config/types.ts'
import { inFirstUserNamespace } from '../host/probe.ts'

/** Asks systemd where its units are; makes nothing. @throws RuntError when it doesn't answer, or for what names no scope */
export async function planScope(hierarchies: Hierarchies, config: Config, id: string): Promise<PlannedScope> {
  const { PlannedScope } = await import('../cgroup/systemd/scope.ts')
  return PlannedScope.plan(hierarchies, requestOf(config, id))
}

/** Where the scope would be as a rule, without asking anybody. */
export async function placeOfScope(hierarchies: Hierarchies, config: Config, id: string): Promise<Cgroup> {
  const { placeScope } = await import('../cgroup/systemd/scope.ts')
  const request = requestOf(config, id)
  const uid = process.geteuid?.() ?? 0
  const root = request.kind === 'system' ? '' : `/user.slice/user-${uid}.slice/user@${uid}.service`
  return placeScope(hierarchies, request, root)
}

/** The user's own systemd where the machine's wouldn't listen to us. */
function requestOf({ annotations, linux }: Config, id: string): ScopeRequest {
  const kind = process.geteuid?.() === 0 && inFirstUserNamespace() ? 'system' : 'user'
  return { id, kind, cgroupsPath: linux.cgroupsPath, annotations }
}
