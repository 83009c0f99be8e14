// The record of a container: what state.json holds.

import type { Cgroup } from '../cgroup/cgroup.ts'
import type { Hook, Resources } from '../config/types.ts'
import type { StepLabel } from '../process/report.ts'
import type { CriuRecord } from './criu-process.ts'
import type { ExecRecord } from './exec-record.ts'
import type { ExitRecord } from './exit.ts'
import type { ExternalRecord } from './external.ts'
import type { RdtRecord } from './rdt.ts'
import type { Stored } from './stored.ts'

/** creating: create is at work. created: stopped running paused are found out, not recorded. */
export type Phase = 'creating' | 'created'

export type Status = 'creating' | 'created' | 'running' | 'paused' | 'stopped'

export interface Container {
  /** Layout of this record. */
  readonly version: 1
  readonly id: string
  readonly phase: Phase
  readonly ociVersion: string
  /** Absolute. */
  readonly bundle: string
  /** Where it isn't the bundle's config.json. */
  readonly configFile?: string
  readonly rootfs: string
  readonly annotations: Readonly<Record<string, string>>
  /** RFC 3339. */
  readonly created: string
  /** Uid of who created it. */
  readonly owner: number
  /** Init's pid and start time (clock ticks since boot); 0 before it is born. */
  readonly pid: number
  readonly startTime: number
  readonly cgroup: Cgroup
  /** The limits that it has: the config's, as updates have changed them. */
  readonly resources: Stored<Resources>
  /** Its group in resctrl; absent when it has none. */
  readonly rdt?: RdtRecord
  /** Does it share its pid namespace with others? Then killing init doesn't kill the rest. */
  readonly sharesPidNamespace: boolean
  /** False: it can be created and not started. */
  readonly hasProcess: boolean
  readonly hooks: { readonly poststart: readonly Hook[]; readonly poststop: readonly Hook[] }
  /** Does init run hooks of its own before the program? */
  readonly hasStartHooks: boolean
  /** Labels of the steps that may fail after the gate. */
  readonly startSteps: Readonly<Record<number, StepLabel>>
  /** For processes that are added later: what the bundle says by then doesn't count. */
  readonly exec: ExecRecord
  /** What of it is the host's, as a checkpoint must say; absent in records of runts that could make none. */
  readonly external?: ExternalRecord
  /** Who saves or restores it, while that lasts. */
  readonly criu?: CriuRecord
}

/** The state as the spec wants it, and as runc's users know it. runtime.md, State */
export interface State {
  readonly ociVersion: string
  readonly id: string
  readonly pid: number
  readonly status: Status
  readonly bundle: string
  readonly rootfs: string
  readonly created: string
  readonly annotations?: Readonly<Record<string, string>>
  readonly owner: string
  /** Of one that has stopped: how. */
  readonly exit?: ExitRecord
}

/** @param pid as its reader sees it; 0 when there is none */
export function stateOf(container: Container, status: Status, pid: number): State {
  return {
    ociVersion: OCI_VERSION,
    id: container.id,
    pid,
    status,
    bundle: container.bundle,
    rootfs: container.rootfs,
    created: container.created,
    ...(Object.keys(container.annotations).length === 0 ? {} : { annotations: container.annotations }),
    owner: container.owner === 0 ? 'root' : `${container.owner}`,
  }
}

/** The runtime-spec that states and configs comply with. */
export const OCI_VERSION = '1.3.0'
