// TAP as its producers write it (https://testanything.org): what a program says of itself.

export interface Summary {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  /** What is wrong, a line each. */
  readonly complaints: readonly string[]
}

/** @param ending how the program ended, in words, when not well */
export function readTap(text: string, ending?: string): Summary {
  const complaints: string[] = ending === undefined ? [] : [ending]
  let [passed, skipped, failed] = [0, 0, 0]
  let planned: number | undefined
  for (const line of text.split('\n')) {
    const plan = /^1\.\.(\d+)(?:\s*#\s*skip\b\s*(.*))?/i.exec(line)
    if (plan !== null) {
      planned = Number(plan[1])
      if (plan[2] !== undefined) skipped++
    }
    if (/^Bail out!/.test(line)) complaints.push(line)
    const point = /^(not )?ok\b\s*(.*)$/.exec(line)
    if (point === null) continue
    const [, not, title = ''] = point
    const directive = /#\s*(skip|todo)\b/i.exec(title)?.[1]?.toLowerCase()
    if (directive === 'skip') skipped++
    else if (not === undefined) passed++
    else if (directive === 'todo') skipped++
    else {
      failed++
      complaints.push(line)
    }
  }
  const points = text.match(/^(not )?ok\b/gm)?.length ?? 0
  if (planned === undefined) complaints.push(points === 0 ? 'no TAP was printed' : 'no plan was printed')
  else if (planned !== points) complaints.push(`${planned} assertions were planned, ${points} made`)
  return { passed, skipped, failed: Math.max(failed, complaints.length > 0 ? 1 : 0), complaints }
}
