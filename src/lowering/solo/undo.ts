// How what was made is taken back: one entry a thing, in reverse, from the thing that could not be made.

import type { PlanBuilder } from '../../plan/builder.ts'
import type { Label } from '../../plan/step.ts'

export class Undo {
  readonly #plan: PlanBuilder
  readonly #entries: { readonly label: Label; readonly steps: () => void }[] = []
  #now: Label

  /** From here on failures of the plan's steps go to what undoes the steps before. */
  constructor(plan: PlanBuilder) {
    this.#plan = plan
    this.#now = plan.label('nothing_to_undo')
    this.#entries.push({ label: this.#now, steps: () => {} })
    plan.rescueAt(this.#now)
  }

  /** Where a failure goes on right now. */
  get now(): Label {
    return this.#now
  }

  /** Something has been made that these steps take back. */
  onFailure(name: string, steps: () => void): void {
    this.#now = this.#plan.label(name)
    this.#entries.push({ label: this.#now, steps })
    this.#plan.rescueAt(this.#now)
  }

  /** The steps of all entries, the last one first; one that fails doesn't hinder the next. */
  lower(): void {
    for (const { label, steps } of this.#entries.reverse()) {
      this.#plan.place(label)
      const next = this.#plan.label(`after_${label.name}`)
      this.#plan.rescueAt(next)
      steps()
      this.#plan.place(next)
    }
    this.#plan.rescueAt(undefined)
  }
}
