// Which results are looked at, and by that have a slot in memory. Any use counts, wherever it stands: ways lead back, and into
// routines.

import type { Operand, Step, Value } from '../plan/step.ts'

export interface Values {
  /** Value id → number of its slot; undefined for those that nothing looks at. */
  readonly slots: readonly (number | undefined)[]
  readonly slotCount: number
}

/** Find the values that need a slot. What is written last comes first: the first slots are the nearest. */
export function liveValues(steps: readonly Step[]): Values {
  const used: boolean[] = []
  for (const step of steps) useAll(used, step)
  const slots: (number | undefined)[] = []
  let slotCount = 0
  const give = ({ id }: Value): void => {
    if (used[id] === true && slots[id] === undefined) slots[id] = slotCount++
  }
  for (let index = steps.length - 1; index >= 0; index--) {
    const step = steps[index]
    if (step === undefined) continue
    if (step.op === 'syscall' || step.op === 'call' || step.op === 'add' || step.op === 'load') give(step.result)
    else if (step.op === 'routine') for (const parameter of step.routine.parameters) give(parameter)
  }
  return { slots, slotCount }
}

/** Note what a step looks at. */
function useAll(used: boolean[], step: Step): void {
  switch (step.op) {
    case 'syscall':
    case 'call':
      for (const operand of step.args) use(used, operand)
      break
    case 'branch':
    case 'add':
      use(used, step.left)
      use(used, step.right)
      break
    case 'store':
    case 'return':
      use(used, step.value)
      break
    case 'exit':
      use(used, step.status)
      break
    case 'load':
      use(used, step.from)
      break
    case 'put':
      use(used, step.to)
      use(used, step.value)
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

function use(used: boolean[], operand: Operand): void {
  if (typeof operand === 'object' && operand.kind === 'value') used[operand.id] = true
}
