// What a lowering must know to do runt's own part as well: gathered before, passed in.

import type { Step } from '../../plan/step.ts'

/** A text for a file of the kernel's that is there already. */
export interface Knob {
  readonly path: string
  readonly text: string
}

export interface CgroupWork {
  /** Folders to make, outermost first; none of them is there. */
  readonly folders: readonly string[]
  /** Files of these folders that must have a byte in its place, or the container is not for this image. */
  readonly checks: readonly { readonly path: string; readonly position: number; readonly byte: string }[]
  /** Files to copy into new ones, in order: what a new cpuset needs from its parent. */
  readonly copies: readonly { readonly from: string; readonly to: string }[]
  readonly knobs: readonly Knob[]
  /** Device rules on cgroup v2: the folder and its program. */
  readonly devices: { readonly folder: string; readonly program: Uint8Array } | undefined
}

/** A text in which the time is to be written. */
export interface Stamped {
  readonly bytes: Uint8Array
  /** Where TIME_MARK stands. */
  readonly timeAt: number
}

export interface Solo {
  /** The container's folder, absolute. The folder above it is there. */
  readonly directory: string
  /** state.json. */
  readonly record: {
    /** @param gate the step from which on failures are told to start */
    readonly contents: (steps: readonly Step[], gate: number | undefined) => Uint8Array
    readonly timeAt: number
  }
  /** The container's card, with no pid yet; see plan/card.ts. */
  readonly card: Stamped | undefined
  readonly cgroup: CgroupWork
  /** Cgroup folders to remove at the end, innermost first: the container's own, and those above. */
  readonly own: readonly string[]
  readonly above: readonly string[]
  readonly pidFile: string | undefined
  readonly subreaper: boolean
  /** The engine, and the words that make it say why the kernel killed the program, and remove what is left of this container. */
  readonly engine: string
  readonly removal: readonly string[]
}
