// What the lowerings of one image share.

import type { Config, Mount, MountOptions, ProcessConfig } from '../config/types.ts'
import type { NamespaceType } from '../linux/namespaces.ts'
import type { DataObject, PlanBuilder } from '../plan/builder.ts'
import type { Routine, Value } from '../plan/step.ts'
import type { Facts, ProcessFacts, Slots } from './facts.ts'
import type { Way } from './sources.ts'

/** What a process in a container needs, be it init or one that exec adds. */
export interface ProcessContext {
  readonly plan: PlanBuilder
  readonly config: ProcessConfig
  readonly facts: ProcessFacts
  readonly slots: Slots
  /** Messages from runt land here: REPLY. */
  readonly reply: DataObject
}

/** For init, which builds the container. */
export interface Context extends ProcessContext {
  readonly config: Config
  readonly facts: Facts
  /** How the sources of binds are got at. */
  readonly way: Way
  /** Binds of what the container's own mounts show: the source as a path in the container, by the mount's index. */
  readonly ownSources: ReadonlyMap<number, string>
  /** Mounts that were cloned or made before their turn, by what they are for. */
  readonly trees: {
    root: Value | undefined
    /** By the mount's index. */
    readonly mounts: Map<number, Value>
    /** User namespaces that ID-mapped mounts take their mappings from. */
    readonly userNamespaces: Map<string, Value>
  }
  /** What attaches a bind, by its options. */
  readonly binds: Map<MountOptions, Routine>
  /** Mounts at /dev that become read-only once the devices are in them. */
  readonly unsealed: { readonly mount: Mount; readonly fs: Value }[]
  /** Our own procfs, made when first needed. */
  procfs: Value | undefined
}

/** Does the container get a namespace of this type of its own (new, not joined)? */
export function isNew(config: ProcessConfig, type: NamespaceType): boolean {
  return config.linux.namespaces.some((namespace) => namespace.type === type && namespace.path === undefined)
}

/** Is there such a namespace at all, new or joined? */
export function has(config: ProcessConfig, type: NamespaceType): boolean {
  return config.linux.namespaces.some((namespace) => namespace.type === type)
}
