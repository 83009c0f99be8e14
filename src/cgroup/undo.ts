// The values that a cgroup's files have before they are written, to be written again when not all can be had.

import { groupsIn, type Places, writeSettings } from './apply.ts'
import { readKnobIfPresent } from './knob.ts'
import type { Setting } from './setting.ts'

export interface Value {
  readonly setting: Setting
  /** What the file said; undefined when it can't be told in a way that it would take back. */
  readonly text: string | undefined
}

/** What the files of settings say now. A file that isn't there will not be written either, and is left out. */
export function valuesOf(settings: readonly Setting[], places: Places): Value[] {
  return settings.flatMap((setting) => {
    const names = setting.fallback === undefined ? [setting.file] : [setting.file, setting.fallback[0]]
    return names.flatMap((file) => {
      const { fallback: _, ...single } = { ...setting, file }
      const contents = readKnobIfPresent(`${places.directoryOf(setting)}/${file}`)
      return contents === undefined ? [] : [{ setting: single, text: textFor(single, contents) }]
    })
  })
}

/** Write what isn't as it was. @returns what couldn't be */
export function restoreValues(values: readonly Value[], places: Places): string[] {
  const changed = values.filter(({ setting, text }) => {
    const now = readKnobIfPresent(`${places.directoryOf(setting)}/${setting.file}`)
    return now !== undefined && (text === undefined || textFor(setting, now) !== text)
  })
  const left = changed.filter(({ text }) => text === undefined).map(({ setting }) => setting.pointer)
  const old = changed.flatMap(({ setting, text }) => (text === undefined ? [] : [{ ...setting, value: text }]))
  for (const group of groupsIn(old)) {
    try {
      writeSettings(group, places)
    } catch (error) {
      left.push(error instanceof Error ? error.message : `${error}`)
    }
  }
  return left
}

/** What to write for a file to say this again. */
function textFor({ file, value, line }: Setting, contents: string): string | undefined {
  if (file === 'memory.oom_control') return /^oom_kill_disable (\d)/m.exec(contents)?.[1]
  const lines = contents.split('\n')
  // A file of linux.resources.unified may have lines as well: the first word of what is written is whose line it is.
  const key = line?.key ?? (value.includes(' ') && file !== 'cpu.max' ? value.split(' ')[0] : undefined)
  if (key !== undefined) return lines.find((each) => each.startsWith(`${key} `)) ?? line?.unset
  return lines.length > 1 ? undefined : contents
}
