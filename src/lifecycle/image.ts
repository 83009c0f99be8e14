// A plan as an image for the machine that we are on.

import { compile, type Image } from '../machine/codegen.ts'
import { targetFor } from '../machine/target.ts'
import type { Plan } from '../plan/step.ts'

export function compileHere(plan: Plan, options: Parameters<typeof compile>[2] = {}): Image {
  return compile(plan, targetFor(process.arch === 'arm64' ? 'arm64' : 'x64'), options)
}
