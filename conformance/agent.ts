// The agent of SCMP_ACT_NOTIFY: answers one system call at a time by the listener that it was given. seccomp_unotify(2)

import { syscallAsync } from '../src/native/syscall.ts'

const NOTIF_RECV = 0xc0502100
const NOTIF_SEND = 0xc0182101
/** sizeof(struct seccomp_notif), sizeof(struct seccomp_notif_resp) */
const NOTIF_SIZE = 80
const RESPONSE_SIZE = 24
const CONTINUE = 1

export interface Asked {
  readonly pid: number
  /** Of the system call. */
  readonly number: number
}

/** Wait for a call and answer it. @param errno what it fails with; undefined: let it go on */
export async function answerCall(listener: number, errno: number | undefined): Promise<Asked> {
  const asked = new Uint8Array(NOTIF_SIZE)
  await syscallAsync('ioctl', listener, NOTIF_RECV, asked)
  const view = new DataView(asked.buffer)
  const answer = new DataView(new ArrayBuffer(RESPONSE_SIZE))
  answer.setBigUint64(0, view.getBigUint64(0, true), true)
  answer.setInt32(16, errno === undefined ? 0 : -errno, true)
  answer.setUint32(20, errno === undefined ? CONTINUE : 0, true)
  await syscallAsync('ioctl', listener, NOTIF_SEND, new Uint8Array(answer.buffer))
  return { pid: view.getUint32(8, true), number: view.getInt32(16, true) }
}
