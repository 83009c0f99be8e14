// What the image and runt say to each other, as bytes. Both sides read this page; process/sync.ts draws the conversation.

import { REPORT_FAILED } from './step.ts'

/** Kinds of messages of the image; their layout is step.ts's REPORT. */
export const MESSAGE = {
  failed: REPORT_FAILED,
  /** value: P1's pid as runt sees it. */
  pid: 2,
  /** Namespaces and mounts are there: time for the hooks of the runtime namespaces. */
  hooks: 3,
  /** All is done but the program. */
  ready: 4,
  /** value: wait(2) status of the program, from P0 in the foreground. */
  status: 5,
  /** value: the descriptor, in P1, by which an agent is asked about system calls. */
  listener: 6,
  /** The startContainer hooks have run, and the program is next. */
  hooked: 7,
} as const

/**
 * Layout of a message of runt to the image: {u32 stateLength, u32 0, state}. It comes in datagrams of `part` bytes and a last one
 * that may be shorter: the sockets of an ordinary user take 208 KiB.
 */
export const REPLY = { stateLength: 0, state: 8, part: 65536 } as const

/** What the report of a failed hook is known by: its code is a wait(2) status, its text the hook's output. */
export const HOOK_FAILED = 'hook failed'
