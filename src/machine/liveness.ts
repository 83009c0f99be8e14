// Which results are looked at later. Where plans only branch forward, "later" is "further down"; where they may branch back,
// any use counts.

import type { Operand, Step } from '../plan/step.ts'

export interface Values {
  /** Value id → number of its slot. */
  readonly slots: readonly (number | undefined)[]
  readonly slotCount: number
  /** 1 for each step whose result must be stored. */
  readonly isStored: Uint8Array
}

/** Find the values that need a slot, from the last step to the first. */
export function liveValues(steps: readonly Step[], loops = false): Values {
  const used: boolean[] = []
  if (loops) for (const step of steps) useAll(used, step)
  const slots: (number | undefined)[] = []
  const isStored = new Uint8Array(steps.length)
  let slotCount = 0
  for (let index = steps.length - 1; index >= 0; index--) {
    const step = steps[index]
    if (step === undefined) continue
    if (step.op === 'syscall' || step.op === 'add' || step.op === 'load') {
      const { id } = step.result
      if (used[id] === true) {
        isStored[index] = 1
        if (slots[id] === undefined) slots[id] = slotCount++
      }
    }
    useAll(used, step)
  }
  return { slots, slotCount, isStored }
}

/** Note what a step looks at. */
function useAll(used: boolean[], step: Step): void {
  if (step.op === 'syscall') {
    for (const operand of step.args)
      if (typeof operand === 'object' && operand.kind === 'value') used[operand.id] = true
  } else if (step.op === 'branch' || step.op === 'add') {
    use(used, step.left)
    use(used, step.right)
  } else if (step.op === 'store') use(used, step.value)
  else if (step.op === 'exit') use(used, step.status)
  else if (step.op === 'load') use(used, step.from)
  else if (step.op === 'put') {
    use(used, step.to)
    use(used, step.value)
  } else if (step.op === 'fail') {
    use(used, step.code)
    if (step.text !== undefined) use(used, step.text)
  }
}

function use(used: boolean[], operand: Operand): void {
  if (typeof operand === 'object' && operand.kind === 'value') used[operand.id] = true
}
