// The record of a container that is about to be created.

import type { Cgroup } from '../cgroup/cgroup.ts'
import type { Config } from '../config/types.ts'
import { timestamp } from '../host/clock.ts'
import { isNew } from '../lowering/context.ts'
import type { SeccompFilter } from '../seccomp/filter.ts'
import { type Container, OCI_VERSION } from './container.ts'
import { execRecord } from './exec-record.ts'
import { externalRecord } from './external.ts'
import type { LaunchOptions } from './facts.ts'
import { stored } from './stored.ts'

/**
 * @param cgroup what is there of it, or will be
 * @param filter linux.seccomp, compiled
 */
export function newRecord(
  config: Config,
  { id, noNewKeyring, config: configFile }: LaunchOptions & { readonly config?: string | undefined },
  cgroup: Cgroup,
  filter: SeccompFilter | undefined,
): Container {
  return {
    version: 1,
    id,
    phase: 'creating',
    ociVersion: OCI_VERSION,
    bundle: config.bundle,
    ...(configFile === undefined ? {} : { configFile }),
    rootfs: config.root.path,
    annotations: config.annotations,
    created: timestamp(),
    owner: process.geteuid?.() ?? 0,
    pid: 0,
    startTime: 0,
    cgroup,
    resources: stored(config.linux.resources),
    sharesPidNamespace: !isNew(config, 'pid'),
    hasProcess: config.process !== undefined,
    hooks: { poststart: config.hooks.poststart, poststop: config.hooks.poststop },
    hasStartHooks: config.hooks.startContainer.length > 0,
    startSteps: {},
    exec: execRecord(config, noNewKeyring, filter),
    external: externalRecord(config),
  }
}
