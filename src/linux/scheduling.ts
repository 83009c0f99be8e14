// CPU and I/O scheduling: numbers of sched_setattr(2) and ioprio_set(2). include/uapi/linux/sched.h, ioprio.h

export const SCHEDULING_POLICIES = {
  SCHED_OTHER: 0,
  SCHED_FIFO: 1,
  SCHED_RR: 2,
  SCHED_BATCH: 3,
  SCHED_ISO: 4,
  SCHED_IDLE: 5,
  SCHED_DEADLINE: 6,
} as const

export type SchedulingPolicy = keyof typeof SCHEDULING_POLICIES

export const SCHEDULING_FLAGS = {
  SCHED_FLAG_RESET_ON_FORK: 0x01,
  SCHED_FLAG_RECLAIM: 0x02,
  SCHED_FLAG_DL_OVERRUN: 0x04,
  SCHED_FLAG_KEEP_POLICY: 0x08,
  SCHED_FLAG_KEEP_PARAMS: 0x10,
  SCHED_FLAG_UTIL_CLAMP_MIN: 0x20,
  SCHED_FLAG_UTIL_CLAMP_MAX: 0x40,
} as const

export type SchedulingFlag = keyof typeof SCHEDULING_FLAGS

/** Of struct sched_attr with its utilisation clamps (since Linux 5.3). */
export const SCHED_ATTR_SIZE = 56

export const IO_PRIORITY_CLASSES = { IOPRIO_CLASS_RT: 1, IOPRIO_CLASS_BE: 2, IOPRIO_CLASS_IDLE: 3 } as const

export type IoPriorityClass = keyof typeof IO_PRIORITY_CLASSES

export const IOPRIO_WHO_PROCESS = 1
const IOPRIO_CLASS_SHIFT = 13

/** IOPRIO_PRIO_VALUE() */
export function ioPriorityValue(name: IoPriorityClass, priority: number): number {
  return (IO_PRIORITY_CLASSES[name] << IOPRIO_CLASS_SHIFT) | priority
}
