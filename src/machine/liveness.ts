// Which results are looked at, and by that have a slot in memory. Any use counts, wherever it stands: ways lead back, and into
// routines.

import type { Step, Value } from '../plan/step.ts'
import { usedValues } from '../plan/uses.ts'

export interface Values {
  /** Value id → number of its slot; undefined for those that nothing looks at. */
  readonly slots: readonly (number | undefined)[]
  readonly slotCount: number
}

/** Find the values that need a slot. What is written last comes first: the first slots are the nearest. */
export function liveValues(steps: readonly Step[]): Values {
  const used = usedValues(steps)
  const slots: (number | undefined)[] = []
  let slotCount = 0
  const give = ({ id }: Value): void => {
    if (used[id] === true && slots[id] === undefined) slots[id] = slotCount++
  }
  for (let index = steps.length - 1; index >= 0; index--) {
    const step = steps[index]
    if (step === undefined) continue
    if (step.op === 'syscall' || step.op === 'call' || step.op === 'compute' || step.op === 'load') give(step.result)
    else if (step.op === 'routine') for (const parameter of step.routine.parameters) give(parameter)
  }
  return { slots, slotCount }
}
