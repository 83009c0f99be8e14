// Execution domains: numbers of personality(2). include/uapi/linux/personality.h

export const PERSONALITIES = { LINUX: 0, LINUX32: 8 } as const

export type PersonalityDomain = keyof typeof PERSONALITIES
