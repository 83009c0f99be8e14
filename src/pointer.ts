// JSON pointers into config.json (RFC 6901), and how a person writes them.

/** One step of a pointer, escaped. */
export function step(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}

/** The names and indexes that lead there. */
export function stepsOf(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** /mounts/2/options → mounts[2].options */
export function pointerText(pointer: string): string {
  return stepsOf(pointer)
    .map((part, index) => {
      if (/^\d+$/.test(part)) return `[${part}]`
      if (!/^[A-Za-z]\w*$/.test(part)) return `[${JSON.stringify(part)}]`
      return index === 0 ? part : `.${part}`
    })
    .join('')
}
