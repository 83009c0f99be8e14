// Which values steps look at.

import type { Operand, Step } from './step.ts'

/** By value: does any step look at it? */
export function usedValues(steps: readonly Step[]): readonly (true | undefined)[] {
  const used: (true | undefined)[] = []
  for (const step of steps) useAll(used, step)
  return used
}

/** Note what a step looks at. */
function useAll(used: (true | undefined)[], step: Step): void {
  switch (step.op) {
    case 'syscall':
    case 'call':
      for (const operand of step.args) use(used, operand)
      break
    case 'branch':
    case 'compute':
      use(used, step.left)
      use(used, step.right)
      break
    case 'store':
      use(used, step.to)
      use(used, step.value)
      break
    case 'return':
      use(used, step.value)
      break
    case 'exit':
      use(used, step.status)
      break
    case 'load':
      use(used, step.from)
      break
    case 'fail':
      use(used, step.code)
      if (step.text !== undefined) use(used, step.text)
      break
    case 'routine':
    case 'label':
    case 'jump':
    case 'pivot':
      break
  }
}

function use(used: (true | undefined)[], operand: Operand): void {
  if (typeof operand === 'object' && operand.kind === 'value') used[operand.id] = true
}
