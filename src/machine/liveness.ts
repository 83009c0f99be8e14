// Which results of system calls are looked at later. Plans only branch forward, so "later" is "further down".

import type { Operand, Step } from '../plan/step.ts'

export interface Values {
  /** Value id → number of its slot. */
  readonly slots: readonly (number | undefined)[]
  readonly slotCount: number
  /** 1 for each step whose result must be stored. */
  readonly isStored: Uint8Array
}

/** Find the values that need a slot, from the last step to the first. */
export function liveValues(steps: readonly Step[]): Values {
  const used: boolean[] = []
  const slots: (number | undefined)[] = []
  const isStored = new Uint8Array(steps.length)
  let slotCount = 0
  for (let index = steps.length - 1; index >= 0; index--) {
    const step = steps[index]
    if (step === undefined) continue
    if (step.op === 'syscall') {
      const { id } = step.result
      if (used[id] === true) {
        isStored[index] = 1
        if (slots[id] === undefined) slots[id] = slotCount++
      }
      for (const operand of step.args)
        if (typeof operand === 'object' && operand.kind === 'value') used[operand.id] = true
    } else if (step.op === 'branch') use(used, step.left)
    else if (step.op === 'store') use(used, step.value)
    else if (step.op === 'fail') {
      use(used, step.code)
      if (step.text !== undefined) use(used, step.text)
    }
  }
  return { slots, slotCount, isStored }
}

function use(used: boolean[], operand: Operand): void {
  if (typeof operand === 'object' && operand.kind === 'value') used[operand.id] = true
}
