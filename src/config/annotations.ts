// Annotations that change what runt does. A misspelt one must not run a program with less than was asked for.

import { nearest } from '../nearest.ts'
import { step } from '../pointer.ts'
import type { Check } from './checks.ts'
import { EXIT_RECORD_ANNOTATION } from './exit-record.ts'
import type { OciConfig } from './generated/oci.d.ts'
import { LANDLOCK_ANNOTATION } from './landlock.ts'

/** All whose names begin with "runt.". */
export const OWN_ANNOTATIONS = [EXIT_RECORD_ANNOTATION, LANDLOCK_ANNOTATION]

export const ownAnnotations: Check = ({ annotations }, report) => {
  for (const name of Object.keys(annotations ?? {})) {
    if (!/^runt\./i.test(name) || OWN_ANNOTATIONS.includes(name)) continue
    const message = `runt has no annotation of this name: there are ${OWN_ANNOTATIONS.join(' and ')}`
    report(`/annotations/${step(name)}`, undefined, message, { suggestion: nearest(name, OWN_ANNOTATIONS) })
  }
}

/** Names that crun gave to what the specification had no property for, or has none. */
const FOREIGN = 'run.oci.'

/** Another program than runt is to run the container: libkrun, an interpreter of WebAssembly. */
export const HANDLER = `${FOREIGN}handler`

/** Podman's --group-add keep-groups. */
export const KEEP_GROUPS = `${FOREIGN}keep_original_groups`

/** Who gets init's pidfd, as --pidfd-socket says. */
export const PIDFD_RECEIVER = `${FOREIGN}pidfd_receiver`

/** linux.seccomp.listenerPath, before there was one. */
const SECCOMP_RECEIVER = `${FOREIGN}seccomp.receiver`

const HONOURED = new Set([HANDLER, KEEP_GROUPS, PIDFD_RECEIVER, SECCOMP_RECEIVER])

/** All that may change what runt does, for features: names, and beginnings of names that end with a dot. */
export const UNSAFE_ANNOTATIONS = [...OWN_ANNOTATIONS, ...HONOURED]

/** A config in which annotations are the properties that they stand for. */
export function withForeign(config: OciConfig): OciConfig {
  const receiver = config.annotations?.[SECCOMP_RECEIVER]
  const { linux } = config
  if (receiver === undefined || linux?.seccomp === undefined || linux.seccomp.listenerPath !== undefined) return config
  return { ...config, linux: { ...linux, seccomp: { ...linux.seccomp, listenerPath: receiver } } }
}

/** Those of crun's that ask for what runt has not, and a container may go without. */
export function ignoredAnnotations({ annotations = {} }: OciConfig): string[] {
  return Object.keys(annotations).filter((name) => name.startsWith(FOREIGN) && !HONOURED.has(name))
}
