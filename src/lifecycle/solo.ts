// The short way to a container: its image does runt's part as well, and runt becomes the image (lowering/solo/). It is for
// containers that need no help on the way. Whatever fails, the image becomes the engine again with the flag --supervised,
// and that goes the long way: create.ts.

import { type Cgroup, removals } from '../cgroup/cgroup.ts'
import { missingOf } from '../cgroup/fs.ts'
import type { Hierarchies } from '../cgroup/hierarchy.ts'
import { isDelegated } from '../cgroup/ownership.ts'
import { cgroupScript } from '../cgroup/script.ts'
import type { Config } from '../config/types.ts'
import { pidfdInode } from '../host/pidfd.ts'
import { isDebugging, logWords } from '../log.ts'
import { has, isNew } from '../lowering/context.ts'
import type { ConsoleTarget, Facts } from '../lowering/facts.ts'
import { hasListener } from '../lowering/seccomp.ts'
import { TIME_MARK } from '../lowering/solo/clock.ts'
import { lowerSolo } from '../lowering/solo/solo.ts'
import type { Image } from '../machine/codegen.ts'
import { callerWords } from '../native/caller.ts'
import type { Plan } from '../plan/step.ts'
import { becomeImage } from '../process/become.ts'
import { labelsFrom } from '../process/report.ts'
import type { SeccompFilter } from '../seccomp/filter.ts'
import { cardOf } from './card.ts'
import type { CreateOptions } from './create.ts'
import { gatherFacts, ungrantable } from './facts.ts'
import { compileHere } from './image.ts'
import { newRecord } from './record.ts'
import { encodeRecord, type Store } from './store.ts'

export interface SoloOptions {
  /** Leave a container that has ended on record. */
  readonly keep: boolean
  readonly noSubreaper: boolean
}

const encoder = new TextEncoder()

/** What is known of a call before anything is made. */
export interface Prepared {
  readonly config: Config
  readonly terminal: ConsoleTarget | undefined
  readonly hierarchies: Hierarchies
  /** From planCgroup(). */
  readonly planned: Cgroup
  /** linux.seccomp, compiled. */
  readonly filter: SeccompFilter | undefined
}

/**
 * Become the container's image. Comes back when this container is not for the short way, or the image can't be executed:
 * then nothing has happened.
 */
export function becomeSolo(store: Store, options: CreateOptions & Partial<SoloOptions>, prepared: Prepared): void {
  const words = callerWords()
  const solo = soloImage(store, options, prepared, process.execPath)
  if (solo === undefined) return
  const { facts, image } = solo
  store.makeRoot()
  becomeImage(image.bytes, [process.execPath, '--supervised', ...words], facts.preservedFds)
}

/**
 * @param engine what the image becomes when it can't go on
 * @returns undefined when this container is not for the short way
 */
export function soloImage(
  store: Store,
  options: CreateOptions & Partial<SoloOptions>,
  { config, terminal, hierarchies, planned, filter }: Prepared,
  engine: string,
): { readonly plan: Plan; readonly image: Image; readonly facts: Facts } | undefined {
  if (!isPlain(config, options, terminal) || hasListener({ seccomp: filter })) return undefined
  if (config.process?.user.uid !== 0 && isDelegated(config, planned)) return undefined
  const cgroup = missingOf(planned)
  if (Object.keys(cgroup.directories).length < Object.keys(planned.directories).length) return undefined
  const script = cgroupScript(hierarchies, cgroup, config.linux.resources)
  if (script === undefined) return undefined
  const directory = store.directory(options.id)
  const facts = gatherFacts(config, options, undefined, directory, cgroup, hierarchies, filter, 0)
  if (ungrantable(config, facts.grantable).length > 0) return undefined
  const foreground = options.mode === 'run-foreground'
  // The image may be used again: the time is for it to find.
  const record = { ...newRecord(config, options, cgroup, filter), created: TIME_MARK }
  const card = !foreground && pidfdInode(process.pid) !== undefined ? cardOf(record) : undefined
  const plan = lowerSolo(config, facts, {
    directory,
    record: {
      contents: (steps, gate) => {
        const startSteps = gate === undefined ? {} : labelsFrom({ steps }, gate)
        return encodeRecord({ ...record, startSteps })
      },
      timeAt: placeOf(encoder.encode(JSON.stringify(record)), `"created":"${TIME_MARK}`),
    },
    card: card === undefined ? undefined : { bytes: card, timeAt: placeOf(card, `"created": "${TIME_MARK}`) },
    cgroup: script,
    ...removals(cgroup),
    pidFile: options.pidFile,
    subreaper: options.noSubreaper !== true,
    engine,
    removal: [engine, '--root', store.root, ...logWords(), 'delete', '--force', '--explain', options.id],
  })
  const { inject } = options
  const image = compileHere(plan, inject === undefined ? {} : { inject })
  return { plan, image, facts }
}

/** Where the mark of the time stands, behind what it is looked for with: text that no annotation can hold, for its quotes. */
function placeOf(bytes: Uint8Array, text: string): number {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(text) + text.length - TIME_MARK.length
}

/** Nothing is asked for that runt must do itself, or that must be told as it happens. */
function isPlain(
  config: Config,
  options: CreateOptions & Partial<SoloOptions>,
  terminal: ConsoleTarget | undefined,
): boolean {
  const { hooks, linux, process: program } = config
  return (
    !options.profile &&
    !options.rootless &&
    options.noCgroups !== true &&
    options.keep !== true &&
    options.pidfdSocket === undefined &&
    !isDebugging() &&
    program !== undefined &&
    config.warnings.length === 0 &&
    terminal === undefined && // a console socket may be accepted from once, and falling back would connect again
    isNew(config, 'pid') &&
    isNew(config, 'mount') &&
    !has(config, 'user') &&
    (isNew(config, 'cgroup') || !has(config, 'cgroup')) &&
    config.mounts.every(({ idmap }) => idmap === undefined) && // a child of the image's, which can't outlive a failure
    linux.netDevices.length === 0 &&
    linux.intelRdt === undefined &&
    !(config.exitRecord && options.mode !== 'run-foreground') &&
    Object.values(hooks).every((list) => list.length === 0)
  )
}
