// D-Bus server addresses: "unix:path=/run/user/1000/bus,guid=…;unix:abstract=…". D-Bus Specification, Server Addresses

/**
 * The Unix sockets that an address names, in order; other transports are left out.
 * @returns paths; that of an abstract socket begins with NUL, as in unix(7)
 */
export function socketsOf(address: string): string[] {
  return address.split(';').flatMap((one) => {
    const [, words] = /^unix:(.*)$/.exec(one) ?? []
    const keys = new Map((words ?? '').split(',').map(keyAndValue))
    const path = keys.get('path')
    const abstract = keys.get('abstract')
    if (path !== undefined) return [path]
    return abstract === undefined ? [] : [`\0${abstract}`]
  })
}

function keyAndValue(word: string): [string, string] {
  const [key = '', ...rest] = word.split('=')
  return [key, unescapeValue(rest.join('='))]
}

/** %2d is a byte. */
function unescapeValue(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
