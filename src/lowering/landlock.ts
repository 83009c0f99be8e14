// The annotation runt.landlock → landlock_create_ruleset(2), landlock_add_rule(2), landlock_restrict_self(2), in the container's
// own tree, while the process has the right to restrict itself without no_new_privs. What it does from then on (files that are
// open stay so) must get along with the rules: startContainer hooks, and execve itself, are confined as the program is.

import {
  LANDLOCK_FILE_RIGHTS,
  LANDLOCK_FS,
  LANDLOCK_NET,
  LANDLOCK_RULE,
  LANDLOCK_SCOPES,
  type LandlockFsRight,
} from '../linux/landlock.ts'
import { AT, O } from '../linux/open-flags.ts'
import { u32, u64 } from '../plan/builder.ts'
import type { Value } from '../plan/step.ts'
import type { ProcessContext } from './context.ts'

const ORIGIN = '/annotations/runt.landlock'
const RULESET_SIZE = 24

export function lowerLandlock(context: ProcessContext): void {
  const { plan, config, facts } = context
  const { landlock } = config.linux
  if (landlock === undefined) return
  plan.section(ORIGIN, 'ruleset', () => {
    const handled = landlock.handledAccessFS ?? knownRights(facts.landlockAbi)
    const masks = [
      mask(handled, LANDLOCK_FS),
      mask(landlock.handledAccessNet, LANDLOCK_NET),
      mask(landlock.scoped, LANDLOCK_SCOPES),
    ]
    const text = `landlock_ruleset_attr{${masks.map((bits) => bits.toString(16)).join(' ')}}`
    const attr = plan.constant(text, masks.map(u64))
    const ruleset = plan.syscall('landlock_create_ruleset', [attr.address, RULESET_SIZE, 0], { name: 'ruleset' })
    for (const { paths, access } of landlock.paths) {
      for (const path of paths) plan.section(ORIGIN, path, () => lowerPath(context, ruleset, path, access))
    }
    for (const { ports, access } of landlock.ports) {
      for (const port of ports) {
        const bits = mask(access, LANDLOCK_NET)
        const rule = plan.constant(`landlock_net_port{${bits} ${port}}`, [u64(bits), u64(port)])
        plan.syscall('landlock_add_rule', [ruleset, LANDLOCK_RULE.NET_PORT, rule.address, 0], { about: `port ${port}` })
      }
    }
    plan.syscall('landlock_restrict_self', [ruleset, 0])
    plan.syscall('close', [ruleset])
  })
}

/** Of a file that is no folder only some things can be said; which it is, the kernel finds out. */
function lowerPath({ plan }: ProcessContext, ruleset: Value, path: string, access: readonly LandlockFsRight[]): void {
  const flags = { kind: 'open-flags', flags: O.PATH | O.CLOEXEC } as const
  const fd = plan.syscall('openat', [AT.FDCWD, path, flags, 0], { name: 'beneath', path: 'container' })
  const ofFiles = access.filter((name) => LANDLOCK_FILE_RIGHTS.includes(name))
  const added = plan.label('added')
  const file = plan.label('file')
  const add = (rights: readonly LandlockFsRight[], otherwise: Parameters<typeof plan.syscall>[2]): void => {
    const bits = mask(rights, LANDLOCK_FS)
    const rule = plan.struct('landlock_path_beneath', [u64(bits), u32(0)])
    plan.store(rule.at(8), 4, fd)
    plan.syscall('landlock_add_rule', [ruleset, LANDLOCK_RULE.PATH_BENEATH, rule.address, 0], otherwise)
  }
  const mixed = ofFiles.length > 0 && ofFiles.length < access.length
  add(access, mixed ? { onError: { EINVAL: file } } : {})
  if (mixed) {
    plan.jump(added)
    plan.place(file)
    add(ofFiles, {})
    plan.place(added)
  }
  plan.syscall('close', [fd])
}

/** All that a kernel of this ABI knows. */
function knownRights(abi: number): LandlockFsRight[] {
  return Object.entries(LANDLOCK_FS)
    .filter(([, right]) => right.abi <= abi)
    .map(([name]) => name as LandlockFsRight) // its keys
}

function mask<Name extends string>(
  names: readonly Name[],
  table: Readonly<Record<Name, { readonly bit: number }>>,
): number {
  return names.reduce((bits, name) => bits | (1 << table[name].bit), 0)
}
