// What can go wrong with a bus.

/** The peer refused a call. */
export class BusError extends Error {
  /** org.freedesktop.DBus.Error.AccessDenied … */
  readonly errorName: string

  constructor(errorName: string, text: string) {
    super(text === '' ? errorName : text)
    this.name = 'BusError'
    this.errorName = errorName
  }
}

/** Nobody answers: no socket, no answer in time, or a connection that ended. */
export class BusUnreachable extends Error {
  constructor(text: string, options?: ErrorOptions) {
    super(text, options)
    this.name = 'BusUnreachable'
  }
}
