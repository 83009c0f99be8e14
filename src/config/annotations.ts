// Annotations that change what runt does. A misspelt one must not run a program with less than was asked for.

import { nearest } from '../nearest.ts'
import { step } from '../pointer.ts'
import type { Check } from './checks.ts'
import { EXIT_RECORD_ANNOTATION } from './exit-record.ts'
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
