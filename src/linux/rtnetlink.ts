// Messages about network devices and addresses: numbers of rtnetlink(7). include/uapi/linux/netlink.h, rtnetlink.h, if_link.h

export const AF_NETLINK = 16
export const NETLINK_ROUTE = 0

/** Types of messages. */
export const NLMSG = { ERROR: 2, DONE: 3 } as const
export const RTM = { NEWLINK: 16, GETLINK: 18, NEWADDR: 20, GETADDR: 22 } as const

/** nlmsg_flags */
export const NLM_F = { REQUEST: 0x1, ACK: 0x4, DUMP: 0x300, EXCL: 0x200, CREATE: 0x400 } as const

/** Attributes of a device. */
export const IFLA = { IFNAME: 3, NET_NS_FD: 28 } as const

export const IFF_UP = 0x1

/** The longest name of a device. */
export const LONGEST_DEVICE_NAME = 15

/** Attributes of an address. */
export const IFA = { LABEL: 3, FLAGS: 8 } as const

/** Flags of an address. The first three are the kernel's to set. */
export const IFA_F = { SECONDARY: 0x1, DADFAILED: 0x8, TENTATIVE: 0x40, PERMANENT: 0x80 } as const

/** The scope of an address that is valid everywhere. */
export const RT_SCOPE_UNIVERSE = 0
