// poll(2) (include/uapi/asm-generic/poll.h).

export const POLLIN = 1
